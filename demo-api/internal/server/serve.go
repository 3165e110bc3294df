package server

import (
	"context"
	"net"
)

// maxStreams is the maximum number of concurrent requests on one HTTP/2
// connection: the default of net/http.
const maxStreams = 250

// Serve serves the connections of all lns until ctx is done. It then serves for
// another SHUTDOWN_DELAY, while /readyz returns 503, and drains: it stops
// accepting, waits up to SHUTDOWN_TIMEOUT for requests to finish, responds to the
// others with 503 and logs their number. It speaks HTTP/1.1 and, without TLS,
// HTTP/2. It closes lns. It returns nil after a drain, or the error of Accept.
func (s *Server) Serve(ctx context.Context, lns ...net.Listener) error {
	h := s.options.HTTP.HTTP(s.Handler(), s.log)
	h.MaxStreams = maxStreams
	h.Waiting = func() int { return int(s.waiting.Load()) }
	h.NotReady = func() { s.draining.Store(true) }
	h.Draining = func() {}
	h.ShutdownCause = errShutdown
	return h.Serve(ctx, lns...)
}
