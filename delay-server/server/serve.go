package server

import (
	"context"
	"net"
	"net/http"
	"slices"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// Serve serves the connections of all lns until ctx is done. Then it continues for
// SHUTDOWN_DELAY, while /readyz answers 503, and drains: it stops accepting, gives
// waiting requests SHUTDOWN_TIMEOUT to finish, answers 503 to the rest, logs their
// number and returns nil. It speaks HTTP/1.1 and HTTP/2, with TLS on listeners from
// Server.TLS. On Linux, event loops accept plain TCP connections and hand over to
// net/http all requests that they do not answer. Serve closes lns. The error is from
// accepting.
func (s *Server) Serve(ctx context.Context, lns ...net.Listener) error {
	defer s.tracing.Close()
	defer s.requests.Proxy.Close()
	defer s.watchFiles()()
	if slices.ContainsFunc(lns, isTCP) { // other listeners may be in a test with fake time
		defer s.engine.Clock.UseTimerfd()()
		defer s.engine.Runs.DropAll() // their clocks use timerfds too
	}
	opened, err := s.openLoops(lns)
	if err != nil {
		return err
	}
	serve := s.config.HTTP(s.Handler(), s.log)
	serve.MaxStreams = s.config.MaxInFlightPerConnection
	serve.Waiting = s.engine.Journal.Waiting
	serve.NotReady = func() { s.draining.Store(true) }
	serve.Draining = func() {
		if s.admin != nil {
			s.admin.Shutdown(flow.ErrShutdown)
		}
		if s.board != nil {
			s.board.Close()
		}
	}
	serve.HTTP1 = opened.http1
	serve.Extra = opened.loops
	serve.ShutdownCause = flow.ErrShutdown
	return serve.Serve(ctx, opened.all...)
}

// ready returns the error that a request from r's client would get, or nil.
func (s *Server) ready(r *http.Request) error {
	if s.draining.Load() {
		return problem.ShuttingDown.New("server is shutting down; %d requests are waiting", s.engine.Journal.Waiting())
	}
	return s.requests.Full(r)
}

// listeners are the listeners of Serve.
type listeners struct {
	all   []net.Listener
	http1 []net.Listener // for HTTP/1.1 only
	loops []program.Drainer
}

func isTCP(ln net.Listener) bool {
	_, ok := ln.Addr().(*net.TCPAddr)
	return ok
}
