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

// MinHeaderSize is the minimum of HTTP.MaxHeaderSize. It fits a URL of 8 KB and any
// header that delay-server's event loops accept, so the limit applies to net/http
// only.
const MinHeaderSize = 16 << 10

// headerSlop is how much net/http reads beyond Server.MaxHeaderBytes.
const headerSlop = 4 << 10

// HTTP serves a handler over HTTP/1.1 and HTTP/2, and drains.
type HTTP struct {
	Handler http.Handler
	Log     *slog.Logger

	ReadHeaderTimeout time.Duration // to read a request's headers
	IdleTimeout       time.Duration // between requests
	WriteTimeout      time.Duration // to send a response, or each 32 KB of it, without the wait; 0 is 30 s

	MaxHeaderSize   int           // bytes of a request's line and header; MinHeaderSize or more, or 0 for 32 KB
	MaxStreams      int           // concurrent requests of an HTTP/2 connection; 0 is 250
	ShutdownDelay   time.Duration // time to keep serving, not ready, before draining
	ShutdownTimeout time.Duration // time for requests to finish while draining

	Waiting  func() int // returns the number of waiting requests
	NotReady func()     // called once, when ctx is done or accepting fails
	Draining func()     // called once, when draining begins

	// HTTP1 are listeners that accept only HTTP/1.1 without TLS. On the listeners of
	// Serve, net/http waits for 14 bytes, to detect HTTP/2, before it answers even a
	// shorter malformed request.
	HTTP1 []net.Listener

	// Extra are other servers on the same listeners. Serve drains them too.
	Extra []Drainer

	// ShutdownCause is the cause with which Serve cancels the contexts of requests
	// that are unfinished after ShutdownTimeout. They have a second to respond.
	ShutdownCause error
}

// Drainer is a server that can be drained.
type Drainer interface {
	// Shutdown stops accepting and returns nil when all requests have finished, or
	// context.Cause(ctx) if ctx is done first.
	Shutdown(ctx context.Context) error

	// ForceClose ends unfinished requests with an error response.
	ForceClose()
}

// Serve serves the connections of lns until ctx is done. It keeps serving for
// ShutdownDelay, so that load balancers see /readyz fail, and then drains: it stops
// accepting, waits up to ShutdownTimeout for requests to finish, and cancels the
// unfinished ones. It logs their number and returns nil. It speaks HTTP/1.1 and
// HTTP/2, over TLS on a listener of crypto/tls. It closes lns. If accepting fails,
// Serve drains and returns that error.
func (s HTTP) Serve(ctx context.Context, lns ...net.Listener) error {
	s.WriteTimeout = cmp.Or(s.WriteTimeout, 30*time.Second)
	s.MaxHeaderSize = cmp.Or(s.MaxHeaderSize, 32<<10)
	s.MaxStreams = cmp.Or(s.MaxStreams, 250)
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	connections := &connections{log: s.Log, timeout: s.WriteTimeout, streams: s.MaxStreams}
	serve := func(protocols *http.Protocols) *http.Server {
		return &http.Server{
			Handler:     &deadlines{s.Handler, s.WriteTimeout, connections},
			BaseContext: func(net.Listener) context.Context { return base },
			ConnContext: connections.context,
			ConnState:   connections.state,
			// ReadTimeout is not set: it would end a waiting request. WriteTimeout is for
			// net/http's own error responses: deadlines lifts it while a request waits.
			WriteTimeout:      s.WriteTimeout,
			ReadHeaderTimeout: s.ReadHeaderTimeout,
			MaxHeaderBytes:    s.MaxHeaderSize - headerSlop,
			IdleTimeout:       s.IdleTimeout,
			Protocols:         protocols,
			HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: s.MaxStreams, WriteByteTimeout: s.WriteTimeout},
			ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		}
	}
	var all, http1 http.Protocols
	http1.SetHTTP1(true)
	all.SetHTTP1(true)
	all.SetHTTP2(true)
	all.SetUnencryptedHTTP2(true)
	servers := servers{serve(&all), serve(&http1)}

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
	s.drain(servers, func() { cancel(s.ShutdownCause) })
	return err
}

// linger waits for ShutdownDelay, or until accepting fails.
func (s HTTP) linger(failed <-chan error) error {
	if s.ShutdownDelay <= 0 {
		return nil
	}
	s.Log.Info("shutting down: not ready, still serving", "for", s.ShutdownDelay, "hint", forceQuitHint)
	select {
	case err := <-failed:
		return err
	case <-time.After(s.ShutdownDelay):
		return nil
	}
}

// forceQuitHint is for a person at a terminal. Main handles only the first signal.
const forceQuitHint = "press Ctrl-C again to quit at once"

// abortTimeout is the time for cancelled requests to respond.
const abortTimeout = time.Second

// drain waits for requests to finish, up to ShutdownTimeout. Then it calls cancel.
func (s HTTP) drain(servers servers, cancel func()) {
	s.Draining()
	s.logDraining()
	err := s.shutdown(servers, s.ShutdownTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		s.Log.Info("stopped", "aborted", 0)
		return
	}
	n := s.Waiting()
	cancel()
	for _, d := range s.Extra {
		d.ForceClose()
	}
	if s.shutdown(servers, abortTimeout) != nil {
		for _, srv := range servers {
			_ = srv.Close() // fails: its listeners are closed
		}
	}
	level := slog.LevelInfo
	if n > 0 {
		level = slog.LevelWarn
	}
	s.Log.Log(context.Background(), level, "stopped", "aborted", n)
}

// logDraining logs how many requests wait, until when, and how to quit.
func (s HTTP) logDraining() {
	waiting := s.Waiting()
	log := s.Log.With("waiting", waiting, "timeout", s.ShutdownTimeout)
	if waiting > 0 {
		log = log.With("until", time.Now().Add(s.ShutdownTimeout).Format(time.TimeOnly), "hint", forceQuitHint)
	}
	log.Info("draining")
}

// shutdown drains servers and Extra until timeout.
func (s HTTP) shutdown(servers servers, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := servers.shutdown(ctx)
	for _, d := range s.Extra {
		err = errors.Join(err, d.Shutdown(ctx))
	}
	return err
}

// servers serve one handler: the first over all protocols, the second over HTTP/1.1
// only.
type servers [2]*http.Server

// shutdown drains both servers concurrently, so that neither accepts any more.
func (s servers) shutdown(ctx context.Context) error {
	var errs [len(s)]error
	var running sync.WaitGroup
	for i, srv := range s {
		running.Go(func() { errs[i] = srv.Shutdown(ctx) })
	}
	running.Wait()
	return errors.Join(errs[:]...)
}
