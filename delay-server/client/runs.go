package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Runs returns the runs in the server's journal, most recently started first.
func (c *Client) Runs(ctx context.Context) (Runs, error) {
	var runs Runs
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs"}}, &runs)
	return runs, err
}

// Run returns the run as it is now. The error is [ProblemRunNotFound] if the
// journal has no request of it.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	var run Run
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs", id}}, &run)
	return run, err
}

// AwaitSettled returns the run once all its requests have ended. The error is
// [ProblemRunNotFound] if the journal has no request of it, or
// [ProblemWaitTimeout].
func (c *Client) AwaitSettled(ctx context.Context, id string) (Run, error) {
	var run Run
	err := c.await(ctx, []string{"runs", id}, url.Values{"settled": {"true"}}, &run)
	return run, err
}

// AwaitWaiting returns the run once at least n of its requests wait; n must be at
// least 1. The run need not have started. The error is [ProblemWaitTimeout] if
// fewer wait in time.
func (c *Client) AwaitWaiting(ctx context.Context, id string, n int) (Run, error) {
	var run Run
	err := c.await(ctx, []string{"runs", id}, waiting(n), &run)
	return run, err
}

func waiting(n int) url.Values { return url.Values{"waiting": {strconv.Itoa(n)}} }

// Waterfall returns the run drawn as text, with a bar for each request. The error
// is [ProblemRunNotFound] if the journal has no request of it.
func (c *Client) Waterfall(ctx context.Context, id string) (string, error) {
	var text string
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs", id, "waterfall.txt"}}, &text)
	return text, err
}

// ForgetRun forgets the run: its requests in the journal, its counts, its scenario, its
// clock, and its holds, barriers and pools. Requests in these holds and at these barriers
// are answered 503; others continue. The error is [ProblemRunNotFound] if there is nothing
// to forget.
func (c *Client) ForgetRun(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"runs", id}}, nil)
}

// ForgetRuns forgets all runs, as ForgetRun does, and the counts of requests without a
// run. There may be none.
func (c *Client) ForgetRuns(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"runs"}}, nil)
}
