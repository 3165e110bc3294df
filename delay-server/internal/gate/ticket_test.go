package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
)

// wakes has the names of the woken tickets, in order.
type wakes []string

// ticket returns a ticket that appends name to w when woken.
func (w *wakes) ticket(name string) *gate.Ticket { return &gate.Ticket{Waker: recorder{w, name}} }

type recorder struct {
	wakes *wakes
	name  string
}

func (n recorder) Wake() { *n.wakes = append(*n.wakes, n.name) }

// want fails the test unless these tickets were woken.
func (w *wakes) want(t *testing.T, names ...string) {
	t.Helper()
	if !slices.Equal(*w, names) {
		t.Errorf("woken: %v, want %v", *w, names)
	}
	*w = nil
}

// wantFreed fails the test unless the ticket is freed with the error.
func wantFreed(t *testing.T, ticket *gate.Ticket, want error) {
	t.Helper()
	if freed, err := ticket.Freed(); !freed || err != want {
		t.Errorf("Freed() = %v, %v, want true, %v", freed, err, want)
	}
}

// wantNotFreed fails the test if the ticket is freed.
func wantNotFreed(t *testing.T, ticket *gate.Ticket) {
	t.Helper()
	if freed, err := ticket.Freed(); freed || err != nil {
		t.Errorf("Freed() = %v, %v, want false", freed, err)
	}
}

// queueGate is a Barriers or Holds.
type queueGate interface {
	Leave(*gate.Ticket) bool
	Timeout(*gate.Ticket) (bool, error)
}

