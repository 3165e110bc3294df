package server

import (
	"errors"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// signalWaker wakes the goroutine that awaits the signal.
type signalWaker struct{ *clock.Signal }

func (w signalWaker) Wake() { w.Fire() }

// awaitWorker waits for a worker of the plan's pool, and returns the function that
// gives it back.
func (v *visit) awaitWorker() (leave func(), err error) {
	signal := v.waiter.Signal()
	t := &gate.Ticket{Waker: signalWaker{signal}}
	leave = func() { v.pools.Leave(t, v.waiter.Now()) }
	admitted, err := v.pools.Enter(t, *v.plan.Pool, v.plan.Wait+v.plan.Sending, v.waiter.Now())
	if admitted || err != nil {
		return leave, err
	}
	if err := v.waiter.Await(v.c.Request().Context(), signal, time.Time{}); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// awaitEvent waits at the plan's barrier or hold.
func (v *visit) awaitEvent() error {
	signal := v.waiter.Signal()
	t := &gate.Ticket{Waker: signalWaker{signal}}
	if spec := v.plan.Barrier; spec != nil {
		if passed, err := v.barriers.Enter(t, *spec); passed || err != nil {
			return err
		}
		err := v.waiter.Await(v.c.Request().Context(), signal, v.waiter.Now().Add(spec.Timeout))
		return ticketEnd(t, err, v.barriers)
	}
	v.holds.Enter(t, *v.plan.Hold)
	err := v.waiter.Await(v.c.Request().Context(), signal, v.waiter.Now().Add(v.plan.Hold.Timeout))
	return ticketEnd(t, err, v.holds)
}

// ticketEnd returns how a wait ended whose Await returned err: by that, or by the
// ticket's being freed at the same time.
func ticketEnd(t *gate.Ticket, err error, g interface {
	Leave(*gate.Ticket) bool
	Timeout(*gate.Ticket) (bool, error)
}) error {
	if errors.Is(err, clock.ErrDeadline) {
		if timedOut, err := g.Timeout(t); timedOut {
			return err
		}
	} else if err != nil && g.Leave(t) {
		return err
	}
	_, err = t.Freed()
	return err
}
