package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Runs returns the runs that the server remembers, the most recently begun first.
func (c *Client) Runs(ctx context.Context) (Runs, error) {
	var runs Runs
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs"}}, &runs)
	return runs, err
}

// Run returns the run of an id as it is now. The error is a 404 where no
// request of it is remembered.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	var run Run
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs", id}}, &run)
	return run, err
}

// AwaitSettled returns the run once all its requests have ended. The error is a
// 404 where no request of it is remembered, and a 504 where the time was not
// enough.
func (c *Client) AwaitSettled(ctx context.Context, id string) (Run, error) {
	var run Run
	err := c.await(ctx, []string{"runs", id}, url.Values{"settled": {"true"}}, &run)
	return run, err
}

// AwaitWaiting returns the run, which need not have begun, once n of its
// requests wait, or more, for n of 1 or more. The error is a 504 where the time
// was not enough.
func (c *Client) AwaitWaiting(ctx context.Context, id string, n int) (Run, error) {
	var run Run
	err := c.await(ctx, []string{"runs", id}, waiting(n), &run)
	return run, err
}

func waiting(n int) url.Values { return url.Values{"waiting": {strconv.Itoa(n)}} }

// Waterfall returns the run drawn as text, a bar for each request. The error is
// a 404 where no request of it is remembered.
func (c *Client) Waterfall(ctx context.Context, id string) (string, error) {
	var text string
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"runs", id, "waterfall.txt"}}, &text)
	return text, err
}

// ForgetRun forgets a run; its requests in flight go on. The error is a 404
// where no request of it is remembered.
func (c *Client) ForgetRun(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"runs", id}}, nil)
}

// ForgetRuns forgets all runs; their requests in flight go on.
func (c *Client) ForgetRuns(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"runs"}}, nil)
}
