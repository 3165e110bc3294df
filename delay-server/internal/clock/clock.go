// Package clock is where waiting happens: nothing else in the program sleeps.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and makes its callers wait.
type Clock interface {
	Now() time.Time

	// SleepUntil returns nil once due has come, never before it. It returns
	// context.Cause(ctx) at once when ctx is done first.
	SleepUntil(ctx context.Context, due time.Time) error
}

// Real is the machine's monotonic clock. The zero value is ready to use.
type Real struct{}

// Now returns time.Now().
func (Real) Now() time.Time { return time.Now() }

// SleepUntil implements Clock with one runtime timer.
func (Real) SleepUntil(ctx context.Context, due time.Time) error {
	wait := time.Until(due)
	if wait <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
