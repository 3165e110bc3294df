package client

import (
	"context"
	"net/http"
	"time"
)

// Clock returns the server's clock as it is now.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, request{method: http.MethodGet, path: []string{"clock"}}, &clock)
	return clock, err
}

// AwaitClock returns the clock once n requests wait for a time on it, or more,
// for n of 1 or more. The error is a 504 where the time was not enough.
func (c *Client) AwaitClock(ctx context.Context, n int) (Clock, error) {
	var clock Clock
	err := c.await(ctx, []string{"clock"}, waiting(n), &clock)
	return clock, err
}

// Advance moves a frozen clock on by d, above 0 and up to a year, and returns
// once what came due has been answered, in the order in which it was due. The
// error is a 409 where the clock runs, and a 504 where an answer takes 10 s of
// the machine's time.
func (c *Client) Advance(ctx context.Context, d time.Duration) (Clock, error) {
	return c.setClock(ctx, "advance", milliseconds(d))
}

// Freeze stops the clock: no wait for a time ends but by Advance.
func (c *Client) Freeze(ctx context.Context) (Clock, error) { return c.setClock(ctx, "freeze", true) }

// Unfreeze has the clock run on from where it stands.
func (c *Client) Unfreeze(ctx context.Context) (Clock, error) {
	return c.setClock(ctx, "freeze", false)
}

// Scale has each wait take scale times what was asked: 0.1 is ten times as
// fast. The error is a 400 where the server does not take that scale.
func (c *Client) Scale(ctx context.Context, scale float64) (Clock, error) {
	return c.setClock(ctx, "scale", scale)
}

// ResetClock has the clock run as it did when the server started.
func (c *Client) ResetClock(ctx context.Context) (Clock, error) {
	return c.setClock(ctx, "reset", true)
}

func (c *Client) setClock(ctx context.Context, field string, value any) (Clock, error) {
	var clock Clock
	err := c.call(ctx, request{method: http.MethodPost, path: []string{"clock"}, body: map[string]any{field: value}}, &clock)
	return clock, err
}
