package clock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrNotFrozen is returned by Clock.Advance where the clock is not frozen.
var ErrNotFrozen = errors.New("the clock runs, and only a frozen one can be advanced")

// ErrOutOfRange is returned by Clock.Advance where the clock would be further
// from its start than a time.Duration can tell.
var ErrOutOfRange = errors.New("the clock can be advanced by 292 years in all")

// AdvanceTimeoutError is returned by Clock.Advance where requests were still
// active when its context was done. The clock is Left before its target.
type AdvanceTimeoutError struct {
	Requests int
	Left     time.Duration
	Err      error // context.Cause
}

// Error says how far the clock has come.
func (e *AdvanceTimeoutError) Error() string {
	why := "another advance goes on"
	switch {
	case e.Requests == 1:
		why = "1 request is still being answered (does its client read?)"
	case e.Requests > 1:
		why = fmt.Sprintf("%d requests are still being answered (do their clients read?)", e.Requests)
	}
	return fmt.Sprintf("the clock stands %v before the time that was asked for: %s: %v", e.Left, why, e.Err)
}

// Unwrap returns the context's cause.
func (e *AdvanceTimeoutError) Unwrap() error { return e.Err }

// Advance moves a frozen clock on by d. It stops at each due time, fires what is
// due, and goes on once nothing is active. So each request sees the very time
// that it asked for, and when Advance returns all that the time brings has been
// done. The error is ErrOutOfRange, ErrNotFrozen, also where the clock is set
// running meanwhile, or an *AdvanceTimeoutError when ctx is done first.
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
	if target.Sub(c.start) == math.MaxInt64 { // what Sub returns for more, too
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
			n := max(1, int(c.active.Load())) // the last may have left since
			return &AdvanceTimeoutError{n, target.Sub(c.Now()), err}
		}
	}
}

// advanceTo sets the clock to the first due time and wakes what is due.
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

// AwaitWaiting returns once n requests or more wait for a time on the clock, or
// context.Cause(ctx) when ctx is done first, and the state of then.
func (c *Clock) AwaitWaiting(ctx context.Context, n int) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.changed.Wait(ctx, func() bool { return c.waiting() >= n })
	return c.state(), err
}
