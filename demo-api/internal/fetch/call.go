package fetch

import (
	"context"
	"fmt"
	"time"
)

// Call is something slow to ask for.
type Call struct {
	Name string

	// Do asks and returns the status of the answer. It must return soon after
	// its context is done.
	Do func(context.Context) (status int, err error)
}

// Result is what became of one call that was answered.
type Result struct {
	Name     string
	Status   int
	Start    time.Time
	Duration time.Duration
}

// Error is the failure of one call: Sequential and Concurrent return the first.
type Error struct {
	Call string // its name
	Err  error  // what its Do returned
}

// Error returns "call r2: …".
func (e *Error) Error() string { return fmt.Sprintf("call %s: %v", e.Call, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// do makes one call. The error of a call that ctx ended is ctx's cause, which
// says more than the call can: another call's failure, or a client that left.
func do(ctx context.Context, call Call) (Result, error) {
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	start := time.Now()
	status, err := call.Do(ctx)
	switch {
	case err == nil:
		return Result{Name: call.Name, Status: status, Start: start, Duration: time.Since(start)}, nil
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	default:
		return Result{}, &Error{Call: call.Name, Err: err}
	}
}
