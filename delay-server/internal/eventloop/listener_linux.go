// Package eventloop serves HTTP/1.1 from one event loop per processor. A waiting
// request costs less than a kilobyte, instead of net/http's goroutine and buffers.
//
// The loops answer every endpoint that waits. They hand over to net/http, for one
// request if possible, all other requests and any that the parser does not support.
// Their responses equal net/http's byte for byte, except for Date, measured times
// and chunk sizes.
//
// The layers are, from the top: loop (turns, timeouts), conn (bytes, deadlines,
// fairness), http1 (messages, the output of a flow) and package flow (a request).
// Each calls only the next. The poller and the hand-over are used by all.
//
// Invariants:
//
//   - Only a loop's goroutine uses its connections. Other goroutines post.
//   - No goroutine posts while it holds the lock of the loop's inbox or of the clock.
//   - A loop has a clock.Queue for each clock that its requests wait on. The one of the
//     server's clock is active until the loop blocks. The one of a run's clock is active
//     from the first step of a request on that clock to the end of the turn, and exists
//     only while such a request is in progress.
//   - A connection is in exactly one state: a request is in progress, a request's
//     body is being read, or the connection waits for a request.
//   - Reading is edge-triggered: it ends at EAGAIN, or the connection is deferred.
//   - A turn of a connection is bounded in requests and in bytes.
//   - Each response has a write deadline.
package eventloop

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// Config configures the loops.
type Config struct {
	Engine *flow.Engine
	Log    *slog.Logger
	Limit  *gate.Shares

	// Find returns the template of a request and normalizes its path. net/http
	// answers the request if the template is nil, or if Problem returns nil for the
	// error.
	Find func(r *plan.Request) (*plan.Template, error)

	// Problem returns the response for an error of Find or Template.Plan, or nil if
	// net/http should answer.
	Problem func(err error) *problem.Problem

	ReadTimeout  time.Duration // to read a request's head, and again its body
	IdleTimeout  time.Duration // between requests
	WriteTimeout time.Duration // to send a response, or each 16 KB of it
}

// Listener accepts the connections that the loops hand over. Create it with Listen.
type Listener struct {
	config Config
	addr   net.Addr
	loops  []*loop

	handed  chan net.Conn
	http1   chan net.Conn // like handed, for connections that cannot be HTTP/2
	closed  chan struct{} // closed by Close
	ended   chan struct{} // closed when all loops have ended
	closing sync.Once

	reserve struct { // a spare descriptor for withReserve
		sync.Mutex
		fd     int
		closed bool
	}

	serving sync.WaitGroup // the loops
}

// Listen starts one loop per processor to serve the connections of lns. It closes
// lns.
func Listen(config Config, lns ...*net.TCPListener) (*Listener, error) {
	ln := &Listener{
		config: config, addr: lns[0].Addr(),
		handed: make(chan net.Conn), http1: make(chan net.Conn),
		closed: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := ln.open(lns); err != nil {
		for _, l := range ln.loops {
			l.end()
		}
		ln.closeReserve()
		return nil, err
	}
	for _, l := range ln.loops {
		ln.serving.Go(l.run)
	}
	go func() {
		ln.serving.Wait()
		ln.closeReserve()
		close(ln.ended)
	}()
	return ln, nil
}

func (ln *Listener) closeReserve() {
	ln.reserve.Lock()
	defer ln.reserve.Unlock()
	closeFD(ln.reserve.fd)
	ln.reserve.closed = true
}

// open creates the loops. The first one accepts.
func (ln *Listener) open(lns []*net.TCPListener) (err error) {
	if ln.reserve.fd, err = reserveFD(); err != nil {
		return err
	}
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop(ln)
		if err != nil {
			return err
		}
		ln.loops = append(ln.loops, l)
	}
	for _, tcp := range lns {
		if err := ln.loops[0].listen(tcp); err != nil {
			return err
		}
	}
	return nil
}

// Accept implements net.Listener. It returns the next connection that may be
// HTTP/2, and net.ErrClosed after Close.
func (ln *Listener) Accept() (net.Conn, error) { return ln.accept(ln.handed) }

// HTTP1 returns the listener of the other handed-over connections. They are HTTP/1.1
// only, since some had HTTP/1.1 responses before. Its Close closes ln.
func (ln *Listener) HTTP1() net.Listener { return http1{ln} }

type http1 struct{ *Listener }

// Accept implements net.Listener.
func (h http1) Accept() (net.Conn, error) { return h.accept(h.http1) }

func (ln *Listener) accept(handed <-chan net.Conn) (net.Conn, error) {
	select {
	case c := <-handed:
		return c, nil
	case <-ln.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (ln *Listener) Addr() net.Addr { return ln.addr }

// Close implements net.Listener. The loops accept no more connections, close those
// without a request, and still answer waiting requests.
func (ln *Listener) Close() error {
	ln.closing.Do(func() {
		close(ln.closed)
		ln.broadcast((*loop).drain)
	})
	return nil
}

// Shutdown closes the listener and returns when all requests are answered, or
// returns context.Cause(ctx) if ctx is done first.
func (ln *Listener) Shutdown(ctx context.Context) error {
	_ = ln.Close()
	select {
	case <-ln.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ForceClose answers 503 to waiting requests and to any that arrive later, and
// returns when all connections are closed. Call it after Close.
func (ln *Listener) ForceClose() {
	ln.config.Engine.Shutdown()
	ln.broadcast((*loop).forceClose)
	<-ln.ended
}

// broadcast calls do on each loop's goroutine. It skips loops that have ended.
func (ln *Listener) broadcast(do func(*loop)) {
	for _, l := range ln.loops {
		l.post(func() { do(l) })
	}
}
