package gate_test

import (
	"fmt"
	"reflect"
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
