package flow_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

// discard is a flow.Output that takes everything.
type discard struct{}

func (discard) Wait(time.Time)                                  {}
func (discard) Wake()                                           {}
func (discard) Begin(*answer.Head, int64, *answer.Timing, bool) {}
func (discard) Send([]byte, bool) bool                          { return true }
func (discard) Fault(answer.Fault) error                        { return nil }
func (discard) Done()                                           {}

// BenchmarkFlow takes a request without a wait from its plan to its answer, without
// viewers and with one.
func BenchmarkFlow(b *testing.B) {
	plain := flow.Request{Method: "GET", Path: "/delay/0"}
	ofRun := plain
	ofRun.Run = "r"
	for name, r := range map[string]flow.Request{
		"plain": plain, "run": ofRun, "plain, watched": plain, "run, watched": ofRun,
	} {
		b.Run(name, func(b *testing.B) {
			c := clock.New()
			e := &flow.Engine{
				Clock: c, Journal: journal.New(10_000, c.Now, func(journal.Wait) {}),
				Pools: new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
				Header: func(http.Header, string) {},
			}
			if strings.HasSuffix(name, "watched") {
				defer e.Journal.Watch()()
			}
			r.Plan, r.Client, r.ProtoMajor = planOf(0, "hello"), gate.NewShares(1, 1).Client(netip.Addr{}), 1
			var f flow.Flow
			b.ReportAllocs()
			for b.Loop() {
				r.Arrived = c.Timestamp()
				f.Start(e, discard{}, &r)
			}
		})
	}
}
