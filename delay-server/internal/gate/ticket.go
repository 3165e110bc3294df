// Package gate provides gates that a request must pass. Pools, Barriers and Holds queue
// a Ticket until an event frees it. A Semaphore, Shares and a RateLimiter admit or refuse
// a request at once. No function blocks, except Holds.AwaitWaiting.
//
// Invariants:
//   - The lock order is gate, then clock. Waker.Wake is called under the gate's
//     lock, and must not call a gate.
//   - A ticket is at one gate at a time and in at most one wait queue. Only its owner
//     calls Enter, Leave and Timeout, one at a time.
//   - A wait ends once: the ticket is freed, leaves or times out. The gate's lock decides
//     between them. Leave and Timeout return false if the ticket was freed first.
//   - Wake is called once for a freed ticket. It may be called before Enter returns, but
//     never after Freed has reported true or after Leave or Timeout has returned.
//   - A name is in its gate's map only while a ticket is served or queued there.
package gate

import (
	"cmp"
	"strings"
	"sync"
	"time"
)

// Waker notifies the owner of a freed ticket. Wake is called under the gate's lock. It
// must be quick and must not call the gate.
type Waker interface{ Wake() }

// RunPrefix begins the names of holds, barriers and pools that belong to a run.
const RunPrefix = "run:"

// Name identifies a hold, a barrier or a pool. Name.Run is "" unless Name.Name begins with
// RunPrefix. So equal names in two runs are two, and none is equal to a shared name.
type Name struct{ Run, Name string }

// NameOf returns what the name stands for in a request of the run, which may be "".
func NameOf(run, name string) Name {
	if !strings.HasPrefix(name, RunPrefix) {
		run = ""
	}
	return Name{run, name}
}

func (n Name) compare(other Name) int {
	return cmp.Or(cmp.Compare(n.Name, other.Name), cmp.Compare(n.Run, other.Run))
}

// Ticket is a place in a wait queue. The zero Ticket with a Waker is ready to enter a
// gate. It can be used again after it was freed, has left or has timed out; at a
// pool, after it has left. Until then it must not be copied.
type Ticket struct {
	Waker Waker

	// Of the request. Run decides between names of runs, and Attempt may be chosen by
	// Holds.Release; either may be zero.
	Run     string
	Attempt int

	// Set by Enter.
	queue   *waitQueue    // nil if it passed at once or was refused
	timeout time.Duration // at a barrier or hold
	pool    *pool         // nil if it was refused
	service time.Duration // expected time with a worker of the pool

	// Guarded by the gate's lock.
	prev, next *Ticket
	end        time.Time // of service
	index      int32     // in the pool's busy heap
	state      ticketState
	err        error // returned by Freed
}

type ticketState int8

const (
	idle ticketState = iota // in no queue
	waiting
	freed
)

// Freed reports whether t was freed from its last queue. The error is nil if t passes;
// Enter documents the others. Freed takes the gate's lock: Wake must not call it.
func (t *Ticket) Freed() (bool, error) {
	if t.queue == nil {
		return false, nil
	}
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return t.state == freed, t.err
}

// reset forgets the last wait.
func (t *Ticket) reset() { *t = Ticket{Waker: t.Waker, Run: t.Run, Attempt: t.Attempt} }

// leave removes t from its queue and reports whether it was in one.
func (t *Ticket) leave() bool {
	if t.state != waiting {
		return false
	}
	t.queue.remove(t)
	t.state = idle
	return true
}

// waitQueue is a linked list of tickets in order of arrival, guarded by mu.
type waitQueue struct {
	mu          *sync.Mutex // of the gate
	name        Name
	parties     int // of a barrier
	first, last *Ticket
	len         int
	place       place[waitQueue] // among the queues of the gate
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

// free frees t, which is in q, with err.
func (q *waitQueue) free(t *Ticket, err error) {
	q.remove(t)
	t.state, t.err = freed, err
	t.Waker.Wake()
}

// release frees the first n tickets with err.
func (q *waitQueue) release(n int, err error) {
	for range n {
		q.free(q.first, err)
	}
}

// queues holds the non-empty queues of a gate by name. The zero value is ready to use.
type queues struct {
	mu      sync.Mutex
	live    map[Name]*waitQueue
	inOrder order[waitQueue] // of live
}

// get returns the queue of the name, and creates it if needed.
func (qs *queues) get(name Name) *waitQueue {
	q := qs.live[name]
	if q == nil {
		if qs.live == nil {
			qs.live = map[Name]*waitQueue{}
		}
		q = &waitQueue{mu: &qs.mu, name: name}
		qs.live[name] = q
		qs.inOrder.add(q, &q.place)
	}
	return q
}

// count returns the number of tickets in the queue of the name.
func (qs *queues) count(name Name) int {
	if q := qs.live[name]; q != nil {
		return q.len
	}
	return 0
}

func (qs *queues) dropEmpty(q *waitQueue) {
	if q.len == 0 {
		delete(qs.live, q.name)
		qs.inOrder.remove(&q.place)
	}
}

// release frees the first n tickets of q with err.
func (qs *queues) release(q *waitQueue, n int, err error) {
	q.release(n, err)
	qs.dropEmpty(q)
}

// reset frees the tickets of each queue whose name is chosen with the error of its name.
func (qs *queues) reset(chosen func(Name) bool, with func(name string) error) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	for name, q := range qs.live {
		if chosen(name) {
			qs.release(q, q.len, with(name.Name))
		}
	}
}

func everyName(Name) bool { return true }

// ofRun returns a function that chooses the names of the run, or of any run if run is "".
func ofRun(run string) func(Name) bool {
	return func(n Name) bool { return n.Run != "" && (run == "" || n.Run == run) }
}

// Leave removes t from its queue. It reports false if t is in none, such as after it
// was freed.
func (qs *queues) Leave(t *Ticket) (left bool) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if !t.leave() {
		return false
	}
	qs.dropEmpty(t.queue)
	return true
}
