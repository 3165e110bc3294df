package fetch

import (
	"context"
	"fmt"
	"time"
)

// Call is a slow call.
type Call struct {
	Name string

	// Do makes the call and returns the status of the response. It must return
	// soon after its context is done.
	Do func(context.Context) (status int, err error)
}

// Result is the outcome of a call that succeeded.
type Result struct {
	Name     string
	Status   int
	Start    time.Time
	Duration time.Duration
}

// Error is the failure of one call.
type Error struct {
	Call string // its name
	Err  error  // the error of its Do
}

// Error returns "call r2: …".
func (e *Error) Error() string { return fmt.Sprintf("call %s: %v", e.Call, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// do makes one call. If ctx ended the call, the error is the cause of ctx: the
// failure of another call, or a client that has left.
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
