package fastlane

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/journal"
)

const (
	// mostRead is the most bytes that are read at once, and of one connection in
	// one turn. As many are kept of a connection whose first request waits.
	mostRead = 16 << 10

	// mostServed is how many requests of one connection are served in one turn: a
	// client that pipelines is not to make others' answers late.
	mostServed = 16

	// mostRest is the most bytes that are read behind a request that waits.
	mostRest = 4 << 10

	// leastRead is how many bytes net/http looks for in a connection that has had
	// an answer, within IdleTimeout, before it takes them for a request.
	leastRead = 4
)

// converse reads what has come and serves it, until a request waits, nothing is
// left, or another turn is to go on.
func (l *loop) converse(c *conn) {
	for c.more && !c.unread {
		before := copy(l.in, c.rest)
		n, err := read(c.fd, l.in[before:])
		switch {
		case err == unix.EAGAIN:
			c.more = false
		case err != nil || n == 0:
			l.close(c)
			return
		default:
			c.rest = nil
			full := before+n == len(l.in)
			c.more = c.half || full
			if !l.serve(c, l.in[:before+n]) {
				return
			}
			if full {
				l.putOff(c)
			}
		}
	}
	switch {
	case c.unread:
	case l.draining:
		l.close(c)
	case c.list == nil:
		l.idle.add(c, l.now)
	}
}

// putOff has another turn go on with c, which does not wait.
func (l *loop) putOff(c *conn) {
	if !c.unread {
		c.unread, l.unread = true, append(l.unread, c)
	}
}

// serve serves the requests that b consists of, or puts off those above
// mostServed. It reports false where the connection has something to wait for, or
// is the loop's no longer.
func (l *loop) serve(c *conn, b []byte) bool {
	config := &l.lane.config
	for served := 0; len(b) > 0; served++ {
		if served == mostServed {
			c.rest = bytes.Clone(b)
			l.putOff(c)
			return true
		}
		arrived := config.Clock.Timestamp()
		r, n, ok := parse(b, l.lane.names)
		if !ok && c.served && len(b) < leastRead {
			c.rest = bytes.Clone(b)
			return true
		}
		if !ok || config.Canonical && !r.isCanonical() || r.wait > config.MaxDelay || c.client.Enter() != nil {
			l.handOver(c, b, nil)
			return false
		}
		c.leaveList()
		c.asked, c.arrived, c.last = r.wait, arrived, r.last
		if config.Paths {
			c.path = string(r.path)
		}
		w := c.wait()
		config.Journal.Begin(&w)
		b = b[n:]
		if r.wait > 0 {
			l.hold(c, b)
			return false
		}
		if !l.answer(c, b) {
			return false
		}
	}
	return true
}

// hold has c's request wait, and what came behind it.
func (l *loop) hold(c *conn, rest []byte) {
	c.waiting = true
	l.queue.At(&c.Timer, c.arrived.Time().Add(c.asked))
	c.rest = bytes.Clone(rest)
	switch {
	case l.cutReply != nil:
		l.cutOff(c)
	case c.more:
		l.overhear(c)
	}
}

// stop ends the wait of c's request.
func (l *loop) stop(c *conn) {
	c.waiting = false
	l.queue.Stop(&c.Timer)
}

// overhear notes what comes of a client whose request waits: that it has left,
// or what it sends. Like net/http it hears no more once it has that, or has much
// to serve.
func (l *loop) overhear(c *conn) {
	if c.heard || len(c.rest) >= mostRest {
		return
	}
	n, err := read(c.fd, l.in[:mostRest])
	switch {
	case err == unix.EAGAIN:
		c.more = false
	case err != nil || n == 0:
		l.stop(c)
		l.ended(c, l.waited(c), journal.Left)
		l.close(c)
	default:
		c.heard = true
		c.rest = append(c.rest, l.in[:n]...)
		c.more = c.half || n == mostRest
	}
}

// due answers c, whose time has come, and goes on with what came behind.
func (l *loop) due(c *conn) {
	c.waiting = false
	rest := c.rest
	c.rest, c.heard = nil, false
	if l.answer(c, rest) && l.serve(c, rest) {
		l.converse(c)
	}
}

// answer answers c's request, by one call of the system. It reports false where
// the connection is the loop's no longer: the client has left, has had its last
// answer, or does not read, and net/http goes on with it, and with rest.
func (l *loop) answer(c *conn, rest []byte) bool {
	waited, last := l.waited(c), c.last || l.draining
	t := answer.Timing{Asked: c.asked, Queued: answer.Omitted, Held: answer.Omitted, Waited: waited, Real: answer.Omitted}
	if l.lane.config.Clock.Adjusted() {
		t.Real = c.arrived.Lasted()
	}
	l.out = appendReply(l.out[:0], l.lane.head, t, l.date.at(l.now), last)
	// Before it is sent: once the client has it, it may ask again, for this place.
	l.ended(c, waited, journal.Answered)
	c.served = true
	n, err := send(c.fd, l.out)
	switch {
	case err != nil && err != unix.EAGAIN || n == len(l.out) && last:
		l.close(c)
		return false
	case n < len(l.out):
		c.last = last
		l.handOver(c, rest, l.out[n:])
		return false
	}
	return true
}

// cutOff answers c, which waits, with cutReply, the last.
func (l *loop) cutOff(c *conn) {
	l.stop(c)
	_, _ = send(c.fd, l.cutReply) // to a client that reads
	l.ended(c, l.waited(c), journal.Cut)
	l.close(c)
}

// waited returns how long c's request has waited.
func (l *loop) waited(c *conn) time.Duration {
	return l.lane.config.Clock.Now().Sub(c.arrived.Time())
}

// ended has the journal see the end of c's request.
func (l *loop) ended(c *conn, waited time.Duration, outcome journal.Outcome) {
	w := c.wait()
	w.Waited = waited
	l.lane.config.Journal.End(w, outcome)
	c.client.Leave()
	c.path = ""
}

// wait returns what the journal is to know of c's request.
func (c *conn) wait() journal.Wait {
	return journal.Wait{Method: "GET", Path: c.path, Asked: c.asked, Start: c.arrived.Time()}
}
