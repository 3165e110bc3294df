package delaytest

import (
	"context"
	"net/url"

	"flash.test/delay-server/client"
)

// A Hold keeps requests waiting until the test releases them. Get it from
// [Server.Hold] or [Run.Hold].
type Hold struct {
	// URL is where requests wait. A request that is not released is answered 504
	// after MAX_DELAY on the server's clock.
	URL string

	server  *Server
	control *client.HoldControl
}

// Hold returns the hold with the given name. All tests of the server share it.
func (s *Server) Hold(name string) *Hold {
	return &Hold{URL: s.URL + "/hold/" + url.PathEscape(name), server: s, control: s.client.ServerHold(name)}
}

// Hold returns the hold with the given name that belongs to the run: parallel tests with
// equal names do not meet. The run is forgotten when the test ends, which fails requests
// that are still held.
func (r *Run) Hold(name string) *Hold {
	r.forgetAtEnd()
	h := r.server.Hold("run:" + name)
	return &Hold{URL: r.URL(h.URL), server: r.server, control: r.server.client.RunHold(r.ID, name)}
}

// Await returns once at least n requests are held; n must be at least 1.
func (h *Hold) Await(n int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (client.Hold, error) { return h.control.Await(ctx, n) })
}

// Release answers all held requests and returns their number. It fails if there
// are none: call [Hold.Await] before.
func (h *Hold) Release() int {
	h.server.t.Helper()
	return must(h.server, h.control.Release)
}

// ReleaseN answers the n requests that have been held longest. It fails if there
// are fewer.
func (h *Hold) ReleaseN(n int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (int, error) { return h.control.ReleaseN(ctx, n) })
}

// ReleaseNewest answers the n requests that arrived last, such as a hedge that must win.
// It fails if there are fewer.
func (h *Hold) ReleaseNewest(n int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (int, error) { return h.control.ReleaseNewest(ctx, n) })
}

// ReleaseNth answers one request, the nth in order of arrival. It fails if there are fewer.
func (h *Hold) ReleaseNth(nth int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (int, error) { return h.control.ReleaseNth(ctx, nth) })
}

// ReleaseAttempt answers the held requests with the attempt, as [client.Wait] has it, and
// returns their number. It fails if there are none.
func (h *Hold) ReleaseAttempt(attempt int) int {
	h.server.t.Helper()
	return must(h.server, func(ctx context.Context) (int, error) { return h.control.ReleaseAttempt(ctx, attempt) })
}

// Fail answers all held requests with 503, [client.ProblemHoldFailed], and returns
// their number. It fails if there are none.
func (h *Hold) Fail() int {
	h.server.t.Helper()
	return must(h.server, h.control.Fail)
}
