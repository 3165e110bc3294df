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

// conn is a connection. It is in exactly one state: it has a request (its flow
// runs), it reads the body of one (body is above 0), or it waits for a request.
// Beside that, the client may be behind with reading (unsent).
//
// A connection that waits is this struct and nothing else: its size is the
// memory that a waiting request takes.
type conn struct {
	loop     *loop
	client   *gate.Client // whose share of MAX_IN_FLIGHT its requests take
	timer    clock.Timer
	flow     flow.Flow
	extra    *extra // nil for none
	list     *list  // by whose timeout it ends; nil for none
	prev     *conn  // in list
	next     *conn  // in list
	deadline int64  // in list, by the machine's clock in Unix nanoseconds
	fd       int32

	handedOver uint8 // how often in a row it was handed over

	more      bool // the system may have more of it to read
	half      bool // the client has said that it sends no more
	eof       bool // that has been read
	heard     bool // more has come since its request began
	gone      bool // nothing can be sent to the client
	closing   bool // its request is the last: it ends once all is sent
	chunked   bool // the response is
	answered  bool // it has had a response
	afterPOST bool // its last request was POST
	deferred  bool // a later turn goes on with it
	holding   bool // the clock is held: its client does not read
}

// extra is what few connections have.
type extra struct {
	in     []byte   // read, and not yet served
	unsent []byte   // to be sent once the client reads
	body   int64    // bytes of the request's body to come
	read   int64    // bytes of it that came
	begun  *request // whose body it is
}

// The bounds of one turn of one connection.
const (
	// maxRead is the most bytes that are read at once. As many are kept of a
	// connection whose first request waits.
	maxRead = 16 << 10

	// maxMoved is how many bytes are read and sent of one connection.
	maxMoved = 16 << 10

	// maxServed is how many requests are served: a client that pipelines must not
	// make others' answers late.
	maxServed = 16

	// maxBehind is the most bytes that are read behind a request that waits.
	maxBehind = 4 << 10

	// flushSize is how many bytes are kept back until they are sent.
	flushSize = 16 << 10
)

// events are what the poller reports of a connection; and EPOLLOUT once its client
// was behind.
const events = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// add has the loop serve a connection.
func (l *loop) add(fd int, client netip.Addr) {
	if c := l.newConn(fd, client); c != nil {
		l.fresh.add(c, l.now)
		if l.draining { // another loop accepted it before
			l.lookOnce(c)
		}
	}
}

// addBack has the loop serve a connection that net/http has served, with what was
// read behind its request.
func (l *loop) addBack(fd int, client netip.Addr, from *handed) {
	c := l.newConn(fd, client)
	if c == nil {
		return
	}
	c.answered, c.more, c.handedOver, c.afterPOST = true, true, from.times, from.post
	c.keep(from.read)
	l.serve(c, 0, onDefer)
}

// newConn returns the connection of a descriptor, or closes it and returns nil.
func (l *loop) newConn(fd int, client netip.Addr) *conn {
	if l.closed || l.poller.add(fd, events) != nil {
		closeFD(fd)
		return nil
	}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, 1+len(l.conns))...)
	}
	c := &conn{fd: int32(fd), loop: l, client: l.listener.config.Limit.Client(client)}
	c.timer.Owner = c
	l.conns[fd] = c
	l.open++
	return c
}

// lookOnce serves what a fresh connection has sent before the loop drained, or
// closes it.
func (l *loop) lookOnce(c *conn) {
	c.more = true
	l.serve(c, 0, onDefer)
	if l.conns[c.fd] == c && c.list == &l.fresh {
		l.close(c)
	}
}

// remove has the loop serve a connection no longer.
func (l *loop) remove(c *conn) {
	c.leaveList()
	l.queue.Stop(&c.timer)
	c.release()
	l.conns[c.fd] = nil
	l.open--
}

// close ends a connection. A request that it has ends as one that nobody is left
// to answer.
func (l *loop) close(c *conn) {
	if l.conns[c.fd] != c {
		return
	}
	l.remove(c)
	if c.flow.Running() {
		c.flow.Cancel(flow.ErrClientGone)
	}
	c.client.Release()
	closeFD(int(c.fd))
}

// timeOut ends a connection whose time for something is over.
func (l *loop) timeOut(c *conn) {
	if c.list == &l.body {
		l.bodyLate(c)
		return
	}
	l.giveUp(c, true)
}

