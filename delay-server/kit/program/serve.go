package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// MinHeaderSize is the least that HTTP.MaxHeaderSize may be: a URL of 8 KB fits, and
// any header that delay-server's event loops take, so that the size has no effect
// on which of them answers.
const MinHeaderSize = 16 << 10

// headerSlop is what net/http takes over Server.MaxHeaderBytes.
const headerSlop = 4 << 10

// HTTP serves a handler until it is told to drain.
type HTTP struct {
	Handler http.Handler
	Log     *slog.Logger

	ReadHeaderTimeout time.Duration // for a client to send its headers
	IdleTimeout       time.Duration // of a connection between requests
	WriteTimeout      time.Duration // for a client to take an answer, or each 32 KB of one, from when it is due; 0 is 30 s

	MaxHeaderSize   int           // bytes of a request's line and header; MinHeaderSize or more, or 0 for 32 KB
	MaxStreams      int           // requests of one connection of HTTP/2 at once; 0 is 250
	ShutdownDelay   time.Duration // to serve on after ctx is done, not ready, before draining
	ShutdownTimeout time.Duration // for requests to finish when draining

	Waiting  func() int // how many requests wait now
	NotReady func()     // called once, when ctx is done or accepting failed
	Draining func()     // called once, when draining begins

	// HTTP1 are more listeners, of connections without TLS on which HTTP/2's preface
	// is an error. On those of Serve net/http reads 14 bytes to look for one, before
	// it answers a malformed request that is shorter.
	HTTP1 []net.Listener

	// Extra are those that serve beside Handler, what they accept on lns: they
	// are drained with it, and cut after the same time.
	Extra []Drainer

	// ShutdownCause is the cause with which the contexts of those requests are cancelled
	// that ShutdownTimeout leaves. They have a second to say so to their clients.
	ShutdownCause error
}

// Drainer is what can be drained: http.Server is, but for ForceClose.
type Drainer interface {
	// Shutdown takes no more requests, and returns once none is left, or with
	// context.Cause(ctx) when ctx is done first.
	Shutdown(ctx context.Context) error

	// ForceClose ends the requests that Shutdown left, and says so to their clients.
	ForceClose()
}

// Serve answers the connections of all lns until ctx is done. It then serves on
// for ShutdownDelay, so that whoever looks at /readyz sees the end coming, and
// drains: it stops accepting, lets requests finish up to ShutdownTimeout, cuts
// those left, logs how many that were, and returns nil. It speaks HTTP/1.1 and HTTP/2,
// over TLS where a listener is of crypto/tls. It closes lns. An error is that of
// accepting, after which it drains too.
func (s HTTP) Serve(ctx context.Context, lns ...net.Listener) error {
	s.WriteTimeout = cmp.Or(s.WriteTimeout, 30*time.Second)
	s.MaxHeaderSize = cmp.Or(s.MaxHeaderSize, 32<<10)
	s.MaxStreams = cmp.Or(s.MaxStreams, 250)
	base, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	connections := &connections{log: s.Log, timeout: s.WriteTimeout, streams: s.MaxStreams}
	serve := func(protocols *http.Protocols) *http.Server {
		return &http.Server{
			Handler:     &deadlines{s.Handler, s.WriteTimeout, connections},
			BaseContext: func(net.Listener) context.Context { return base },
			ConnContext: connections.context,
			ConnState:   connections.state,
			// No ReadTimeout: it would end a request that waits. WriteTimeout is for the
			// answers of net/http's own: deadlines lifts it while a request waits.
			WriteTimeout:      s.WriteTimeout,
			ReadHeaderTimeout: s.ReadHeaderTimeout,
			MaxHeaderBytes:    s.MaxHeaderSize - headerSlop,
			IdleTimeout:       s.IdleTimeout,
			Protocols:         protocols,
			HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: s.MaxStreams, WriteByteTimeout: s.WriteTimeout},
			ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		}
	}
	var every, http1 http.Protocols
	http1.SetHTTP1(true)
	every.SetHTTP1(true)
	every.SetHTTP2(true)
	every.SetUnencryptedHTTP2(true)
	servers := servers{serve(&every), serve(&http1)}

	failed := make(chan error, len(lns)+len(s.HTTP1))
	for i, lns := range [][]net.Listener{lns, s.HTTP1} {
		for _, ln := range lns {
			go func() { failed <- fmt.Errorf("serve %s: %w", ln.Addr(), servers[i].Serve(Fair(ln))) }()
		}
	}
	var err error
	select {
	case err = <-failed:
		s.NotReady()
	case <-ctx.Done():
		s.NotReady()
		err = s.linger(failed)
	}
	s.drain(servers, func() { cut(s.ShutdownCause) })
	return err
}

// linger serves on for ShutdownDelay. The error is from accepting, which ends it early.
func (s HTTP) linger(failed <-chan error) error {
	if s.ShutdownDelay <= 0 {
		return nil
	}
	s.Log.Info("shutting down: not ready, still serving", "for", s.ShutdownDelay, "hint", endNow)
	select {
	case err := <-failed:
		return err
	case <-time.After(s.ShutdownDelay):
		return nil
	}
}

// endNow tells a person at a terminal how to end a program that still serves:
// Main leaves the second signal to the system.
const endNow = "press Ctrl-C again to end at once"

// sendCut is the time that those who are cut have to say so to their clients.
const sendCut = time.Second

func (s HTTP) drain(servers servers, cut func()) {
	s.Draining()
	s.logDraining()
	err := s.shutdown(servers, s.ShutdownTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		s.Log.Info("stopped", "aborted", 0)
		return
	}
	n := s.Waiting()
	cut()
	for _, d := range s.Extra {
		d.ForceClose()
	}
	if s.shutdown(servers, sendCut) != nil {
		for _, srv := range servers {
			_ = srv.Close() // its error is that of a listener that is closed already
		}
	}
	level := slog.LevelInfo
	if n > 0 {
		level = slog.LevelWarn
	}
	s.Log.Log(context.Background(), level, "stopped", "aborted", n)
}

// logDraining says what the shutdown waits for, until when, and how to end it.
func (s HTTP) logDraining() {
	waiting := s.Waiting()
	log := s.Log.With("waiting", waiting, "timeout", s.ShutdownTimeout)
	if waiting > 0 {
		log = log.With("until", time.Now().Add(s.ShutdownTimeout).Format(time.TimeOnly), "hint", endNow)
	}
	log.Info("draining")
}

func (s HTTP) shutdown(servers servers, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := servers.shutdown(ctx)
	for _, d := range s.Extra {
		err = errors.Join(err, d.Shutdown(ctx))
	}
	return err
}

// servers serve one handler: the first with all protocols, the second with
// HTTP/1.1 alone.
type servers [2]*http.Server

// shutdown has both drain at the same time: neither takes a request any more.
func (s servers) shutdown(ctx context.Context) error {
	var errs [len(s)]error
	var running sync.WaitGroup
	for i, srv := range s {
		running.Go(func() { errs[i] = srv.Shutdown(ctx) })
	}
	running.Wait()
	return errors.Join(errs[:]...)
}
