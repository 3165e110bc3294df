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

// Serve answers the connections of all lns until ctx is done. It then serves on
// for SHUTDOWN_DELAY, while /readyz answers 503, and drains: it stops accepting, lets
// waiting requests finish up to SHUTDOWN_TIMEOUT, answers those left 503, logs how
// many that were, and returns nil. It speaks HTTP/1.1 and HTTP/2, over TLS where a
// listener is one of TLS. On Linux, event loops accept what comes by TCP without TLS,
// and hand over to net/http what they do not answer. It closes lns. An error is from
// accepting.
func (s *Server) Serve(ctx context.Context, lns ...net.Listener) error {
	defer s.tracing.Close()
	defer s.proxy.Close()
	defer s.watchScenario()()
	if slices.ContainsFunc(lns, isTCP) { // any other is a test's, whose time no timerfd knows
		defer s.clock.UseTimerfd()()
	}
	opened, err := s.openLoops(lns)
	if err != nil {
		return err
	}
	serve := s.config.HTTP(s.Handler(), s.log)
	serve.MaxStreams = s.config.MaxInFlightPerConnection
	serve.Waiting = s.journal.Waiting
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
		return problem.ShuttingDown.New("server is shutting down; %d requests are waiting", s.journal.Waiting())
	}
	client := s.limit.Client(clientAddr(r))
	defer client.Release()
	if err := client.Full(); err != nil {
		return s.full(err)
	}
	return nil
}

// listeners are what Serve accepts connections from.
type listeners struct {
	all   []net.Listener
	http1 []net.Listener // of connections that are not of HTTP/2
	loops []program.Drainer
}

func isTCP(ln net.Listener) bool {
	_, ok := ln.Addr().(*net.TCPAddr)
	return ok
}
