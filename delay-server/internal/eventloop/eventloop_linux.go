// Package eventloop serves HTTP/1.1 from a few event loops: a request that waits
// costs less than a kilobyte, in place of net/http's goroutines and buffers. It
// takes the requests of every endpoint that waits. What it is not certain of, and
// what does not wait, it hands over to net/http, for one request where that is
// possible. Its answers are byte for byte those of net/http, Date, measured times
// and the bounds of chunks aside.
//
// The layers know the next one below alone: the loop (turns, timeouts), the
// connection (bytes, deadlines, fairness), HTTP/1.1 (messages, the output of a
// flow), flow (a request). The poller and the hand-over stand beside them.
//
// Invariants:
//
//   - A loop's goroutine alone touches its connections. Others post.
//   - Nobody posts while he holds the lock of the loop's inbox or the clock's lock.
//   - A connection is in exactly one state: it has a request, it reads the body of
//     one, or it waits for one.
//   - Reading is edge-triggered: it ends at EAGAIN, or the connection is deferred.
//   - A turn of a connection is bounded in requests and in bytes.
//   - Each answer has a write deadline, whoever writes it.
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

// Config says what the loops answer, and by which rules.
type Config struct {
	Engine *flow.Engine
	Log    *slog.Logger
	Limit  *gate.Shares

	// Find returns the template of a request, whose path it normalizes; nil, or an
	// error, for one that net/http is to answer.
	Find func(r *plan.Request) (*plan.Template, error)

	// Problem returns what an error of Find or of Template.Plan is to the client, nil
	// for one that net/http is to answer.
	Problem func(err error) *problem.Problem

	ReadTimeout  time.Duration // for the head of a request, and again for its body
	IdleTimeout  time.Duration // of a connection between requests
	WriteTimeout time.Duration // for a client to take an answer, or each 16 KB of one
}

// Listener is a net.Listener of the connections that the loops hand over. Use Listen.
type Listener struct {
	config Config
	addr   net.Addr
	loops  []*loop

	handed  chan net.Conn
	http1   chan net.Conn // as handed, but not of HTTP/2
	closed  chan struct{} // when Close is called
	ended   chan struct{} // when nothing is left after that
	closing sync.Once

	reserve struct { // a descriptor, for what handOver needs for a moment
		sync.Mutex
		fd     int
		closed bool
	}

	serving sync.WaitGroup // the loops
}

// Listen has loops, one for each processor, accept the connections of lns, which
// it closes. The error is the system's.
func Listen(config Config, lns ...*net.TCPListener) (*Listener, error) {
	ln := &Listener{
		config: config, addr: lns[0].Addr(),
		handed: make(chan net.Conn), http1: make(chan net.Conn), closed: make(chan struct{}), ended: make(chan struct{}),
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

// open makes the loops, and has the first listen.
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

// Accept implements net.Listener: it returns the next connection that may be of
// HTTP/2, and net.ErrClosed after Close.
func (ln *Listener) Accept() (net.Conn, error) { return ln.accept(ln.handed) }

// HTTP1 returns the listener of the other connections that are handed over. Some
// have had answers of HTTP/1.1, so a preface of HTTP/2 is an error there. Its
// Close closes ln.
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

// Close implements net.Listener: no more connections are accepted, and those
// without a request are closed. Requests that wait are answered.
func (ln *Listener) Close() error {
	ln.closing.Do(func() {
		close(ln.closed)
		ln.broadcast((*loop).drain)
	})
	return nil
}

// Shutdown closes the listener and returns once nobody waits, or
// context.Cause(ctx) when ctx is done first.
func (ln *Listener) Shutdown(ctx context.Context) error {
	_ = ln.Close()
	select {
	case <-ln.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ForceClose ends the requests that wait and any that begin to wait later, and returns
// once they are answered. The listener is closed.
func (ln *Listener) ForceClose() {
	ln.config.Engine.Shutdown()
	ln.broadcast((*loop).shutdown)
	<-ln.ended
}

// broadcast has each loop do it.
func (ln *Listener) broadcast(do func(*loop)) {
	for _, l := range ln.loops {
		l.post(func() { do(l) }) // one that has ended has nothing to do it to
	}
}
