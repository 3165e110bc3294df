package clock

import (
	"context"
	"errors"
	"time"
)

// ErrDeadline is returned by Waiter.Await if the due time comes before the signal.
var ErrDeadline = errors.New("due before the signal")

// Timestamp is an instant in wall time and in virtual time.
type Timestamp struct {
	wall    time.Duration // since the clock's start
	virtual time.Time
}

// Time returns the instant in virtual time.
func (t Timestamp) Time() time.Time { return t.virtual }

// Lasted returns the wall time since t.
func (c *Clock) Lasted(t Timestamp) time.Duration { return time.Since(c.start) - t.wall }

// Timestamp returns the current time.
func (c *Clock) Timestamp() Timestamp {
	wall, virtual := c.now()
	return Timestamp{wall.Sub(c.start), virtual}
}

// At returns t, of a clock with the same start, in the time of c. If c was set after t,
// At returns the time of c when it was set.
func (c *Clock) At(t Timestamp) Timestamp {
	c.settingMu.RLock()
	defer c.settingMu.RUnlock()
	wall := c.start.Add(t.wall)
	if c.setting != nil && wall.Before(c.setting.wall) {
		wall = c.setting.wall
	}
	return Timestamp{t.wall, c.setting.toVirtual(wall)}
}

// Waiter blocks the goroutine of one request. It is active from Clock.Waiter to
// Leave, except while Await blocks.
type Waiter struct {
	clock *Clock
	woken chan error // buffers the result of the wait, nil or ErrDeadline; nil before the first wait

	// Guarded by the clock's mutex while the waiter is parked, else used only by its goroutine.
	timer  Timer
	signal *Signal // the awaited signal; nil for none
	parked bool
}

// Waiter returns an active waiter. The caller calls Leave after use.
func (c *Clock) Waiter() *Waiter {
	c.Hold()
	w := &Waiter{clock: c}
	w.timer.Owner = (*deadline)(w)
	return w
}

// Leave ends the use of w. Its request has been answered.
func (w *Waiter) Leave() { w.clock.Release() }

// Signal ends one wait of one waiter.
type Signal struct {
	waiter *Waiter
	fired  bool
}

// Signal returns a signal for the waiter to await.
func (w *Waiter) Signal() *Signal { return &Signal{waiter: w} }

// Fire wakes the waiter if it awaits the signal; a later Await returns at once. The
// waiter is active before Fire returns.
func (s *Signal) Fire() {
	c := s.waiter.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	s.fired = true
	if s.waiter.signal == s {
		s.waiter.wake(nil)
	}
}

// Await returns nil once signal has fired. It returns ErrDeadline if due comes first, and
// context.Cause(ctx) if ctx is done first. The signal is one of w, or nil for none. A zero
// due never comes.
//
// A woken waiter does not take the clock's mutex: thousands may be due at once.
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
	if !w.parked { // woken at the same time
		return <-w.woken
	}
	w.dequeue()
	return context.Cause(ctx)
}

// enqueue parks the waiter. If there is nothing to wait for, it returns false and the
// result of Await.
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

// deadline is a Waiter as the owner of its timer.
type deadline Waiter

// Fire ends the wait, which is due.
func (d *deadline) Fire(bool) { (*Waiter)(d).wake(ErrDeadline) }
