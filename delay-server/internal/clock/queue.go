package clock

import (
	"slices"
	"sync/atomic"
	"time"
)

// Queue holds the timers of one owner, such as an event loop. It is active while
// the owner runs, and parked while the owner blocks. Use Clock.NewQueue.
type Queue struct {
	clock  *Clock
	wake   func(in time.Duration)
	posted atomic.Pointer[Timer] // posted timers, the last posted first

	// Used by the owner.
	timers timerHeap
	firing *Timer // posted timers that RunDue has yet to fire, the first posted first

	// Stored by publish, loaded by State.
	waiting atomic.Int64 // the number of timers
	next    atomic.Int64 // the first due time, as a Duration since the clock's start; only if waiting > 0

	// Guarded by the clock's mutex.
	parked bool
	closed bool
	stale  bool      // the next Park calls wake even if first stays the same
	first  time.Time // the first due time at the last Park, zero for none
}

// NewQueue returns an active queue. The caller calls Close after use. The clock
// calls wake, under its mutex, to make the owner run after the given wall time: at
// once for 0, never for math.MaxInt64. Each call replaces the one before.
func (c *Clock) NewQueue(wake func(in time.Duration)) *Queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &Queue{clock: c, wake: wake}
	c.queues = append(c.queues, q)
	c.active.Add(1)
	return q
}

// Len returns the number of timers with a due time. Only the owner calls it.
func (q *Queue) Len() int { return len(q.timers) }

// At sets the due time of t. With a zero due, t fires only after a Post. Only the
// owner calls At.
func (q *Queue) At(t *Timer, due time.Time) {
	q.timers.set(t, due)
	q.publish()
}

// Stop drops the due time of t and a pending Post. Only the owner calls it.
func (q *Queue) Stop(t *Timer) {
	q.remove(t)
	t.post.CompareAndSwap(postPending, postDropped)
}

// Detach is Stop of a timer that another queue will use. Only the owner calls it.
func (q *Queue) Detach(t *Timer) {
	q.remove(t)
	if t.post.Load() == postNone {
		return
	}
	q.clock.mu.Lock() // no Post may change the lists
	defer q.clock.mu.Unlock()
	q.posted.Store(without(q.posted.Load(), t))
	q.firing = without(q.firing, t)
	t.post.Store(postNone)
}

// Post makes the owner fire t soon, once for all posts until then. The queue is
// active before Post returns. A Post after Close does nothing.
func (q *Queue) Post(t *Timer) {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	if q.closed || t.post.Swap(postPending) != postNone { // it is in the list already
		return
	}
	for {
		t.next = q.posted.Load()
		if q.posted.CompareAndSwap(t.next, t) {
			break
		}
	}
	if q.parked { // Park of an active queue sees t
		q.ring()
	}
}

// RunDue fires up to limit timers: first the posted ones in order, then the due ones
// by due time. A Post during the call counts for the next call. RunDue reports
// whether there are more. Only the owner calls it.
func (q *Queue) RunDue(limit int) (more bool) {
	if q.firing == nil {
		for t := q.posted.Swap(nil); t != nil; {
			next := t.next
			t.next, q.firing = q.firing, t
			t = next
		}
	}
	for ; limit > 0 && q.firing != nil; limit-- {
		t := q.firing
		q.firing, t.next = t.next, nil // before t may be posted again
		if t.post.Swap(postNone) == postPending {
			t.Owner.Fire(false)
		}
	}
	now := q.clock.Now()
	for ; limit > 0 && q.timers.due(now); limit-- {
		t := q.timers[0]
		q.remove(t) // before Fire, which may answer a client that then asks for the State
		t.Owner.Fire(true)
	}
	return q.pending() || q.timers.due(now)
}

// Park is called by the owner before it blocks until wake or another event. If
// posted timers are pending, the queue wakes the owner at once and stays active.
func (q *Queue) Park() {
	c := q.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	first := q.timers.first()
	q.stale = q.stale || !first.Equal(q.first)
	q.first = first
	if q.pending() {
		q.ring()
	} else {
		q.parked = true
		if q.stale {
			q.setWake(c.Now())
		}
		c.active.Add(-1)
	}
	c.changed.Broadcast()
}

// Unpark is called by the owner when it runs again. It does nothing if the queue is
// active.
func (q *Queue) Unpark() {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	q.unpark()
}

// Fired is called by the owner when the time given to wake has passed. Then the next Park
// calls wake again, even for the same due time: on a scaled clock the owner may run
// slightly early.
func (q *Queue) Fired() {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	q.stale = true
}

// Close ends the queue. Remaining timers do not fire. Only the owner calls Close.
func (q *Queue) Close() {
	c := q.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.closed {
		return
	}
	q.unpark()
	q.closed, q.firing = true, nil
	q.posted.Store(nil)
	c.queues = slices.DeleteFunc(c.queues, func(other *Queue) bool { return other == q })
	c.active.Add(-1)
	c.changed.Broadcast()
}

// remove drops the due time of t, if it has one.
func (q *Queue) remove(t *Timer) {
	if t.index > 0 {
		q.timers.remove(t)
		q.publish()
	}
}

// publish stores the count and the first due time for State.
func (q *Queue) publish() {
	if len(q.timers) > 0 {
		if next := int64(q.timers[0].due.Sub(q.clock.start)); next != q.next.Load() {
			q.next.Store(next)
		}
	}
	q.waiting.Store(int64(len(q.timers)))
}

// pending reports whether there are posted timers to fire.
func (q *Queue) pending() bool { return q.firing != nil || q.posted.Load() != nil }

func (q *Queue) unpark() {
	if q.parked {
		q.parked = false
		q.clock.active.Add(1)
	}
}

// ring makes the queue active and its owner run at once.
func (q *Queue) ring() {
	q.unpark()
	q.wake(0)
	q.stale = true
}

// setWake makes a parked queue wake its owner at the first due time. The virtual time
// is now.
func (q *Queue) setWake(now time.Time) {
	q.wake(q.clock.untilDue(q.first, now))
	q.stale = false
}
