package clock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrNotFrozen is returned by Clock.Advance if the clock is not frozen.
var ErrNotFrozen = errors.New("clock is not frozen")

// ErrOutOfRange is returned by Clock.Advance if the elapsed virtual time would not
// fit in a time.Duration.
var ErrOutOfRange = errors.New("clock cannot be advanced by more than 292 years in all")

// AdvanceTimeoutError is returned by Clock.Advance if its context is done while
// requests are active.
type AdvanceTimeoutError struct {
	Requests int           // active requests; 0 while another Advance runs
	Left     time.Duration // from the clock's current time to the target
	Err      error         // context.Cause
}

// Error says how much is left and why.
func (e *AdvanceTimeoutError) Error() string {
	why := "another advance is running"
	switch {
	case e.Requests == 1:
		why = "1 request is still being answered (does its client read?)"
	case e.Requests > 1:
		why = fmt.Sprintf("%d requests are still being answered (do their clients read?)", e.Requests)
	}
	return fmt.Sprintf("clock not advanced by the last %v: %s: %v", e.Left, why, e.Err)
}

// Unwrap returns Err.
func (e *AdvanceTimeoutError) Unwrap() error { return e.Err }

// Advance moves a frozen clock forward by d. It stops at each due time, wakes the due
// waiters and queues, and continues once all are parked again. So each request sees
// exactly its due time, and all effects are visible when Advance returns. The error is
// ErrOutOfRange, ErrNotFrozen, or an *AdvanceTimeoutError if ctx is done first. A
// concurrent Unfreeze also ends it with ErrNotFrozen.
func (c *Clock) Advance(ctx context.Context, d time.Duration) error {
	select {
	case c.advancing <- struct{}{}:
		defer func() { <-c.advancing }()
	case <-ctx.Done():
		return &AdvanceTimeoutError{Left: d, Err: context.Cause(ctx)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	target := c.Now().Add(d)
	if target.Sub(c.start) == math.MaxInt64 { // Sub saturates
		return ErrOutOfRange
	}
	for {
		if c.setting == nil || !c.setting.frozen {
			return ErrNotFrozen
		}
		if c.active.Load() == 0 {
			first := c.first()
			if first.IsZero() || first.After(target) {
				c.setNow(target)
				return nil
			}
			c.advanceTo(first)
		}
		if err := c.changed.Wait(ctx, func() bool { return c.active.Load() == 0 }); err != nil {
			n := max(1, int(c.active.Load())) // the last may have parked since
			return &AdvanceTimeoutError{n, target.Sub(c.Now()), err}
		}
	}
}

// advanceTo sets the clock to due, the first due time, and wakes all that are due then.
func (c *Clock) advanceTo(due time.Time) {
	c.setNow(due)
	c.fireWaiters(due)
	for _, q := range c.queues {
		if !q.first.IsZero() && !q.first.After(due) {
			q.ring()
		}
	}
}

// setNow sets a frozen clock to a later time.
func (c *Clock) setNow(t time.Time) {
	if t.After(c.setting.virtual) {
		c.settingMu.Lock()
		c.setting.virtual = t
		c.settingMu.Unlock()
		c.changed.Broadcast()
	}
}

// AwaitWaiting returns the state once at least n requests wait for a time on the
// clock. If ctx is done first, the error is context.Cause(ctx).
func (c *Clock) AwaitWaiting(ctx context.Context, n int) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.changed.Wait(ctx, func() bool { return c.waiting() >= n })
	return c.state(), err
}
