package delaytest

import (
	"context"
	"net/url"

	"flash.test/delay-server/client"
)

// Hold is a place where requests wait until the test lets them go. Use
// Server.Hold.
type Hold struct {
	// URL is answered once the request is released, or 504 after MAX_DELAY of
	// the server's clock.
	URL string

	name   string
	server *Server
}

// Hold returns the hold of a name.
func (s *Server) Hold(name string) *Hold {
	return &Hold{URL: s.URL + "/hold/" + url.PathEscape(name), name: name, server: s}
}

// Await returns once n requests are held, or more, for n of 1 or more.
func (h *Hold) Await(n int) {
	h.server.t.Helper()
	ask(h.server, func(ctx context.Context) (client.Hold, error) { return h.server.client.AwaitHeld(ctx, h.name, n) })
}

// Release lets all go that are held, and returns how many they were. None is a
// failure: Await them first.
func (h *Hold) Release() int {
	h.server.t.Helper()
	return ask(h.server, func(ctx context.Context) (int, error) { return h.server.client.Release(ctx, h.name) })
}

// ReleaseN lets those n go that have been held for longest. Fewer is a failure.
func (h *Hold) ReleaseN(n int) {
	h.server.t.Helper()
	ask(h.server, func(ctx context.Context) (int, error) { return h.server.client.ReleaseN(ctx, h.name, n) })
}

// Fail has all that are held answered 503, and returns how many they were. None
// is a failure.
func (h *Hold) Fail() int {
	h.server.t.Helper()
	return ask(h.server, func(ctx context.Context) (int, error) { return h.server.client.FailHold(ctx, h.name) })
}
