package client

import (
	"context"
	"maps"
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

// Hold is [HoldControl.State] of the server's hold with the name.
func (c *Client) Hold(ctx context.Context, name string) (Hold, error) {
	return c.ServerHold(name).State(ctx)
}

// AwaitHeld is [HoldControl.Await] of the server's hold with the name.
func (c *Client) AwaitHeld(ctx context.Context, name string, n int) (Hold, error) {
	return c.ServerHold(name).Await(ctx, n)
}

// Release is [HoldControl.Release] of the server's hold with the name.
func (c *Client) Release(ctx context.Context, name string) (released int, err error) {
	return c.ServerHold(name).Release(ctx)
}

// ReleaseN is [HoldControl.ReleaseN] of the server's hold with the name.
func (c *Client) ReleaseN(ctx context.Context, name string, n int) (released int, err error) {
	return c.ServerHold(name).ReleaseN(ctx, n)
}

// FailHold is [HoldControl.Fail] of the server's hold with the name.
func (c *Client) FailHold(ctx context.Context, name string) (failed int, err error) {
	return c.ServerHold(name).Fail(ctx)
}

// A HoldControl controls one hold: one of the server, or one that belongs to a run. Get it
// from [Client.ServerHold] or [Client.RunHold].
type HoldControl struct {
	client *Client
	name   string
	run    url.Values // nil for a hold of the server
}

// ServerHold returns the control of the hold at /hold/{name}, which all runs share.
func (c *Client) ServerHold(name string) *HoldControl { return &HoldControl{client: c, name: name} }

// RunHold returns the control of the run's hold at /hold/run:{name}. Equal names of two
// runs are two holds. Forgetting the run fails its requests there.
func (c *Client) RunHold(run, name string) *HoldControl {
	return &HoldControl{c, "run:" + name, url.Values{"run": {run}}}
}

// State returns the hold as it is now. A hold in which no request waits is no error: its
// Waiting is 0.
func (h *HoldControl) State(ctx context.Context) (Hold, error) {
	var hold Hold
	err := h.call(ctx, http.MethodGet, nil, &hold)
	return hold, err
}

// Await returns the hold once at least n requests wait in it; n must be at least 1. The
// error is [ProblemWaitTimeout] if fewer wait in time.
func (h *HoldControl) Await(ctx context.Context, n int) (Hold, error) {
	var hold Hold
	query := waiting(n)
	maps.Copy(query, h.run)
	err := h.client.await(ctx, []string{"holds", h.name}, query, &hold)
	return hold, err
}

// Release answers all requests in the hold and returns their number. The error is
// [ProblemHoldNotFound] if it has none.
func (h *HoldControl) Release(ctx context.Context) (released int, err error) {
	return h.release(ctx, url.Values{})
}

// ReleaseN answers the n requests that have been in the hold longest, and returns n,
// which must be at least 1. If the hold has fewer, none is answered and the error is
// [ProblemTooFewHeld], or [ProblemHoldNotFound] if it has none.
func (h *HoldControl) ReleaseN(ctx context.Context, n int) (released int, err error) {
	return h.release(ctx, url.Values{"count": {strconv.Itoa(n)}})
}

// ReleaseNewest is like [HoldControl.ReleaseN] for the n requests that arrived last.
func (h *HoldControl) ReleaseNewest(ctx context.Context, n int) (released int, err error) {
	return h.release(ctx, url.Values{"order": {"newest"}, "count": {strconv.Itoa(n)}})
}

// ReleaseNth answers one request, the nth in order of arrival, and returns 1; nth must be
// at least 1. The errors are like [HoldControl.ReleaseN]'s.
func (h *HoldControl) ReleaseNth(ctx context.Context, nth int) (released int, err error) {
	return h.release(ctx, url.Values{"nth": {strconv.Itoa(nth)}})
}

// ReleaseAttempt answers the requests in the hold with the [Wait.Attempt], and returns
// their number. The error is [ProblemTooFewHeld] if there are none, or
// [ProblemHoldNotFound] if no request is in the hold.
func (h *HoldControl) ReleaseAttempt(ctx context.Context, attempt int) (released int, err error) {
	return h.release(ctx, url.Values{"attempt": {strconv.Itoa(attempt)}})
}

func (h *HoldControl) release(ctx context.Context, query url.Values) (int, error) {
	var reply Released
	err := h.call(ctx, http.MethodPost, query, &reply, "release")
	return reply.Released, err
}

// Fail answers all requests in the hold with 503, [ProblemHoldFailed], and returns their
// number. The error is [ProblemHoldNotFound] if it has none.
func (h *HoldControl) Fail(ctx context.Context) (failed int, err error) {
	var reply Failed
	err = h.call(ctx, http.MethodDelete, nil, &reply)
	return reply.Failed, err
}

// call sends a request to the hold's path, with more segments.
func (h *HoldControl) call(ctx context.Context, method string, query url.Values, into any, more ...string) error {
	all := url.Values{}
	maps.Copy(all, h.run)
	maps.Copy(all, query)
	path := append([]string{"holds", h.name}, more...)
	return h.client.call(ctx, request{method: method, path: path, query: all}, into)
}