// onEvent does what an event of a connection asks for.
func (l *loop) onEvent(c *conn, events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.more = true
		c.half = c.half || events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	}
	if c.behind() {
		l.sendOn(c)
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

// resume goes on where an earlier turn left off.
func (l *loop) resume(c *conn) {
	switch {
	case c.behind():
	case c.flow.Running():
		c.flow.Taken()
		l.proceed(c)
	default:
		l.goOn(c)
	}
}

// proceed goes on after a step of c's flow: with the next request, once the flow
// is done.
func (l *loop) proceed(c *conn) {
	if l.conns[c.fd] == c && !l.endIfOver(c) && !c.behind() && !c.flow.Running() {
		c.heard = false
		l.goOn(c)
	}
}

// endIfOver ends a connection of which nothing is left to do, and reports whether
// it did.
func (l *loop) endIfOver(c *conn) bool {
	over := c.gone || c.closing && !c.flow.Running() && !c.behind()
	if over {
		l.close(c)
	}
	return over
}

// goOn serves what was read already, and then reads.
func (l *loop) goOn(c *conn) {
	b := c.kept()
	c.keep(nil)
	if len(b) == 0 || l.receive(c, b) {
		l.read(c)
	}
}

// read reads what has come and has the protocol receive it, until a request waits,
// nothing is left, or another turn is to go on.
func (l *loop) read(c *conn) {
	for c.more && !c.deferred {
		before := copy(l.in, c.kept())
		n, err := read(int(c.fd), l.in[before:])
		switch {
		case err == unix.EAGAIN:
			c.more = false
		case err != nil:
			l.close(c)
			return
		case n == 0:
			l.giveUp(c, false)
			return
		default:
			c.keep(nil)
			full := before+n == len(l.in)
			c.more = c.half || full
			l.moved += n
			if !l.receive(c, l.in[:before+n]) {
				return
			}
			if l.moved >= maxMoved {
				l.postpone(c)
			}
		}
	}
	switch {
	case c.deferred:
	case l.draining && (l.cut || !c.readsBody()):
		l.close(c)
	case c.list == nil:
		l.idle.add(c, l.now)
	}
}

// readWhileWaiting notes what comes of a client whose request runs: that it has
// left, or what it sends. Like net/http it reads no more once it has that, or has
// much to serve.
func (l *loop) readWhileWaiting(c *conn) {
	if !c.more || c.heard || c.eof || len(c.kept()) >= maxBehind || c.flow.Ended() {
		return
	}
	n, err := read(int(c.fd), l.in[:maxBehind])
	switch {
	case err == unix.EAGAIN:
		c.more = false
	case err != nil:
		c.gone = true
	case n == 0: // net/http sees that where a request waits
		c.eof = true
		c.gone = !c.flow.Sending()
	default:
		c.heard = true
		c.keep(append(c.kept(), l.in[:n]...))
		c.more = c.half || n == maxBehind
	}
}

// behind reports whether c's client has to read before more can be sent.
func (c *conn) behind() bool { return c.extra != nil && len(c.extra.unsent) > 0 }

// flush sends what was kept back. It reports false where the client has to read
// first, or is gone.
func (c *conn) flush() bool {
	l := c.loop
	out := l.out
	l.out = l.out[:0]
	switch {
	case c.gone:
		return false
	case c.behind():
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
	c.own().unsent = bytes.Clone(out[n:])
	l.unsent.add(c, time.Now())
	l.poller.modify(int(c.fd), events|unix.EPOLLOUT)
	if !c.flow.Ended() && !c.holding {
		c.holding = true
		l.listener.config.Engine.Clock.Hold()
	}
	return false
}

// own returns c's extra.
func (c *conn) own() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// kept returns what was read and not yet served.
func (c *conn) kept() []byte {
	if c.extra == nil {
		return nil
	}
	return c.extra.in
}

// keep sets what kept returns.
func (c *conn) keep(b []byte) {
	if len(b) > 0 || c.extra != nil {
		c.own().in = b
	}
}

// release lets the clock advance again.
func (c *conn) release() {
	if c.holding {
		c.holding = false
		c.loop.listener.config.Engine.Clock.Release()
	}
}

// sendOn sends what the client did not read before.
func (l *loop) sendOn(c *conn) {
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
	c.release()
	if !c.flow.Ended() {
		l.postpone(c) // the next part is made in its turn
		return
	}
	c.flow.Taken()
	l.proceed(c)
}