// A freed ticket can neither leave nor time out, and a ticket that has left is not
// woken.
func TestTicketIsFreedOrLeavesOrTimesOut(t *testing.T) {
	barriers, holds := new(gate.Barriers), gate.NewHolds()
	barrier := gate.BarrierSpec{Name: "x", Parties: 4, Timeout: time.Minute}
	hold := gate.HoldSpec{Name: "x", Timeout: time.Minute}
	for _, tc := range []struct {
		name  string
		gate  queueGate
		enter func(*gate.Ticket)
		free  func() // frees the 3 queued tickets
	}{
		{"barrier", barriers, func(x *gate.Ticket) {
			if passed, err := barriers.Enter(x, barrier); passed || err != nil {
				t.Fatalf("barrier: Enter = %v, %v", passed, err)
			}
		}, func() {
			if passed, err := barriers.Enter(new(gate.Ticket), barrier); !passed || err != nil {
				t.Errorf("barrier: Enter of the last = %v, %v, want true", passed, err)
			}
		}},
		{"hold", holds, func(x *gate.Ticket) { holds.Enter(x, hold) }, func() {
			if n, err := holds.Release(gate.NameOf("", "x"), gate.Choice{Count: 3}); n != 3 || err != nil {
				t.Errorf("hold: Release = %d, %v", n, err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w wakes
			a, b, c, d := w.ticket("a"), w.ticket("b"), w.ticket("c"), w.ticket("d")
			for _, x := range []*gate.Ticket{a, b, c} {
				wantNotFreed(t, x)
				tc.enter(x)
				wantNotFreed(t, x)
			}
			if !tc.gate.Leave(b) || tc.gate.Leave(b) {
				t.Error("Leave of a queued ticket did not report true once")
			}
			if timedOut, err := tc.gate.Timeout(b); timedOut || err != nil {
				t.Errorf("Timeout of a ticket that has left = %v, %v", timedOut, err)
			}
			tc.enter(d)
			w.want(t)
			tc.free()
			w.want(t, "a", "c", "d")
			wantNotFreed(t, b)
			for _, x := range []*gate.Ticket{a, c, d} {
				wantFreed(t, x, nil)
			}
			if tc.gate.Leave(a) {
				t.Error("Leave of a freed ticket = true")
			}
			if timedOut, err := tc.gate.Timeout(c); timedOut || err != nil {
				t.Errorf("Timeout of a freed ticket = %v, %v", timedOut, err)
			}
			for _, x := range []*gate.Ticket{a, c} {
				wantFreed(t, x, nil)
			}
			// Freed or not, a ticket may enter again.
			tc.enter(a)
			tc.enter(b)
			wantNotFreed(t, a)
			if timedOut, err := tc.gate.Timeout(b); !timedOut || err == nil {
				t.Errorf("Timeout of a queued ticket = %v, %v", timedOut, err)
			}
			wantNotFreed(t, b)
			tc.gate.Leave(a) // at the barrier, the timeout has freed it
		})
	}
	if n := len(barriers.Standing()) + len(holds.States()); n != 0 {
		t.Errorf("left: %v, %v", barriers.Standing(), holds.States())
	}
}

func TestTimeoutFreesTheOthersOfABarrier(t *testing.T) {
	var b gate.Barriers
	var w wakes
	tickets := []*gate.Ticket{w.ticket("a"), w.ticket("b"), w.ticket("c")}
	for i, x := range tickets {
		_, _ = b.Enter(x, gate.BarrierSpec{Name: "x", Parties: 4, Timeout: time.Duration(3-i) * time.Second})
	}
	_, err := b.Timeout(tickets[1])
	var timeout *gate.BarrierTimeoutError
	want := gate.BarrierTimeoutError{Barrier: gate.BarrierSpec{Name: "x", Parties: 4, Timeout: 2 * time.Second},
		Arrived: 3}
	if !errors.As(err, &timeout) || *timeout != want {
		t.Fatalf("Timeout = %v, want %v", err, &want)
	}
	w.want(t, "a", "c")
	for _, i := range []int{0, 2} {
		freed, err := tickets[i].Freed()
		var broken *gate.BrokenError
		if !freed || !errors.As(err, &broken) || broken.Reason != timeout {
			t.Errorf("Freed() = %v, %v, want a *BrokenError for %v", freed, err, timeout)
		}
	}
}

// One Leave of a pool's ticket removes it from the queue or hands over its worker,
// even if it has got the worker at the same time.
func TestPoolTicketLeaves(t *testing.T) {
	var p gate.Pools
	var w wakes
	now := time.Unix(0, 0)
	spec := gate.PoolSpec{Name: "db", Workers: 1, Queue: 3}
	enter := func(x *gate.Ticket, wantAdmitted bool) {
		t.Helper()
		if admitted, err := p.Enter(x, spec, time.Second, now); admitted != wantAdmitted || err != nil {
			t.Fatalf("Enter = %v, %v, want %v", admitted, err, wantAdmitted)
		}
	}
	var states []string
	leave := func(x *gate.Ticket) {
		p.Leave(x, now)
		states = append(states, fmt.Sprint(p.States()))
	}
	a, b, c, d := w.ticket("a"), w.ticket("b"), w.ticket("c"), w.ticket("d")
	leave(a) // has not entered
	enter(a, true)
	enter(b, false)
	enter(c, false)
	enter(d, false)
	refused := new(gate.Ticket)
	if _, err := p.Enter(refused, spec, time.Second, now); err == nil {
		t.Error("Enter of a full pool = nil")
	}
	leave(refused)
	leave(c)
	leave(a)
	w.want(t, "b")
	wantFreed(t, b, nil)
	wantNotFreed(t, d)
	leave(a) // no effect
	leave(b)
	w.want(t, "d")
	wantFreed(t, d, nil)
	leave(d)
	enter(a, true)
	leave(a)
	w.want(t)
	if want := []string{"[]", "[{db false 1 3}]", "[{db false 1 2}]", "[{db false 1 1}]", "[{db false 1 1}]",
		"[{db false 1 0}]", "[]", "[]"}; !slices.Equal(states, want) {
		t.Errorf("States() after each Leave:\n%v, want\n%v", states, want)
	}
}

func TestPoolFullErrorAfter(t *testing.T) {
	var p gate.Pools
	now := time.Unix(0, 0)
	spec := gate.PoolSpec{Name: "db", Workers: 3, Queue: 1}
	var tickets [5]gate.Ticket
	enter := func(i int, service time.Duration) {
		tickets[i].Waker = new(counting)
		if _, err := p.Enter(&tickets[i], spec, service, now); err != nil {
			t.Fatal(err)
		}
	}
	wantAfter := func(want time.Duration) {
		t.Helper()
		_, err := p.Enter(new(gate.Ticket), spec, 0, now)
		var full *gate.PoolFullError
		if !errors.As(err, &full) || full.After != want {
			t.Errorf("at %d s: Enter = %#v, want a worker free in %v", now.Unix(), err, want)
		}
	}
	for i, service := range []time.Duration{5, 3, 4, 7} { // the last is queued
		enter(i, service*time.Second)
	}
	wantAfter(3 * time.Second)
	now = now.Add(2 * time.Second)
	wantAfter(time.Second)
	p.Leave(&tickets[1], now) // to the queued ticket
	enter(4, 0)
	wantAfter(2 * time.Second)
	p.Leave(&tickets[2], now)
	enter(1, 0)
	wantAfter(0) // number 4 ends at once
	p.Leave(&tickets[4], now)
	enter(4, 0)
	p.Leave(&tickets[1], now)
	enter(1, 0)
	now = now.Add(time.Hour)
	wantAfter(0) // all are late
}

// counting counts its wakes without synchronization.
type counting int

func (c *counting) Wake() { *c++ }

// After Freed has reported true, no other goroutine uses the ticket. The race detector
// reports a late Wake.
func TestTicketIsItsOwnersOnceFreed(t *testing.T) {
	h, p := gate.NewHolds(), new(gate.Pools)
	var served, ticket gate.Ticket
	var woken counting
	served.Waker = &woken
	for i := range 500 {
		woken = 0
		ticket.Waker = &woken
		if i%2 == 0 {
			h.Enter(&ticket, gate.HoldSpec{Name: "h"})
			go func() { _, _ = h.Release(gate.NameOf("", "h"), gate.Choice{Count: 1}) }()
		} else {
			now := time.Unix(0, 0)
			spec := gate.PoolSpec{Name: "p", Workers: 1, Queue: -1}
			_, _ = p.Enter(&served, spec, 0, now)
			_, _ = p.Enter(&ticket, spec, 0, now)
			go p.Leave(&served, now)
		}
		for freed := false; !freed; {
			freed, _ = ticket.Freed()
		}
		if woken != 1 {
			t.Fatalf("woken %d times, want once", woken)
		}
		p.Leave(&ticket, time.Unix(0, 0))
	}
}

func TestTicketsNeedNoMemory(t *testing.T) {
	var p gate.Pools
	var b gate.Barriers
	h := gate.NewHolds()
	var first, second, third, ticket gate.Ticket
	for _, x := range []*gate.Ticket{&first, &second, &third, &ticket} {
		x.Waker = new(counting)
	}
	now := time.Unix(0, 0)
	pool := gate.PoolSpec{Name: "p", Workers: 2, Queue: 1}
	barrier := gate.BarrierSpec{Name: "b", Parties: 3}
	hold := gate.HoldSpec{Name: "h"}
	_, _ = p.Enter(&first, pool, 0, now)
	_, _ = b.Enter(&second, barrier)
	h.Enter(&third, hold)
	for what, f := range map[string]func(){
		"a worker":  func() { _, _ = p.Enter(&ticket, pool, 0, now); p.Leave(&ticket, now) },
		"a barrier": func() { _, _ = b.Enter(&ticket, barrier); b.Leave(&ticket) },
		"a hold":    func() { h.Enter(&ticket, hold); h.Leave(&ticket) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s took %v allocations, want none", what, n)
		}
	}
}

// TestReset checks that a reset frees all tickets of holds and barriers, and leaves tickets
// in their pools, which are not in the way of new ones.
func TestReset(t *testing.T) {
	var w wakes
	barriers, holds := new(gate.Barriers), gate.NewHolds()
	held := []*gate.Ticket{w.ticket("a"), w.ticket("b"), w.ticket("c")}
	holds.Enter(held[0], gate.HoldSpec{Name: "x"})
	holds.Enter(held[1], gate.HoldSpec{Name: "x"})
	holds.Enter(held[2], gate.HoldSpec{Name: "y"})
	holds.Reset()
	slices.Sort(w) // holds are in no order
	w.want(t, "a", "b", "c")
	for i, name := range []string{"x", "x", "y"} {
		var failed *gate.HoldFailedError
		if freed, err := held[i].Freed(); !freed || !errors.As(err, &failed) || failed.Name != name {
			t.Errorf("hold %s: Freed() = %v, %v, want a HoldFailedError", name, freed, err)
		}
	}
	if left := holds.States(); len(left) != 0 {
		t.Errorf("holds left: %v", left)
	}

	waiting := w.ticket("d")
	enterBarrier := func(x *gate.Ticket, parties int) {
		t.Helper()
		if passed, err := barriers.Enter(x, gate.BarrierSpec{Name: "x", Parties: parties}); passed || err != nil {
			t.Fatalf("Enter = %v, %v", passed, err)
		}
	}
	enterBarrier(waiting, 2)
	barriers.Reset()
	w.want(t, "d")
	var reset *gate.BarrierResetError
	if freed, err := waiting.Freed(); !freed || !errors.As(err, &reset) || reset.Name != "x" {
		t.Errorf("barrier: Freed() = %v, %v, want a BarrierResetError", freed, err)
	}
	enterBarrier(waiting, 3) // of other parties, as if new

	var pools gate.Pools
	now := time.Unix(0, 0)
	enterPool := func(x *gate.Ticket, workers int, wantAdmitted bool) {
		t.Helper()
		spec := gate.PoolSpec{Name: "db", Workers: workers, Queue: -1}
		if admitted, err := pools.Enter(x, spec, time.Second, now); admitted != wantAdmitted || err != nil {
			t.Fatalf("Enter = %v, %v, want %v", admitted, err, wantAdmitted)
		}
	}
	busy, queued, later := w.ticket("e"), w.ticket("f"), w.ticket("g")
	enterPool(busy, 1, true)
	enterPool(queued, 1, false)
	pools.Reset()
	enterPool(later, 2, true) // of other sizes, as if new
	pools.Leave(busy, now)
	w.want(t, "f")
	wantFreed(t, queued, nil)
	pools.Leave(queued, now) // empties the old pool, not the new one
	if got, want := fmt.Sprint(pools.States()), "[{db false 1 0}]"; got != want {
		t.Errorf("States() = %s, want %s", got, want)
	}
	pools.Leave(later, now)
	if left := pools.States(); len(left) != 0 {
		t.Errorf("pools left: %v", left)
	}
}
