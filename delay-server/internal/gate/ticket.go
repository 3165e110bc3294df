// Package gate holds what a request passes by an event, not by the clock. Pools,
// Barriers and Holds queue tickets; a Semaphore, Shares and a RateLimiter admit
// or refuse at once. No request blocks here.
//
// Invariants:
//   - The lock order is gate, then clock: Waker.Wake is called under the gate's
//     lock, and must not call a gate.
//   - A ticket is at one gate at a time and in at most one wait queue. Its owner
//     alone calls Enter, Leave and Timeout, one at a time.
//   - A wait ends once. Where a ticket is freed while its owner leaves or times
//     out, the gate's lock decides, and Leave and Timeout say which it was.
//   - Wake is called once for a ticket that is freed, and never once Freed has
//     reported true or Leave or Timeout has returned. It may come before Enter
//     has returned.
//   - A name is in its gate's map only while a ticket is served or queued there.
package gate

import (
	"sync"
	"time"
)

// Waker tells the owner of a ticket that the ticket has been freed. Wake is
// called under the gate's lock by whoever frees it: it must be quick and must
// not call the gate.
type Waker interface{ Wake() }

// Ticket is one place in one wait queue. The zero Ticket with a Waker is ready to
// enter a gate. It is ready again once it has been freed, has left or has timed
// out; a pool's ticket, once it has left. Until then it must not be copied.
type Ticket struct {
	Waker Waker

	// Set by the owner in Enter.
	queue   *waitQueue    // nil where it passed at once or was refused
	timeout time.Duration // at a barrier or hold
	pool    *pool         // nil where it was refused
	service time.Duration // how long its turn takes in the pool, as far as is known

	// Guarded by the gate's lock.
	prev, next *Ticket
	end        time.Time // of its turn
	index      int32     // in the pool's turns
	state      ticketState
	err        error // that it was freed with
}

type ticketState int8

const (
	idle ticketState = iota // in no queue
	waiting
	freed
)

// Freed reports whether t has been freed from the queue that it entered last: with
// nil where it passes, or else with an error that Enter documents. It takes the
// gate's lock, so it must not be called in Wake.
func (t *Ticket) Freed() (bool, error) {
	if t.queue == nil {
		return false, nil
	}
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return t.state == freed, t.err
}

// reset forgets the last wait.
func (t *Ticket) reset() { *t = Ticket{Waker: t.Waker} }

// leave takes t out of its queue and reports whether it was in one.
func (t *Ticket) leave() bool {
	if t.state != waiting {
		return false
	}
	t.queue.remove(t)
	t.state = idle
	return true
}

// waitQueue is a list of tickets in order of arrival, guarded by mu.
type waitQueue struct {
	mu          *sync.Mutex // of the gate
	name        string
	parties     int // of a barrier
	first, last *Ticket
	len         int
}

// enqueue appends t.
func (q *waitQueue) enqueue(t *Ticket) {
	t.queue, t.state, t.prev = q, waiting, q.last
	if q.last == nil {
		q.first = t
	} else {
		q.last.next = t
	}
	q.last = t
	q.len++
}

func (q *waitQueue) remove(t *Ticket) {
	if t.prev == nil {
		q.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		q.last = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
	q.len--
}

// release frees the first n tickets with err.
func (q *waitQueue) release(n int, err error) {
	for range n {
		t := q.first
		q.remove(t)
		t.state, t.err = freed, err
		t.Waker.Wake()
	}
}

// queues are the queues of a gate by name. An empty queue is dropped. The zero
// value has none.
type queues struct {
	mu   sync.Mutex
	live map[string]*waitQueue
}

// get returns the queue of the name, which may be new.
func (qs *queues) get(name string) *waitQueue {
	q := qs.live[name]
	if q == nil {
		if qs.live == nil {
			qs.live = map[string]*waitQueue{}
		}
		q = &waitQueue{mu: &qs.mu, name: name}
		qs.live[name] = q
	}
	return q
}

// count returns the number of tickets in the queue of the name.
func (qs *queues) count(name string) int {
	if q := qs.live[name]; q != nil {
		return q.len
	}
	return 0
}

func (qs *queues) dropEmpty(q *waitQueue) {
	if q.len == 0 {
		delete(qs.live, q.name)
	}
}

// release frees the first n tickets of q with err.
func (qs *queues) release(q *waitQueue, n int, err error) {
	q.release(n, err)
	qs.dropEmpty(q)
}

// Leave takes t out of its queue. It reports false where t is in none: Freed
// tells whether it was freed at the same time.
func (qs *queues) Leave(t *Ticket) (left bool) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if !t.leave() {
		return false
	}
	qs.dropEmpty(t.queue)
	return true
}
