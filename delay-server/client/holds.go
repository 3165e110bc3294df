package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Holds returns the holds in which requests wait, sorted by name.
func (c *Client) Holds(ctx context.Context) ([]Hold, error) {
	var holds Holds
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"holds"}}, &holds)
	return holds.Holds, err
}

// Hold returns the hold as it is now. A hold in which no request waits is no
// error: its Waiting is 0.
func (c *Client) Hold(ctx context.Context, name string) (Hold, error) {
	var hold Hold
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"holds", name}}, &hold)
	return hold, err
}

// AwaitHeld returns the hold once at least n requests wait in it; n must be at
// least 1. The error is [ProblemWaitTimeout] if fewer wait in time.
func (c *Client) AwaitHeld(ctx context.Context, name string, n int) (Hold, error) {
	var hold Hold
	err := c.await(ctx, []string{"holds", name}, waiting(n), &hold)
	return hold, err
}

// Release answers all requests in the hold and returns their number. The error is
// [ProblemHoldNotFound] if it has none.
func (c *Client) Release(ctx context.Context, name string) (released int, err error) {
	return c.release(ctx, name, nil)
}

// ReleaseN answers the n requests that have been in the hold longest, and returns
// n, which must be at least 1. If the hold has fewer, none is answered and the
// error is [ProblemTooFewHeld], or [ProblemHoldNotFound] if it has none.
func (c *Client) ReleaseN(ctx context.Context, name string, n int) (released int, err error) {
	return c.release(ctx, name, url.Values{"count": {strconv.Itoa(n)}})
}

func (c *Client) release(ctx context.Context, name string, count url.Values) (int, error) {
	var reply Released
	err := c.call(ctx, request{method: http.MethodPost, path: []string{"holds", name, "release"}, query: count}, &reply)
	return reply.Released, err
}

// FailHold answers all requests in the hold with 503, [ProblemHoldFailed], and
// returns their number. The error is [ProblemHoldNotFound] if it has none.
func (c *Client) FailHold(ctx context.Context, name string) (failed int, err error) {
	var reply Failed
	err = c.call(ctx, request{method: http.MethodDelete, path: []string{"holds", name}}, &reply)
	return reply.Failed, err
}
