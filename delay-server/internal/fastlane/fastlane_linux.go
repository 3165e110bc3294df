// Package fastlane answers plain requests from a few event loops, which cost a
// waiting request less than a kilobyte in place of net/http's goroutines and
// buffers. A plain request is a well-formed GET /delay/NUMBER with nothing in
// its header that may change the answer. A connection on which anything else
// comes is handed over, with what was read, to net/http, for the rest of its
// life. What a loop answers is byte for byte what the handler behind net/http
// answers, Date and measured times aside.
package fastlane

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

// Config says what the lane answers, and by which rules.
type Config struct {
	Clock    *clock.Clock
	Journal  *journal.Journal
	Log      *slog.Logger
	MaxDelay time.Duration // a request to wait for longer is not plain
	Limit    *gate.Shares  // a request that it does not admit is not plain
	Header   http.Header   // of each answer, but for its Content-Type, Content-Length and Server-Timing
	Telling  []string      // names of headers that may change the answer, of up to 23 bytes: a request with one is not plain
	// Canonical leaves a delay that is written in another way than the answer would
	// repeat it, such as 05, to net/http.
	Canonical bool

	Paths bool // have the journal's waits say the path, which is an allocation each

	ReadTimeout  time.Duration // for the first bytes of a connection
	IdleTimeout  time.Duration // of a connection between requests
	WriteTimeout time.Duration // for a client to take the answers that it did not read

	// Cut gives the answer to those that Lane.Cut cuts.
	Cut http.Handler
}

// Lane is a net.Listener of the connections that it does not serve itself. Use
// Listen.
type Lane struct {
	config Config
	addr   net.Addr
	head   *answer.Head // of each reply
	names  *names
	loops  []*loop

	handed  chan net.Conn
	http1   chan net.Conn // as handed, but not of HTTP/2
	closed  chan struct{} // when Close is called
	ended   chan struct{} // when nothing is left after that
	closing sync.Once

	spare struct { // a descriptor, for what handOver needs for a moment
		sync.Mutex
		fd int
	}

	serving sync.WaitGroup // the loops, and what is sent beside them
	uncut   context.Context
	cut     context.CancelFunc
}

// Listen has the lane accept the connections of ln, which it closes. The error
// is the system's.
func Listen(ln *net.TCPListener, config Config) (*Lane, error) {
	lane := &Lane{
		config: config, addr: ln.Addr(), head: newHead(config.Header), names: newNames(config.Telling),
		handed: make(chan net.Conn), http1: make(chan net.Conn), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	lane.uncut, lane.cut = context.WithCancel(context.Background())
	if err := lane.open(ln); err != nil {
		lane.cut()
		for _, l := range lane.loops {
			l.end()
		}
		closeFD(lane.spare.fd)
		return nil, err
	}
	for _, l := range lane.loops {
		lane.serving.Go(l.run)
	}
	go func() {
		lane.serving.Wait()
		lane.cut() // nothing is left to cut
		closeFD(lane.spare.fd)
		close(lane.ended)
	}()
	return lane, nil
}

// open makes the loops, one for each processor, and has the first listen.
func (lane *Lane) open(ln *net.TCPListener) (err error) {
	if lane.spare.fd, err = anyFD(); err != nil {
		return err
	}
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop(lane)
		if err != nil {
			return err
		}
		lane.loops = append(lane.loops, l)
	}
	return lane.loops[0].listen(ln)
}

// Accept implements net.Listener: it returns the next connection that may be of
// HTTP/2, and net.ErrClosed after Close.
func (lane *Lane) Accept() (net.Conn, error) { return lane.accept(lane.handed) }

// HTTP1 returns the listener of the other connections on which something came
// that is not plain. Some have had answers of HTTP/1.1, so a preface of HTTP/2 is
// an error there. Its Close is the lane's.
func (lane *Lane) HTTP1() net.Listener { return http1{lane} }

type http1 struct{ *Lane }

// Accept implements net.Listener.
func (l http1) Accept() (net.Conn, error) { return l.accept(l.http1) }

func (lane *Lane) accept(handed <-chan net.Conn) (net.Conn, error) {
	select {
	case c := <-handed:
		return c, nil
	case <-lane.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (lane *Lane) Addr() net.Addr { return lane.addr }

// Close implements net.Listener: no more connections are accepted, and those on
// which nobody waits are closed. Those who wait are answered.
func (lane *Lane) Close() error {
	lane.closing.Do(func() {
		close(lane.closed)
		lane.tell((*loop).drain)
	})
	return nil
}

// Shutdown closes the lane and returns once nobody waits, or context.Cause(ctx)
// when ctx is done first.
func (lane *Lane) Shutdown(ctx context.Context) error {
	_ = lane.Close()
	select {
	case <-lane.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Cut ends the requests that wait and any that begin to wait later, and returns
// once they are answered. The lane is closed.
func (lane *Lane) Cut() {
	lane.cut()
	lane.tell((*loop).cut)
	<-lane.ended
}

// tell has each loop do it.
func (lane *Lane) tell(do func(*loop)) {
	for _, l := range lane.loops {
		l.post(func() { do(l) }) // one that has ended has nothing to do it to
	}
}
