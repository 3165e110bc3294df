// Package fetch is the lesson: the same calls made one after another, which
// takes the sum of their times, and all at once, which takes the time of the
// slowest.
package fetch

import (
	"context"
	"sync"
)

// Sequential makes the calls one after another. It returns a result for each
// call, in the order of calls, or the first failure: a *Error that names the
// call, or ctx's cause once ctx is done. Calls after a failure are not made.
func Sequential(ctx context.Context, calls []Call) ([]Result, error) {
	results := make([]Result, len(calls))
	for i, call := range calls {
		var err error
		if results[i], err = do(ctx, call); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// Concurrent makes the calls all at once, or at most limit at once where limit
// is not 0; a negative limit panics. It returns what Sequential does. The first
// failure cancels the other calls, and all have ended when it returns.
func Concurrent(ctx context.Context, calls []Call, limit int) ([]Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if limit == 0 {
		limit = len(calls)
	}
	slots := make(chan struct{}, limit)
	results := make([]Result, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		slots <- struct{}{} // blocks while limit calls are in flight
		all.Go(func() {
			defer func() { <-slots }()
			var err error
			if results[i], err = do(ctx, call); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return results, nil
}
