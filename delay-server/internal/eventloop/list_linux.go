package eventloop

import "time"

// list is a ring of connections with the same time for something, the first to
// run out of it in front. One of container/list would take an allocation a
// request.
type list struct {
	timeout time.Duration
	front   *conn // its prev is the last
}

// add puts c at the end, and takes it out of any other list.
func (l *list) add(c *conn, now time.Time) {
	c.leaveList()
	c.list, c.deadline = l, now.Add(l.timeout).UnixNano()
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
