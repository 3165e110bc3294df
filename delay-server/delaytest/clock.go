package delaytest

import (
	"context"
	"time"

	"flash.test/delay-server/client"
)

// A Clock controls a clock of the server, which times delays, timeouts and runs. It
// does not affect the code under test. Get it from [Server.Clock] or [Run.Clock].
type Clock struct {
	server  *Server
	control *client.ClockControl
}

// Clock returns the server's clock.
func (s *Server) Clock() *Clock { return &Clock{s, s.client.ServerClock()} }

// Clock returns the run's own clock, so that parallel tests can share a server. Freeze,
// Unfreeze, Scale and Reset create it, with the time of the server's clock; then only the
// run's requests wait on it, and the server's clock does not affect them. Call one of them
// before the run's first request. The run is forgotten when the test ends.
func (r *Run) Clock() *Clock {
	r.forgetAtEnd()
	return &Clock{r.server, r.server.client.RunClock(r.ID)}
}

// State returns the clock as it is now.
func (c *Clock) State() client.Clock {
	c.server.t.Helper()
	return must(c.server, c.control.State)
}

// Await returns once at least n requests wait for a time on the clock; n must be
// at least 1. A request at a barrier or in a hold waits for its timeout.
func (c *Clock) Await(n int) {
	c.server.t.Helper()
	must(c.server, func(ctx context.Context) (client.Clock, error) { return c.control.Await(ctx, n) })
}

// Freeze stops the clock. Time then passes only by [Clock.Advance].
func (c *Clock) Freeze() {
	c.server.t.Helper()
	must(c.server, c.control.Freeze)
}

// Unfreeze lets the clock continue from its current time.
func (c *Clock) Unfreeze() {
	c.server.t.Helper()
	must(c.server, c.control.Unfreeze)
}

// Advance moves a frozen clock forward by d, which must be positive. It returns
// once all requests due by then have been answered. Call [Clock.Await] before, so
// that the requests have arrived. Advance fails if the clock is not frozen.
func (c *Clock) Advance(d time.Duration) {
	c.server.t.Helper()
	must(c.server, func(ctx context.Context) (client.Clock, error) { return c.control.Advance(ctx, d) })
}

// Scale multiplies each wait by scale: 0.1 is ten times as fast.
func (c *Clock) Scale(scale float64) {
	c.server.t.Helper()
	must(c.server, func(ctx context.Context) (client.Clock, error) { return c.control.Scale(ctx, scale) })
}

// Reset unfreezes the clock and sets its scale to TIME_SCALE.
func (c *Clock) Reset() {
	c.server.t.Helper()
	must(c.server, c.control.Reset)
}
