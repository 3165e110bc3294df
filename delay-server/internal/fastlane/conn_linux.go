package fastlane

import (
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// conn is a connection: it waits, or it is in one of the loop's lists.
type conn struct {
	fd     int
	client *gate.Client // whose share of Config.Limit its requests take
	more   bool         // the system may have more of it to read
	half   bool         // the client has said that it sends no more
	rest   []byte       // read, and not yet a request's that is served

	served bool // it has had an answer
	unread bool // it is among the loop's unread: another turn goes on with it

	// Of one that waits.
	place   int // among the waiting, counted from 1; 0 for none
	asked   time.Duration
	due     time.Time
	arrived clock.Arrival
	path    string // where Config.Paths asks for it
	last    bool   // the connection ends with its answer
	heard   bool   // more has come of the client since it waits

	// Of one that does not.
	list       *list
	prev, next *conn
	deadline   time.Time // by the machine's clock
}

// waits reports whether c has a request that has not been answered.
func (c *conn) waits() bool { return c.place > 0 }

// waiting is a heap of those that wait, the first due in front.
type waiting []*conn

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].due.Before(w[j].due) }
func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i+1, j+1
}

func (w *waiting) Push(c any) {
	*w = append(*w, c.(*conn))
	c.(*conn).place = len(*w)
}

func (w *waiting) Pop() any {
	last := len(*w) - 1
	c := (*w)[last]
	(*w)[last], *w = nil, (*w)[:last]
	c.place = 0
	return c
}

// first returns when the first is due, zero where none waits.
func (w waiting) first() (due time.Time) {
	if len(w) > 0 {
		due = w[0].due
	}
	return due
}

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
