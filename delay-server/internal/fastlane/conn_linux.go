package fastlane

import (
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// conn is a connection: it waits, or it is in one of the loop's lists.
type conn struct {
	clock.Timer // of a request that waits
	loop        *loop

	fd     int
	client *gate.Client // whose share of Config.Limit its requests take
	more   bool         // the system may have more of it to read
	half   bool         // the client has said that it sends no more
	rest   []byte       // read, and not yet a request's that is served

	served bool // it has had an answer
	unread bool // it is among the loop's unread: another turn goes on with it

	// Of one that waits.
	waiting bool
	asked   time.Duration
	arrived clock.Timestamp
	path    string // where Config.Paths asks for it
	last    bool   // the connection ends with its answer
	heard   bool   // more has come of the client since it waits

	// Of one that does not.
	list       *list
	prev, next *conn
	deadline   time.Time // by the machine's clock
}

// waits reports whether c has a request that has not been answered.
func (c *conn) waits() bool { return c.waiting }

// Fire answers c's request, which is due.
func (c *conn) Fire() { c.loop.due(c) }

// list is a ring of connections that have the same time for something, the
// one whose time is over first in front. One of container/list would take an
// allocation a request.
type list struct {
	timeout time.Duration
	front   *conn // its prev is the last
}

// add puts c, which is in no list, at the end.
func (l *list) add(c *conn, now time.Time) {
	c.list, c.deadline = l, now.Add(l.timeout)
	if l.front == nil {
		l.front, c.prev, c.next = c, c, c
		return
	}
	c.prev, c.next = l.front.prev, l.front
	c.prev.next, c.next.prev = c, c
}

// leaveList takes c out of its list, where it is in one.
func (c *conn) leaveList() {
	l := c.list
	if l == nil {
		return
	}
	c.prev.next, c.next.prev = c.next, c.prev
	if l.front == c {
		l.front = c.next
		if c.next == c {
			l.front = nil
		}
	}
	c.list, c.prev, c.next = nil, nil, nil
}
