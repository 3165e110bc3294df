package clock

import (
	"context"
	"errors"
	"time"
)

// ErrDeadline is returned by Waiter.Await where the time came before the signal.
var ErrDeadline = errors.New("the time came before the signal")

// Timestamp is an instant on the machine's clock and on this one.
type Timestamp struct {
	wall    time.Duration // since the clock's start
	virtual time.Time
}

// Time returns the instant on the clock.
func (t Timestamp) Time() time.Time { return t.virtual }

// Lasted returns the wall time since t.
func (c *Clock) Lasted(t Timestamp) time.Duration { return time.Since(c.start) - t.wall }

// Timestamp returns the current time.
func (c *Clock) Timestamp() Timestamp {
	wall, virtual := c.now()
	return Timestamp{wall.Sub(c.start), virtual}
}

// Waiter blocks the goroutine of one request. It is active, but for the time that
// it blocks, from Clock.Waiter to Leave.
type Waiter struct {
	clock   *Clock
	arrived Timestamp
	woken   chan error // buffers the one result that ends a wait: nil or ErrDeadline; nil before the first wait

	// Guarded by the clock's mutex while the waiter is parked, its own otherwise.
	timer  Timer
	signal *Signal // that it awaits; nil for none
	parked bool
}

// Waiter returns an active waiter for a request that arrived then. The caller
// calls Leave after use.
func (c *Clock) Waiter(arrived Timestamp) *Waiter {
	c.Hold()
	w := &Waiter{clock: c, arrived: arrived}
	w.timer.Owner = (*deadline)(w)
	return w
}

// Now returns the time on the clock.
func (w *Waiter) Now() time.Time { return w.clock.Now() }

// Entered returns when the request arrived, by the clock.
func (w *Waiter) Entered() time.Time { return w.arrived.Time() }

// Lasted returns the wall time since the request arrived.
func (w *Waiter) Lasted() time.Duration { return w.clock.Lasted(w.arrived) }

// Leave says that the request has been answered.
func (w *Waiter) Leave() { w.clock.Release() }

// Until returns nil once due has come by the clock, never before it. It returns
// context.Cause(ctx) at once when ctx is done first.
func (w *Waiter) Until(ctx context.Context, due time.Time) error {
	if !w.clock.Now().Before(due) {
		return context.Cause(ctx)
	}
	if err := w.Await(ctx, nil, due); !errors.Is(err, ErrDeadline) {
		return err
	}
	return nil
}

// Signal ends one wait of one waiter.
type Signal struct {
	waiter *Waiter
	fired  bool
}

// Signal returns a signal for the waiter to await.
func (w *Waiter) Signal() *Signal { return &Signal{waiter: w} }

// Fire wakes the waiter, now or as soon as it awaits the signal. The waiter is
// active before Fire returns. Nothing happens where it no longer awaits the signal.
func (s *Signal) Fire() {
	c := s.waiter.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	s.fired = true
	if s.waiter.signal == s {
		s.waiter.wake(nil)
	}
}

// Await returns nil once the signal, which is of this waiter, has fired,
// ErrDeadline when due comes first, which a zero due never does, and
// context.Cause(ctx) when ctx is done first.
//
// A waiter that is woken goes on without the clock's mutex: of thousands that are
// due at once, each would wait for the others.
func (w *Waiter) Await(ctx context.Context, signal *Signal, due time.Time) error {
	if queued, err := w.enqueue(ctx, signal, due); !queued {
		return err
	}
	select {
	case err := <-w.woken:
		return err
	case <-ctx.Done():
	}
	w.clock.mu.Lock()
	defer w.clock.mu.Unlock()
	if !w.parked { // it was woken at the same time
		return <-w.woken
	}
	w.dequeue()
	return context.Cause(ctx)
}

// enqueue parks the waiter, or reports false and what Await returns at once.
func (w *Waiter) enqueue(ctx context.Context, signal *Signal, due time.Time) (queued bool, err error) {
	c := w.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case signal != nil && signal.fired:
		return false, nil
	case !due.IsZero() && !c.Now().Before(due):
		return false, ErrDeadline
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	w.parked, w.signal = true, signal
	if w.woken == nil {
		w.woken = make(chan error, 1)
	}
	c.timers.set(&w.timer, due)
	if w.timer.index == 1 {
		c.setTimer(c.Now())
	}
	c.active.Add(-1)
	c.changed.Broadcast()
	return true, nil
}

// dequeue makes the waiter active.
func (w *Waiter) dequeue() {
	w.parked, w.signal = false, nil
	w.clock.active.Add(1)
	w.clock.timers.remove(&w.timer)
}

// wake ends a wait with err.
func (w *Waiter) wake(err error) {
	if w.parked {
		w.dequeue()
		w.woken <- err
	}
}

// deadline is the Waiter as the owner of its timer.
type deadline Waiter

// Fire ends the wait: it is due.
func (d *deadline) Fire(bool) { (*Waiter)(d).wake(ErrDeadline) }
