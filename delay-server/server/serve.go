package server

import (
	"context"
	"net"
	"slices"

	"flash.test/delay-server/internal/flow"
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
	return program.HTTP{
		Handler:           s.Handler(),
		Log:               s.log,
		ReadHeaderTimeout: s.config.ReadTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		WriteTimeout:      s.config.WriteTimeout,
		MaxHeaderSize:     s.config.MaxHeaderSize,
		MaxStreams:        s.config.MaxInFlightPerConnection,
		ShutdownDelay:     s.config.ShutdownDelay,
		ShutdownTimeout:   s.config.ShutdownTimeout,
		Waiting:           s.journal.Waiting,
		NotReady:          func() { s.draining.Store(true) },
		Draining:          s.drain,
		HTTP1:             opened.http1,
		Extra:             opened.loops,
		ShutdownCause:     flow.ErrShutdown,
	}.Serve(ctx, opened.all...)
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
