package eventloop

import "time"

// timeoutList is a ring of connections with the same timeout, the earliest deadline
// first. container/list would allocate for each request.
type timeoutList struct {
	timeout time.Duration
	front   *conn // its prev is the last
}

// add moves c to the end of the list.
func (l *timeoutList) add(c *conn, now time.Time) {
	c.leaveList()
	c.list, c.deadline = l, now.Add(l.timeout).UnixNano()
	if l.front == nil {
		l.front, c.prev, c.next = c, c, c
		return
	}
	c.prev, c.next = l.front.prev, l.front
	c.prev.next, c.next.prev = c, c
}

// leaveList removes c from its list, if any.
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
