package eventloop

import (
	"bytes"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
)

// conn is a connection. It is in exactly one of three states: a request is in
// progress (flow runs), the body of a request is being read (bodyLeft > 0), or the
// connection waits for a request. In each state the client may not read (unsent).
//
// This struct is all the memory that a waiting request takes.
type conn struct {
	*timers               // on the clock of the request in progress; the server's if there is none
	client   *gate.Client // counts its requests in MAX_IN_FLIGHT
	timer    clock.Timer
	flow     flow.Flow
	extra    *extra       // nil for none
	list     *timeoutList // the timeout that applies; nil for none
	prev     *conn        // in list
	next     *conn        // in list
	deadline int64        // in list, in Unix nanoseconds of wall time
	fd       int32

	handedOver uint8 // hand-overs since the loop last answered a request

	readable   bool // the socket may have data
	readClosed bool // the client closed its sending side
	gotEOF     bool // a read returned 0
	gotData    bool // data arrived while the request waits
	gone       bool // sending is impossible
	closing    bool // close once everything is sent
	chunked    bool // the response is chunked
	answered   bool // a response was sent before
	afterPOST  bool // the last request was a POST
	deferred   bool // in loop.deferred
	holdsClock bool // Clock.Hold was called because the client does not read, or c is deferred
}

// extra has the fields that few connections use.
type extra struct {
	buffered []byte   // read but not yet parsed
	unsent   []byte   // to send once the client reads
	bodyLeft int64    // bytes of the request's body still to read
	bodyRead int64    // bytes of the body read so far
	request  *request // the request whose body is being read
	number   uint64   // see conn.number; 0 for none yet
}

// Limits of one connection in one turn of the loop.
const (
	// maxRead is the size of one read.
	maxRead = 16 << 10

	// maxTurnBytes is the number of bytes read and sent.
	maxTurnBytes = 16 << 10

	// maxTurnRequests is the number of requests served: a client that pipelines must
	// not delay the responses of others.
	maxTurnRequests = 16

	// maxReadAhead is the number of bytes read while a request waits.
	maxReadAhead = 4 << 10

	// flushSize is the number of bytes buffered before they are sent.
	flushSize = 16 << 10
)

// events are the epoll events of a connection. EPOLLOUT is added when a send blocks.
const events = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// add starts to serve a new connection.
func (l *loop) add(fd int, client netip.Addr) {
	if c := l.newConn(fd, client); c != nil {
		l.newConns.add(c, l.now)
		if l.draining { // another loop accepted it before it drained
			l.serveOrClose(c)
		}
	}
}

// addReturned starts to serve a connection that net/http returns, with the bytes
// that were read after its request.
func (l *loop) addReturned(fd int, client netip.Addr, from *handedConn) {
	c := l.newConn(fd, client)
	if c == nil {
		return
	}
	c.answered, c.readable, c.handedOver, c.afterPOST = true, true, from.count, from.post
	c.ensureExtra().number = from.number
	c.setBuffered(from.read)
	l.serve(c, 0, onDefer)
}

// newConn returns the connection of fd. On error it closes fd and returns nil.
func (l *loop) newConn(fd int, client netip.Addr) *conn {
	if l.closed || l.poller.add(fd, events) != nil {
		closeFD(fd)
		return nil
	}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, 1+len(l.conns))...)
	}
	c := &conn{fd: int32(fd), timers: &l.server, client: l.listener.config.Limit.Client(client)}
	c.timer.Owner = c
	l.conns[fd] = c
	l.open++
	return c
}

// serveOrClose serves the requests that a new connection sent before the loop
// drained. It closes a connection that sent none.
func (l *loop) serveOrClose(c *conn) {
	c.readable = true
	l.serve(c, 0, onDefer)
	if l.conns[c.fd] == c && c.list == &l.newConns {
		l.close(c)
	}
}

// remove stops serving a connection without closing it.
func (l *loop) remove(c *conn) {
	c.leaveList()
	c.queue.Stop(&c.timer)
	c.releaseClock()
	l.conns[c.fd] = nil
	l.open--
}

// close closes a connection. A request in progress ends with flow.ErrClientGone.
func (l *loop) close(c *conn) {
	if l.conns[c.fd] != c {
		return
	}
	l.remove(c)
	if c.flow.Running() {
		c.flow.Cancel(flow.ErrClientGone)
	}
	c.setTimers(&l.server) // after Cancel: until then, Wake reads c.timers
	c.client.Release()
	closeFD(int(c.fd))
}

// timeOut handles the timeout of c's list.
func (l *loop) timeOut(c *conn) {
	if c.list == &l.readingBody {
		l.bodyTimeout(c)
		return
	}
	l.closeIncomplete(c, true)
}

// onEvent handles epoll events of a connection.
func (l *loop) onEvent(c *conn, events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.readable = true
		c.readClosed = c.readClosed || events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	}
	if c.sendBlocked() {
		l.sendUnsent(c)
		return
	}
	switch {
	case c.flow.Running():
		l.readWhileWaiting(c)
		l.proceed(c)
	case !c.deferred:
		l.read(c)
	}
}

// resume continues a deferred connection.
func (l *loop) resume(c *conn) {
	switch {
	case c.sendBlocked():
	case c.flow.Running():
		c.releaseClock()
		c.flow.Taken()
		l.proceed(c)
	default:
		l.serveBuffered(c)
	}
}

