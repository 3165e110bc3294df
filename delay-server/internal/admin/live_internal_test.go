package admin

import (
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

// An idle server, or one whose clock is frozen, has no news for its viewers: its time
// alone is none.
func TestNewsForViewers(t *testing.T) {
	c := clock.New()
	j := journal.New(10, c.Now, func(journal.Wait) {})
	j.Clocks = clock.NewRuns(c)
	a := New(Options{
		Clock: c, Journal: j, Holds: gate.NewHolds(), Barriers: new(gate.Barriers), Pools: new(gate.Pools),
	})
	t.Cleanup(func() { a.Shutdown(nil) })
	w := journal.NewWait(journal.Wait{Run: "r", Start: c.Now(), Asked: time.Second})
	last := a.liveState("").(liveState)
	pass := func() {
		for before := c.Now(); !c.Now().After(before); {
		}
	}
	for _, step := range []struct {
		what string
		do   func()
		news bool
	}{
		{"time has passed", pass, false},
		{"a request has arrived", func() { j.Begin(w, nil) }, true},
		{"time has passed while it waits", pass, true},
		{"the clock is frozen", c.Freeze, true},
		{"time has passed on a frozen clock", func() {}, false},
		{"the clock was advanced", func() { _ = c.Advance(t.Context(), time.Second) }, true},
		{"the request has ended", func() { j.End(*w, journal.Answered) }, true},
		{"the clock goes on", c.Unfreeze, true},
		{"time has passed again", pass, false},
		{"a request was refused", func() {
			j.Refuse(journal.Wait{Run: "r", Start: c.Now(), Response: journal.Response{Problem: problem.PoolFull}}, nil,
				journal.Refused)
		}, true},
		{"a hold", func() { a.options.Holds.Enter(&gate.Ticket{}, gate.HoldSpec{Name: "h"}) }, true},
		{"another scale", func() { _ = c.Scale(2) }, true},
		{"time has passed at last", pass, false},
	} {
		step.do()
		next := a.liveState("").(liveState)
		if news := !next.Same(last); news != step.news {
			t.Errorf("%s: news %v, want %v\nbefore %+v\nafter  %+v", step.what, news, step.news, last, next)
		}
		last = next
	}
}
