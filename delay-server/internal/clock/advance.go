package clock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrRuns is returned by Clock.Advance of a clock that is not frozen.
var ErrRuns = errors.New("the clock runs, and only a frozen one can be advanced")

// RestError is returned by Clock.Advance where requests that are awake have not
// come to rest in time: the clock stands Left before the time that was asked for.
type RestError struct {
	Requests int
	Left     time.Duration
	Err      error // context.Cause
}

// Error says how far the clock has come.
func (e *RestError) Error() string {
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
func (e *RestError) Unwrap() error { return e.Err }

// Advance moves a frozen clock on by d. It stops at each time that a request is
// due at, wakes those of that time, and goes on once nobody is awake: each has
// left, or waits for something else. So each sees the very time that it asked
// for, and when Advance returns all that the time brings has been done.
// The error is ErrRuns, also where the clock is set running meanwhile, or a
// *RestError when ctx is done first.
func (c *Clock) Advance(ctx context.Context, d time.Duration) error {
	select {
	case c.advancing <- struct{}{}:
		defer func() { <-c.advancing }()
	case <-ctx.Done():
		return &RestError{Left: d, Err: context.Cause(ctx)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.Now().Add(d)
	for {
		if c.mode == nil || !c.mode.frozen {
			return ErrRuns
		}
		if c.awake.Load() == 0 {
			first := c.first()
			if first.IsZero() || first.After(until) {
				c.show(until)
				return nil
			}
			c.wake(first)
		}
		if err := c.changed.Wait(ctx, func() bool { return c.awake.Load() == 0 }); err != nil {
			n := max(1, int(c.awake.Load())) // the last may have left since
			return &RestError{n, until.Sub(c.Now()), err}
		}
	}
}

// wake shows the time at which the first of all are due, and wakes them.
func (c *Clock) wake(due time.Time) {
	c.show(due)
	c.wakeSleepers(due)
	for _, l := range c.lines {
		if !l.first.IsZero() && !l.first.After(due) {
			l.wake()
		}
	}
}

// show sets a frozen clock to a later time.
func (c *Clock) show(t time.Time) {
	if t.After(c.mode.here) {
		c.setting.Lock()
		c.mode.here = t
		c.setting.Unlock()
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