// proceed continues after a step of c's flow. Once the flow is done it serves the
// next request.
func (l *loop) proceed(c *conn) {
	if l.conns[c.fd] == c && !l.closeIfDone(c) && !c.sendBlocked() && !c.flow.Running() {
		c.gotData = false
		l.serveBuffered(c)
	}
}

// closeIfDone closes c if nothing is left to do, and reports whether it did.
func (l *loop) closeIfDone(c *conn) bool {
	done := c.gone || c.closing && !c.flow.Running() && !c.sendBlocked()
	if done {
		l.close(c)
	}
	return done
}

// serveBuffered serves the buffered bytes, then reads.
func (l *loop) serveBuffered(c *conn) {
	b := c.buffered()
	c.setBuffered(nil)
	if len(b) == 0 || l.receive(c, b) {
		l.read(c)
	}
}

// read reads and serves until a request waits, the socket is empty, or the
// connection is deferred.
func (l *loop) read(c *conn) {
	for c.readable && !c.deferred {
		before := copy(l.in, c.buffered())
		n, err := read(int(c.fd), l.in[before:])
		switch {
		case err == unix.EAGAIN:
			c.readable = false
		case err != nil:
			l.close(c)
			return
		case n == 0:
			l.closeIncomplete(c, false)
			return
		default:
			c.setBuffered(nil)
			full := before+n == len(l.in)
			c.readable = c.readClosed || full
			l.moved += n
			if !l.receive(c, l.in[:before+n]) {
				return
			}
			if l.moved >= maxTurnBytes {
				l.requeue(c)
			}
		}
	}
	switch {
	case c.deferred:
	case l.draining && (l.forceClosed || !c.readsBody()):
		l.close(c)
	case c.list == nil:
		l.idle.add(c, l.now)
	}
}

// readWhileWaiting reads while a request is in progress, to notice that the client
// leaves. Like net/http it stops reading once it got data or EOF.
func (l *loop) readWhileWaiting(c *conn) {
	if !c.readable || c.gotData || c.gotEOF || len(c.buffered()) >= maxReadAhead || c.flow.Ended() {
		return
	}
	n, err := read(int(c.fd), l.in[:maxReadAhead])
	switch {
	case err == unix.EAGAIN:
		c.readable = false
	case err != nil:
		c.gone = true
	case n == 0: // net/http does not notice EOF while it sends
		c.gotEOF = true
		c.gone = !c.flow.Sending()
	default:
		c.gotData = true
		c.setBuffered(append(c.buffered(), l.in[:n]...))
		c.readable = c.readClosed || n == maxReadAhead
	}
}

// sendBlocked reports whether the client must read before more can be sent.
func (c *conn) sendBlocked() bool { return c.extra != nil && len(c.extra.unsent) > 0 }

// flush sends loop.out. It returns false if the client must read first, or is gone.
func (c *conn) flush() bool {
	l := c.loop
	out := l.out
	l.out = l.out[:0]
	switch {
	case c.gone:
		return false
	case c.sendBlocked():
		c.extra.unsent = append(c.extra.unsent, out...)
		return false
	case len(out) == 0:
		return true
	}
	n, err := send(int(c.fd), out)
	switch {
	case err != nil && err != unix.EAGAIN:
		c.gone = true
		return false
	case n == len(out):
		return true
	}
	c.ensureExtra().unsent = bytes.Clone(out[n:])
	l.sendBlocked.add(c, time.Now())
	l.poller.modify(int(c.fd), events|unix.EPOLLOUT)
	if !c.flow.Ended() {
		c.holdClock()
	}
	return false
}

// holdClock keeps the request's clock from moving until releaseClock.
func (c *conn) holdClock() {
	if !c.holdsClock {
		c.holdsClock = true
		c.clock.Hold()
	}
}

// ensureExtra returns c.extra, which it allocates if needed.
func (c *conn) ensureExtra() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// number returns the number of the connection in the journal. Few connections need one.
func (c *conn) number() uint64 {
	e := c.ensureExtra()
	if e.number == 0 {
		e.number = c.loop.listener.config.Engine.NextConnection()
	}
	return e.number
}

// buffered returns the bytes that were read and not yet parsed.
func (c *conn) buffered() []byte {
	if c.extra == nil {
		return nil
	}
	return c.extra.buffered
}

// setBuffered sets the bytes that buffered returns.
func (c *conn) setBuffered(b []byte) {
	if len(b) > 0 || c.extra != nil {
		c.ensureExtra().buffered = b
	}
}

// releaseClock undoes holdClock.
func (c *conn) releaseClock() {
	if c.holdsClock {
		c.holdsClock = false
		c.clock.Release()
	}
}

// sendUnsent continues to send after a send blocked.
func (l *loop) sendUnsent(c *conn) {
	n, err := send(int(c.fd), c.extra.unsent)
	if err != nil && err != unix.EAGAIN {
		c.gone = true
		l.close(c)
		return
	}
	if c.extra.unsent = c.extra.unsent[n:]; len(c.extra.unsent) > 0 {
		return
	}
	c.extra.unsent = nil
	c.leaveList()
	c.releaseClock()
	if !c.flow.Ended() {
		l.requeue(c) // the flow sends the next part in another turn
		return
	}
	c.flow.Taken()
	l.proceed(c)
}
