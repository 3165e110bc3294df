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

// Serve answers connections of all lns until ctx is done. Then it serves on for
// SHUTDOWN_DELAY, while /readyz answers 503, and drains: it stops accepting, gives
// waiting requests SHUTDOWN_TIMEOUT to finish, answers the rest 503, logs how many
// those were, and returns nil. It speaks HTTP/1.1 and HTTP/2, and TLS on the
// listeners that TLS returned. On Linux, event loops accept TCP without TLS and hand
// over to net/http what they do not answer. Serve closes lns. The error is from
// accepting.
func (s *Server) Serve(ctx context.Context, lns ...net.Listener) error {
	defer s.tracing.Close()
	defer s.requests.Proxy.Close()
	defer s.watchScenario()()
	if slices.ContainsFunc(lns, isTCP) { // a test's own listeners may have fake time
		defer s.engine.Clock.UseTimerfd()()
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
	}
	serve.HTTP1 = opened.http1
	serve.Extra = opened.loops
	serve.ShutdownCause = flow.ErrShutdown
	return serve.Serve(ctx, opened.all...)
}

// ready returns why a request of r's client would not be admitted, or nil.
func (s *Server) ready(r *http.Request) error {
	if s.draining.Load() {
		return problem.ShuttingDown.New("server is shutting down; %d requests are waiting", s.engine.Journal.Waiting())
	}
	return s.requests.Full(r)
}

// listeners are the listeners of Serve.
type listeners struct {
	all   []net.Listener
	http1 []net.Listener // of connections without HTTP/2
	loops []program.Drainer
}

func isTCP(ln net.Listener) bool {
	_, ok := ln.Addr().(*net.TCPAddr)
	return ok
}
