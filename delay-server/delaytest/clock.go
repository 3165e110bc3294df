package delaytest

import (
	"context"
	"time"

	"flash.test/delay-server/client"
)

// Clock is the clock that the server's waits, time-outs and runs go by: the
// machine's, until the test sets it. That of the code under test is another. Use
// Server.Clock.
type Clock struct{ server *Server }

// Clock returns the server's clock.
func (s *Server) Clock() *Clock { return &Clock{s} }

// State returns what the clock shows.
func (c *Clock) State() client.Clock {
	c.server.t.Helper()
	return ask(c.server, c.server.client.Clock)
}

// Await returns once n requests wait for a time on the clock, or more, for n of 1
// or more. Those at a barrier or a hold wait for its time-out.
func (c *Clock) Await(n int) {
	c.server.t.Helper()
	ask(c.server, func(ctx context.Context) (client.Clock, error) { return c.server.client.AwaitClock(ctx, n) })
}

// Freeze stops the clock: no time comes but by Advance.
func (c *Clock) Freeze() {
	c.server.t.Helper()
	ask(c.server, c.server.client.Freeze)
}

// Unfreeze has the clock run on from where it stands.
func (c *Clock) Unfreeze() {
	c.server.t.Helper()
	ask(c.server, c.server.client.Unfreeze)
}

// Advance moves the clock on by d, over 0, and returns once what came due by then
// has been answered. A request that has not arrived yet is not among it: Await it
// first. A clock that is not frozen is a failure.
func (c *Clock) Advance(d time.Duration) {
	c.server.t.Helper()
	ask(c.server, func(ctx context.Context) (client.Clock, error) { return c.server.client.Advance(ctx, d) })
}

// Scale has each wait last scale times what was asked: 0.1 is ten times as fast.
func (c *Clock) Scale(scale float64) {
	c.server.t.Helper()
	ask(c.server, func(ctx context.Context) (client.Clock, error) { return c.server.client.Scale(ctx, scale) })
}

// Reset has the clock run as it did at the start.
func (c *Clock) Reset() {
	c.server.t.Helper()
	ask(c.server, c.server.client.ResetClock)
}
