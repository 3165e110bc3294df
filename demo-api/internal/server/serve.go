package server

import (
	"context"
	"net"
	"net/http"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// errCut is the cause with which a shutdown ends the requests that are left.
var errCut = problem.New(http.StatusServiceUnavailable, "the server is shutting down and ended this request's calls before their time")

// maxStreams is how many requests one connection of HTTP/2 may have at once: as
// many as net/http's own default.
const maxStreams = 250

// Serve answers the connections of all lns until ctx is done. It then serves on
// for Options.ShutdownDelay, while /readyz answers 503, and drains: it stops
// accepting, lets requests finish up to Options.ShutdownTimeout, answers those
// left 503, logs how many that were, and returns nil. It speaks HTTP/1.1 and,
// without TLS, HTTP/2. It closes lns. An error is from accepting.
func (s *Server) Serve(ctx context.Context, lns ...net.Listener) error {
	return program.HTTP{
		Handler:           s.Handler(),
		Log:               s.log,
		ReadHeaderTimeout: s.options.ReadTimeout,
		IdleTimeout:       s.options.IdleTimeout,
		WriteTimeout:      s.options.WriteTimeout,
		MaxHeaderSize:     s.options.MaxHeaderSize,
		MaxStreams:        maxStreams,
		ShutdownDelay:     s.options.ShutdownDelay,
		ShutdownTimeout:   s.options.ShutdownTimeout,
		Waiting:           func() int { return int(s.waiting.Load()) },
		NotReady:          func() { s.draining.Store(true) },
		Draining:          func() {},
		ShutdownCause:     errCut,
	}.Serve(ctx, lns...)
}
