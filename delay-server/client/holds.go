package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Holds returns the holds at which requests wait, by name.
func (c *Client) Holds(ctx context.Context) ([]Hold, error) {
	var holds Holds
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"holds"}}, &holds)
	return holds.Holds, err
}

// Hold returns how many requests wait at a hold: 0 for a name that is not in use.
func (c *Client) Hold(ctx context.Context, name string) (Hold, error) {
	var hold Hold
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"holds", name}}, &hold)
	return hold, err
}

// AwaitHeld returns the hold once n requests wait there, or more, for n of 1 or
// more. The error is a 504 where the time was not enough.
func (c *Client) AwaitHeld(ctx context.Context, name string, n int) (Hold, error) {
	var hold Hold
	err := c.await(ctx, []string{"holds", name}, waiting(n), &hold)
	return hold, err
}

// Release lets all requests at a hold go and returns how many they were. The
// error is a 404 where none was there.
func (c *Client) Release(ctx context.Context, name string) (released int, err error) {
	return c.release(ctx, name, nil)
}

// ReleaseN lets the n requests go that have been at a hold for longest, 1 or
// more, and returns n. The error is a 404 where none was there, and a 409 where
// there were fewer: then all stay.
func (c *Client) ReleaseN(ctx context.Context, name string, n int) (released int, err error) {
	return c.release(ctx, name, url.Values{"count": {strconv.Itoa(n)}})
}

func (c *Client) release(ctx context.Context, name string, count url.Values) (int, error) {
	var reply Released
	err := c.call(ctx, request{method: http.MethodPost, path: []string{"holds", name, "release"}, query: count}, &reply)
	return reply.Released, err
}

// FailHold has all requests at a hold answered 503 and returns how many they
// were. The error is a 404 where none was there.
func (c *Client) FailHold(ctx context.Context, name string) (failed int, err error) {
	var reply Failed
	err = c.call(ctx, request{method: http.MethodDelete, path: []string{"holds", name}}, &reply)
	return reply.Failed, err
}
