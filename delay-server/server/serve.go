package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve answers the connections of ln until ctx is done; then it drains: it
// stops accepting, lets waiting requests finish up to SHUTDOWN_TIMEOUT, answers
// those left 503, logs how many that were, and returns nil. It speaks HTTP/1.1
// and, without TLS, HTTP/2. It closes ln. An error is that of accepting.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, cut := context.WithCancelCause(context.Background())
	defer cut(nil)
	srv := &http.Server{
		Handler:           s.echo,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: s.config.ReadTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.drain(srv, func() { cut(errCut) })
	return nil
}

// sendCut is the time that the 503s of a shutdown have to reach their clients.
const sendCut = time.Second

func (s *Server) drain(srv *http.Server, cut func()) {
	s.draining.Store(true)
	s.log.Info("draining", "waiting", s.journal.Waiting(), "timeout", s.config.ShutdownTimeout)
	err := shutdown(srv, s.config.ShutdownTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		s.log.Info("stopped", "cut", 0)
		return
	}
	n := s.journal.Waiting()
	cut()
	if shutdown(srv, sendCut) != nil {
		_ = srv.Close() // its error is that of a listener that is closed already
	}
	s.log.Warn("stopped", "cut", n)
}

func shutdown(srv *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return srv.Shutdown(ctx)
}
