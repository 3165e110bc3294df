// Package fetch makes the same calls in two ways: one after another, which
// takes the sum of their times, or all at once, which takes the time of the
// slowest.
package fetch

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Sequential makes the calls one after another. It returns their results in the
// order of calls, or the first error: an *Error, or the cause of ctx once ctx is
// done. It makes no more calls after an error.
func Sequential(ctx context.Context, calls []Call) ([]Result, error) {
	results := make([]Result, len(calls))
	for i, call := range calls {
		result, err := do(ctx, call)
		if err != nil {
			return nil, err
		}
		results[i] = result
	}
	return results, nil
}

// Concurrent makes the calls all at once, or at most limit at once if limit is
// not 0. It returns what Sequential returns. The first error cancels the other
// calls; Concurrent waits until they have ended.
func Concurrent(ctx context.Context, calls []Call, limit int) ([]Result, error) {
	group, ctx := errgroup.WithContext(ctx)
	if limit != 0 {
		group.SetLimit(limit)
	}
	results := make([]Result, len(calls))
	for i, call := range calls {
		group.Go(func() error {
			result, err := do(ctx, call)
			results[i] = result
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}
