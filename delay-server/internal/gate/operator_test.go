package gate_test

import (
	"errors"
	"testing"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

func TestOperatorPoolCanBeResized(t *testing.T) {
	var p gate.Pools
	old := gate.PoolSpec{Name: "db", Workers: 1, Queue: 0, Operator: true}
	leave := enter(t, &p, old)
	resized := old
	resized.Workers = 2
	first, second := enter(t, &p, resized), enter(t, &p, resized)
	if states := p.States(); len(states) != 1 || states[0] != (gate.PoolState{Name: "db", Operator: true, Busy: 3}) {
		t.Errorf("States() = %+v, want db with 3 busy workers", states)
	}
	for _, spec := range []gate.PoolSpec{old, resized} {
		var full *gate.PoolFullError
		if _, err := enterPool(t.Context(), newWaiter(clock.New()), &p, spec, 0); !errors.As(err, &full) {
			t.Errorf("Enter(%+v) of a full pool: %v, want a *PoolFullError", spec, err)
		}
	}
	leave()
	first()
	second()
	if states := p.States(); len(states) != 0 {
		t.Errorf("pools left: %v", states)
	}
}

func TestOperatorPoolIsSeparate(t *testing.T) {
	var p gate.Pools
	leave := enter(t, &p, gate.PoolSpec{Name: "db", Workers: 1, Queue: 0, Operator: true})
	defer leave()
	enter(t, &p, gate.PoolSpec{Name: "db", Workers: 7, Queue: 0})()
}
