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

// AwaitClock returns the clock once at least n requests wait for a time on it; n
// must be at least 1. A request in a hold or at a barrier waits for its timeout.
// The error is [ProblemWaitTimeout] if fewer wait in time.
func (c *Client) AwaitClock(ctx context.Context, n int) (Clock, error) {
	var clock Clock
	err := c.await(ctx, []string{"clock"}, waiting(n), &clock)
	return clock, err
}

// Advance moves a frozen clock forward by d, above 0 and at most 8760 h (a year).
// It returns once all requests due by then have been answered, in the order of
// their times. The error is [ProblemClockNotFrozen] if the clock runs,
// [ProblemAdvanceOutOfRange] if it would be over 292 years ahead, or
// [ProblemWaitTimeout] if an answer takes more than 10 s of real time.
func (c *Client) Advance(ctx context.Context, d time.Duration) (Clock, error) {
	return c.setClock(ctx, "advance", milliseconds(d))
}

// Freeze stops the clock. Waits for a time then end only by [Client.Advance].
func (c *Client) Freeze(ctx context.Context) (Clock, error) { return c.setClock(ctx, "freeze", true) }

// Unfreeze lets the clock continue from its current time.
func (c *Client) Unfreeze(ctx context.Context) (Clock, error) {
	return c.setClock(ctx, "freeze", false)
}

// Scale multiplies each wait by scale: 0.1 is ten times as fast. The error is
// [ProblemInvalidBody] if the server does not support scale.
func (c *Client) Scale(ctx context.Context, scale float64) (Clock, error) {
	return c.setClock(ctx, "scale", scale)
}

// ResetClock unfreezes the clock and restores the server's TIME_SCALE.
func (c *Client) ResetClock(ctx context.Context) (Clock, error) {
	return c.setClock(ctx, "reset", true)
}

func (c *Client) setClock(ctx context.Context, field string, value any) (Clock, error) {
	var clock Clock
	command := map[string]any{field: value}
	err := c.call(ctx, request{method: http.MethodPost, path: []string{"clock"}, body: command}, &clock)
	return clock, err
}
