package flow_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// Viewers see what each flow waits for, and when that will be over.
func TestStageInEachState(t *testing.T) {
	for _, st := range states() {
		t.Run(st.name, func(t *testing.T) {
			e := newEngine(t, 2)
			other := e.begin(with(planOf(time.Hour, ""),
				func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "b", Workers: 1, Queue: -1} }))
			stop := e.Journal.Watch()
			o := st.reach(e)
			flights := e.Journal.Live("").Flights
			if st.sent || st.name == "queued and freed" { // its other request began later
				if st.sent && len(flights) != 0 {
					t.Errorf("got %+v, want nothing in flight", flights)
				}
			} else {
				want := journal.Flight{ID: 1, Method: "GET", Path: "/", Start: e.start}
				switch {
				case st.name == "queued":
					want.Stage = journal.StageQueued
				case strings.HasPrefix(st.name, "held"):
					want.Stage = journal.StageHeld
				case st.name == "waiting":
					want.Due = e.start.Add(s)
				default:
					want.Stage, want.Due = journal.StageSending, e.start // these plans have no Sending
				}
				if st.name == "blocked" {
					want.Run = "r"
				}
				if len(flights) != 1 || flights[0] != want {
					t.Errorf("got %+v, want %+v", flights, want)
				}
			}
			o.refuses = nil
			o.cancel(flow.ErrClientGone)
			other.cancel(flow.ErrClientGone)
			for _, o := range e.outs {
				o.flow.Cancel(flow.ErrClientGone)
			}
			if flights := e.Journal.Live("").Flights; len(flights) != 0 {
				t.Errorf("after the end %+v is in flight", flights)
			}
			stop()
		})
	}
}

// A request whose body is sent in parts is due when the last part is.
func TestDueOfABodyInParts(t *testing.T) {
	e := newEngine(t, 1)
	defer e.Journal.Watch()()
	o := e.begin(with(planOf(s, ""), func(p *plan.Plan) {
		p.Answer.Body, p.Sending = parts(true, 0, s, 2*s), 2*s
	}))
	for _, step := range []struct {
		stage journal.Stage
		due   time.Duration
	}{{journal.StageWaiting, s}, {journal.StageSending, 3 * s}, {journal.StageSending, 3 * s}} {
		f := e.Journal.Live("").Flights
		if len(f) != 1 || f[0].Stage != step.stage || f[0].Due.Sub(e.start) != step.due {
			t.Errorf("got %+v, want %v until %v", f, step.stage, step.due)
		}
		e.advance(s)
	}
	if !o.done {
		t.Errorf("not done: %q", o.log)
	}
	e.wantIdle(1)
}

// Viewers see the problems of requests that are refused or fail, also if the list of
// waits is full.
func TestProblemsThatViewersSee(t *testing.T) {
	full := func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "a", Workers: 1, Queue: 0} }
	const places = 1000
	e := newEngine(t, places)
	defer e.Journal.Watch()()
	e.begin(with(planOf(s, ""), full))
	want := func(path string, of problem.Type, count int) {
		t.Helper()
		all := e.Journal.Live("").Problems
		if last := all[len(all)-1]; last.Path != path || last.Type != of || last.Count != count ||
			last.Status != of.Info().Status {
			t.Errorf("got %+v, want %s %s × %d", last, path, of.Name(), count)
		}
	}
	for range 2 {
		e.beginAs(flow.Request{Method: "GET", Path: "/listed"}, with(planOf(s, ""), full))
	}
	want("/listed", problem.PoolFull, 2)
	for e.Journal.Lists() {
		e.begin(planOf(s, ""))
	}
	e.beginAs(flow.Request{Method: "GET", Path: "/counted"}, with(planOf(s, ""), full))
	want("", problem.PoolFull, 1)
	for e.shares.Inside() < places {
		e.begin(planOf(s, ""))
	}
	e.beginAs(flow.Request{Method: "GET", Path: "/refused"}, planOf(s, ""))
	want("/refused", problem.TooManyInFlight, 1)
	e.advance(s)
	if l := e.Journal.Live(""); l.Waiting != 0 || len(l.Flights) != 0 || !e.Journal.Lists() {
		t.Errorf("%d waiting, %d in flight", l.Waiting, len(l.Flights))
	}
}

// TestAllocationsWithoutViewers checks that viewers cost nothing once they have left, and
// nothing before the first.
func TestAllocationsWithoutViewers(t *testing.T) {
	for _, tc := range []struct {
		run     string
		want    float64
		watched float64
	}{
		{"", 1, 4},  // with viewers also the extra, the wait and its texts
		{"r", 6, 6}, // recorded anyway
	} {
		c := clock.New()
		e := &flow.Engine{
			Clock: c, Journal: journal.New(100, c.Now, func(journal.Wait) {}),
			Pools: new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
			Header: func(http.Header, string) {},
		}
		r := flow.Request{Method: "GET", Path: "/delay/0", Planned: plan.Planned{Run: tc.run}}
		r.Plan, r.Client, r.ProtoMajor = planOf(0, "hello"), gate.NewShares(1, 1).Client(netip.Addr{}), 1
		var f flow.Flow
		allocations := func() float64 {
			return testing.AllocsPerRun(1000, func() {
				r.Arrived = c.Timestamp()
				f.Start(e, discard{}, &r)
			})
		}
		before := allocations()
		stop := e.Journal.Watch()
		watched := allocations()
		stop()
		if after := allocations(); before != tc.want || after != tc.want || watched > tc.watched {
			t.Errorf("run %q: %v allocations before, %v with and %v after viewers, want %v, up to %v, and %v", tc.run,
				before, watched, after, tc.want, tc.watched, tc.want)
		}
	}
}
