package gate_test

import (
	"context"
	"errors"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// waiter is a Waiter with its clock.
type waiter struct {
	*clock.Waiter
	*clock.Clock

	run     string // of the request
	attempt int
}

func newWaiter(c *clock.Clock) *waiter { return &waiter{Waiter: c.Waiter(), Clock: c} }

func (w *waiter) ticket() *gate.Ticket {
	return &gate.Ticket{Waker: signalWaker{w.Signal()}, Run: w.run, Attempt: w.attempt}
}

// until blocks until due, or until ctx is done, and returns its cause then.
func (w *waiter) until(ctx context.Context, due time.Time) error {
	if err := w.Await(ctx, nil, due); !errors.Is(err, clock.ErrDeadline) {
		return err
	}
	return nil
}

// signalWaker wakes the goroutine that awaits the signal.
type signalWaker struct{ *clock.Signal }

func (w signalWaker) Wake() { w.Fire() }

// noWaker wakes nothing.
type noWaker struct{}

func (noWaker) Wake() {}

// block waits until t, which w.Signal wakes, is freed, or due comes, or ctx is done.
func block(ctx context.Context, w *waiter, t *gate.Ticket, due time.Time) error {
	return w.Await(ctx, t.Waker.(signalWaker).Signal, due)
}

// enterHold enters the hold and blocks until the wait ends.
func enterHold(ctx context.Context, w *waiter, h *gate.Holds, spec gate.HoldSpec) error {
	t := w.ticket()
	h.Enter(t, spec)
	return end(t, block(ctx, w, t, w.Now().Add(spec.Timeout)), h)
}

// enterBarrier enters the barrier and blocks until the wait ends.
func enterBarrier(ctx context.Context, w *waiter, b *gate.Barriers, spec gate.BarrierSpec) error {
	t := w.ticket()
	if passed, err := b.Enter(t, spec); passed || err != nil {
		return err
	}
	return end(t, block(ctx, w, t, w.Now().Add(spec.Timeout)), b)
}

// end returns the result of t's wait, which block ended with err.
func end(t *gate.Ticket, err error, g interface {
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
	freed, err := t.Freed()
	if !freed {
		panic("the wait ended without a cause")
	}
	return err
}

// enterPool blocks until t has a worker of the pool. It returns a function that gives
// the worker back.
func enterPool(
	ctx context.Context, w *waiter, p *gate.Pools, spec gate.PoolSpec, service time.Duration,
) (leave func(), err error) {
	t := w.ticket()
	leave = func() { p.Leave(t, w.Now()) }
	admitted, err := p.Enter(t, spec, service, w.Now())
	if admitted || err != nil {
		return leave, err
	}
	if err := block(ctx, w, t, time.Time{}); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}
