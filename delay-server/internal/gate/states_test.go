package gate_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
)

// silent is a gate.Waker that does nothing.
type silent struct{}

func (silent) Wake() {}

func ticket(run string, attempt int) *gate.Ticket {
	return &gate.Ticket{Waker: silent{}, Run: run, Attempt: attempt}
}

// all chooses everything that the tests make.
var all = gate.Choose{Names: 100, Requests: 100, All: 100}

func ofRun(run string) gate.Choose {
	chosen := all
	chosen.Run = run
	return chosen
}

func wantStates[T any](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func TestListBarriers(t *testing.T) {
	var b gate.Barriers
	enter := func(run, name string, parties int) {
		t.Helper()
		spec := gate.BarrierSpec{Name: name, Parties: parties}
		if passed, err := b.Enter(ticket(run, 1), spec); passed || err != nil {
			t.Fatalf("Enter(%s): %v, %v", name, passed, err)
		}
	}
	enter("b", "shared", 4)
	enter("a", "shared", 4)
	enter("b", "run:own", 2)
	enter("a", "run:own", 2)
	enter("", "alone", 2)
	alone := gate.BarrierState{Name: gate.Name{Name: "alone"}, Parties: 2, Waiting: 1,
		Held: []gate.HeldRequest{{"", 1}}}
	ownOf := func(run string) gate.BarrierState {
		return gate.BarrierState{Name: gate.Name{Run: run, Name: "run:own"}, Parties: 2, Waiting: 1,
			Held: []gate.HeldRequest{{run, 1}}}
	}
	shared := gate.BarrierState{Name: gate.Name{Name: "shared"}, Parties: 4, Waiting: 2,
		Held: []gate.HeldRequest{{"b", 1}, {"a", 1}}}
	wantStates(t, "all", b.List(all), alone, ownOf("a"), ownOf("b"), shared)
	wantStates(t, "of run a", b.List(ofRun("a")), ownOf("a"), shared)
	wantStates(t, "of run c", b.List(ofRun("c")))

	shared.Held = shared.Held[:1]
	wantStates(t, "one request each", b.List(gate.Choose{Names: 100, Requests: 1, All: 100}),
		alone, ownOf("a"), ownOf("b"), shared)
	shared.Held = nil
	wantStates(t, "three requests in all", b.List(gate.Choose{Names: 100, Requests: 100, All: 3}),
		alone, ownOf("a"), ownOf("b"), shared)
	wantStates(t, "two names", b.List(gate.Choose{Names: 2, Requests: 100, All: 100}), alone, ownOf("a"))
	b.Reset()
	wantStates(t, "after a reset", b.List(all))
}

func TestListHolds(t *testing.T) {
	h := gate.NewHolds()
	for i := range 1000 { // in mixed order, as a map has them
		h.Enter(ticket("", 0), gate.HoldSpec{Name: fmt.Sprintf("h%03d", i*37%1000)})
	}
	h.Enter(ticket("r", 7), gate.HoldSpec{Name: "h500"})
	first := h.List(gate.Choose{Names: 3, Requests: 1, All: 2})
	held := []gate.HeldRequest{{}}
	wantStates(t, "the first three", first,
		gate.HoldState{Name: gate.Name{Name: "h000"}, Waiting: 1, Held: held},
		gate.HoldState{Name: gate.Name{Name: "h001"}, Waiting: 1, Held: held},
		gate.HoldState{Name: gate.Name{Name: "h002"}, Waiting: 1})
	wantStates(t, "of run r", h.List(ofRun("r")),
		gate.HoldState{Name: gate.Name{Name: "h500"}, Waiting: 2, Held: []gate.HeldRequest{{}, {"r", 7}}})
}

// A List reads so many names, the newest first, and so many requests of each and of all.
func TestListIsBounded(t *testing.T) {
	enter := func(h *gate.Holds, run, name string, n int) {
		for range n {
			h.Enter(ticket(run, 0), gate.HoldSpec{Name: name})
		}
	}
	names := func(h *gate.Holds, n int) {
		for i := range n {
			enter(h, "flood", fmt.Sprint("z", i), 1)
		}
	}
	for _, tc := range []struct {
		what string
		fill func(*gate.Holds)
		want []string // names of run r
	}{
		{"1999 newer names", func(h *gate.Holds) { enter(h, "r", "a", 1); names(h, 1999) }, []string{"a"}},
		{"2000 newer names", func(h *gate.Holds) { enter(h, "r", "a", 1); names(h, 2000) }, nil},
		{"2000 older names", func(h *gate.Holds) { names(h, 2000); enter(h, "r", "a", 1) }, []string{"a"}},
		{"a name that became empty and came again", func(h *gate.Holds) {
			enter(h, "r", "a", 1)
			names(h, 2000)
			_, _ = h.Release(gate.Name{Name: "a"}, gate.Choice{})
			enter(h, "r", "a", 1)
		}, []string{"a"}},
		{"newer names that are gone", func(h *gate.Holds) {
			enter(h, "r", "a", 1)
			names(h, 2000)
			for i := range 2000 {
				_, _ = h.Release(gate.Name{Name: fmt.Sprint("z", i)}, gate.Choice{})
			}
			enter(h, "r", "b", 1)
		}, []string{"a", "b"}},
		{"999 requests before", func(h *gate.Holds) { enter(h, "x", "a", 999); enter(h, "r", "a", 1) }, []string{"a"}},
		{"1000 requests before", func(h *gate.Holds) { enter(h, "x", "a", 1000); enter(h, "r", "a", 1) }, nil},
		{"3000 requests of newer names", func(h *gate.Holds) {
			enter(h, "r", "a", 1)
			for _, name := range []string{"b", "c", "d"} {
				enter(h, "x", name, 2000)
			}
		}, []string{"a"}},
		{"4000 requests of newer names", func(h *gate.Holds) {
			enter(h, "r", "run:own", 1)
			enter(h, "r", "a", 1)
			for _, name := range []string{"b", "c", "d", "e"} {
				enter(h, "x", name, 2000)
			}
		}, []string{"run:own"}},
	} {
		h := gate.NewHolds()
		tc.fill(h)
		var got []string
		for _, s := range h.List(ofRun("r")) {
			got = append(got, s.Name.Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.what, got, tc.want)
		}
	}
}

// Pools are read in the order in which they were made, also after a reset.
func TestListOfManyPools(t *testing.T) {
	var p gate.Pools
	enter := func(run string, n int) (all []*gate.Ticket) {
		for i := range n {
			one := ticket(run, 1)
			all = append(all, one)
			spec := gate.PoolSpec{Name: fmt.Sprint("run:", i), Workers: 1}
			if _, err := p.Enter(one, spec, time.Second, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	want := func(what string, n int) {
		t.Helper()
		if got := len(p.List(gate.Choose{Run: "r", Names: 10})); got != n {
			t.Errorf("%s: got %d pools of r, want %d", what, got, n)
		}
	}
	enter("r", 2)
	want("new", 2)
	newer := enter("flood", 1999)
	want("1999 newer ones", 1)
	p.Leave(newer[7], time.Now())
	want("one of them is gone", 2)
	p.ResetRun("flood")
	enter("other", 1998)
	want("after a reset of the run", 2)
	p.Leave(newer[8], time.Now())
	want("a request of a reset pool has left", 2)
	p.Reset()
	want("after a reset", 0)
	enter("r", 1)
	want("after that", 1)
}

func TestListPools(t *testing.T) {
	var p gate.Pools
	enter := func(run string, spec gate.PoolSpec) {
		t.Helper()
		if _, err := p.Enter(ticket(run, 1), spec, time.Second, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	small := gate.PoolSpec{Name: "db", Workers: 1, Queue: 2, Operator: true}
	large := gate.PoolSpec{Name: "db", Workers: 2, Queue: -1, Operator: true}
	own := gate.PoolSpec{Name: "run:own", Workers: 1}
	for _, run := range []string{"a", "b", "b"} {
		enter(run, small)
	}
	enter("a", large)
	enter("b", own)
	ofSmall := gate.PoolUse{Name: gate.Name{Name: "db"}, Spec: small, Busy: 1, Queued: 2}
	ofLarge := gate.PoolUse{Name: gate.Name{Name: "db"}, Spec: large, Busy: 1}
	ofOwn := gate.PoolUse{Name: gate.Name{Run: "b", Name: "run:own"}, Spec: own, Busy: 1}
	wantStates(t, "all", p.List(all), ofSmall, ofLarge, ofOwn)
	wantStates(t, "of run a, which has workers", p.List(ofRun("a")), ofSmall, ofLarge)
	wantStates(t, "of run b, which is queued", p.List(ofRun("b")), ofSmall, ofOwn)
	wantStates(t, "one", p.List(gate.Choose{Names: 1}), ofSmall)
}
