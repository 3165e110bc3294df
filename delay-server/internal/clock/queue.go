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
	posted atomic.Pointer[Timer] // the last one posted, and by next those before it

	// The owner's.
	timers timerHeap
	firing *Timer // posted timers that RunDue has yet to fire, the first one posted in front

	// Stored by the owner, by publish, and loaded by State.
	waiting atomic.Int64 // the number of timers
	next    atomic.Int64 // the first due time, as a Duration since the clock's start; only if waiting > 0

	// Guarded by the clock's mutex.
	parked bool
	closed bool
	stale  bool      // the next Park calls wake, even if first stays the same
	first  time.Time // the first due time at the last Park, zero for none
}

// NewQueue returns an active queue, which the caller closes after use. The clock
// calls wake, under its mutex, to have the owner run after a wall time: at once
// for 0, never for math.MaxInt64. Each call replaces the one before.
func (c *Clock) NewQueue(wake func(in time.Duration)) *Queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &Queue{clock: c, wake: wake}
	c.queues = append(c.queues, q)
	c.active.Add(1)
	return q
}

// Len returns the number of timers that have a due time. It is for the owner.
func (q *Queue) Len() int { return len(q.timers) }

// At sets when t is due, in place of any time set before. With a zero due, t
// fires only after a Post. At is for the owner.
func (q *Queue) At(t *Timer, due time.Time) {
	q.timers.set(t, due)
	q.publish()
}

// Stop drops the due time of t and a pending Post. It is for the owner.
func (q *Queue) Stop(t *Timer) {
	q.remove(t)
	t.post.CompareAndSwap(postPending, postDropped)
}

// Post has the owner fire t as soon as it runs, once for all posts until then.
// The queue is active before Post returns. A Post after Close does nothing.
func (q *Queue) Post(t *Timer) {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	if q.closed || t.post.Swap(postPending) != postNone { // it is on the list already
		return
	}
	for {
		t.next = q.posted.Load()
		if q.posted.CompareAndSwap(t.next, t) {
			break
		}
	}
	if q.parked { // Park wakes an active one
		q.ring()
	}
}

// RunDue fires up to limit timers: those posted before the call, in order, then
// those due, in order of their due times. It reports whether there are more.
// It is for the owner.
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

// Park says that the owner is about to block until it is woken or has an event of
// its own. Where posted timers are pending, the queue wakes the owner at once and
// stays active.
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

// Unpark says that the owner runs again. It does nothing where the queue is active.
func (q *Queue) Unpark() {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	q.unpark()
}

// Fired says that the time given to wake has passed, so that the next Park calls
// wake again, even for the same due time: on a scaled clock it may not quite have
// come. It is for the owner.
func (q *Queue) Fired() {
	q.clock.mu.Lock()
	defer q.clock.mu.Unlock()
	q.stale = true
}

// Close ends the queue. Timers that are left do not fire. It is for the owner.
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

// remove drops the due time of t.
func (q *Queue) remove(t *Timer) {
	if t.index > 0 {
		q.timers.remove(t)
		q.publish()
	}
}

// publish stores what State shows. It allocates nothing and takes no lock.
func (q *Queue) publish() {
	if len(q.timers) > 0 {
		if next := int64(q.timers[0].due.Sub(q.clock.start)); next != q.next.Load() {
			q.next.Store(next)
		}
	}
	q.waiting.Store(int64(len(q.timers)))
}

// pending reports whether posted timers have not been fired.
func (q *Queue) pending() bool { return q.firing != nil || q.posted.Load() != nil }

func (q *Queue) unpark() {
	if q.parked {
		q.parked = false
		q.clock.active.Add(1)
	}
}

// ring makes the queue active, and has its owner run at once.
func (q *Queue) ring() {
	q.unpark()
	q.wake(0)
	q.stale = true
}

// setWake sets when a parked queue wakes its owner, at the virtual time now.
func (q *Queue) setWake(now time.Time) {
	q.wake(q.clock.untilDue(q.first, now))
	q.stale = false
}
