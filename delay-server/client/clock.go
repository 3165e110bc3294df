package client

import (
	"context"
	"net/http"
	"time"
)

// Clock returns the server's clock as it is now.
func (c *Client) Clock(ctx context.Context) (Clock, error) { return c.ServerClock().State(ctx) }

// AwaitClock is [ClockControl.Await] of the server's clock.
func (c *Client) AwaitClock(ctx context.Context, n int) (Clock, error) {
	return c.ServerClock().Await(ctx, n)
}

// Advance is [ClockControl.Advance] of the server's clock.
func (c *Client) Advance(ctx context.Context, d time.Duration) (Clock, error) {
	return c.ServerClock().Advance(ctx, d)
}

// Freeze is [ClockControl.Freeze] of the server's clock.
func (c *Client) Freeze(ctx context.Context) (Clock, error) { return c.ServerClock().Freeze(ctx) }

// Unfreeze is [ClockControl.Unfreeze] of the server's clock.
func (c *Client) Unfreeze(ctx context.Context) (Clock, error) { return c.ServerClock().Unfreeze(ctx) }

// Scale is [ClockControl.Scale] of the server's clock.
func (c *Client) Scale(ctx context.Context, scale float64) (Clock, error) {
	return c.ServerClock().Scale(ctx, scale)
}

// ResetClock is [ClockControl.Reset] of the server's clock.
func (c *Client) ResetClock(ctx context.Context) (Clock, error) { return c.ServerClock().Reset(ctx) }

// A ClockControl sets one clock: the server's, or a run's own. Get it from
// [Client.ServerClock] or [Client.RunClock].
type ClockControl struct {
	client *Client
	path   []string
}

// ServerClock returns the control of the server's clock. Requests wait on it unless
// their run has its own clock.
func (c *Client) ServerClock() *ClockControl { return &ClockControl{c, []string{"clock"}} }

// RunClock returns the control of a clock for this run alone. The first Freeze,
// Unfreeze, Scale or Reset makes the clock, with the time of the server's clock. From
// then on the run's requests wait on it, and changes of one clock do not affect the
// other. Forgetting the run drops the clock. Requests that wait on it continue, unfrozen,
// at the scale of the server's clock.
//
// Make the clock before the run's requests: the error is [ProblemRunInFlight] while
// any of them wait, and [ProblemTooManyRunClocks] if 1000 runs have clocks. Until it is
// made, the error of State, Await and Advance is [ProblemRunClockNotFound].
func (c *Client) RunClock(run string) *ClockControl {
	return &ClockControl{c, []string{"runs", run, "clock"}}
}

// State returns the clock as it is now.
func (k *ClockControl) State(ctx context.Context) (Clock, error) {
	var clock Clock
	err := k.client.call(ctx, request{method: http.MethodGet, path: k.path}, &clock)
	return clock, err
}

// Await returns the clock once at least n requests wait for a time on it; n must be
// at least 1. A request in a hold or at a barrier waits for its timeout. The error is
// [ProblemWaitTimeout] if fewer wait in time.
func (k *ClockControl) Await(ctx context.Context, n int) (Clock, error) {
	var clock Clock
	err := k.client.await(ctx, k.path, waiting(n), &clock)
	return clock, err
}

// Advance moves a frozen clock forward by d, above 0 and at most 8760 h (a year).
// It returns once all requests due by then have been answered, in the order of
// their times. The error is [ProblemClockNotFrozen] if the clock runs,
// [ProblemAdvanceOutOfRange] if it would be over 292 years ahead, or
// [ProblemWaitTimeout] if an answer takes more than 10 s of real time.
func (k *ClockControl) Advance(ctx context.Context, d time.Duration) (Clock, error) {
	return k.set(ctx, "advance", milliseconds(d))
}

// Freeze stops the clock. Waits for a time then end only by [ClockControl.Advance].
func (k *ClockControl) Freeze(ctx context.Context) (Clock, error) { return k.set(ctx, "freeze", true) }

// Unfreeze lets the clock continue from its current time.
func (k *ClockControl) Unfreeze(ctx context.Context) (Clock, error) {
	return k.set(ctx, "freeze", false)
}

// Scale multiplies each wait by scale: 0.1 is ten times as fast. The error is
// [ProblemInvalidBody] if the server does not support scale.
func (k *ClockControl) Scale(ctx context.Context, scale float64) (Clock, error) {
	return k.set(ctx, "scale", scale)
}

// Reset unfreezes the clock and sets its scale to TIME_SCALE.
func (k *ClockControl) Reset(ctx context.Context) (Clock, error) { return k.set(ctx, "reset", true) }

func (k *ClockControl) set(ctx context.Context, field string, value any) (Clock, error) {
	var clock Clock
	command := map[string]any{field: value}
	err := k.client.call(ctx, request{method: http.MethodPost, path: k.path, body: command}, &clock)
	return clock, err
}
