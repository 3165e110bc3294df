package delaytest

import (
	"context"
	"net/url"

	"flash.test/delay-server/client"
)

// A Hold keeps requests waiting until the test releases them. Get it from
// [Server.Hold].
type Hold struct {
	// URL is where requests wait. A request that is not released is answered 504
	// after MAX_DELAY on the server's clock.
	URL string

	name   string
	server *Server
}

// Hold returns the hold with the given name.
func (s *Server) Hold(name string) *Hold {
	return &Hold{URL: s.URL + "/hold/" + url.PathEscape(name), name: name, server: s}
}

// Await returns once at least n requests are held; n must be at least 1.
func (h *Hold) Await(n int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (client.Hold, error) {
		return h.server.client.AwaitHeld(ctx, h.name, n)
	})
}

// Release answers all held requests and returns their number. It fails if there
// are none: call [Hold.Await] before.
func (h *Hold) Release() int {
	h.server.t.Helper()
	return must(h.server, func(ctx context.Context) (int, error) { return h.server.client.Release(ctx, h.name) })
}

// ReleaseN answers the n requests that have been held longest. It fails if there
// are fewer.
func (h *Hold) ReleaseN(n int) {
	h.server.t.Helper()
	must(h.server, func(ctx context.Context) (int, error) { return h.server.client.ReleaseN(ctx, h.name, n) })
}

// Fail answers all held requests with 503, [client.ProblemHoldFailed], and returns
// their number. It fails if there are none.
func (h *Hold) Fail() int {
	h.server.t.Helper()
	return must(h.server, func(ctx context.Context) (int, error) { return h.server.client.FailHold(ctx, h.name) })
}
