package eventloop

import (
	"math"
	"sync"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/timerfd"
)

// timers are the timers of a loop's requests on one clock: the server's, or a run's own.
// A run's timers exist while a request on its clock is in progress. Their queue is
// parked between turns, also while the loop is busy with other requests: an advance of a
// run's clock does not wait for other runs.
type timers struct {
	loop  *loop
	clock *clock.Clock
	queue *clock.Queue

	// Used for the clock of a run.
	conns  int   // connections whose request is in progress on the clock
	parked bool  // the queue is parked
	wakeAt int64 // when the loop must run the queue; see runTimer
}

// timersOn returns the timers on c, or on the server's clock if c is nil.
func (l *loop) timersOn(c *clock.Clock) *timers {
	if c == nil {
		return &l.server
	}
	t := l.runs[c]
	if t == nil {
		t = &timers{loop: l, clock: c, wakeAt: math.MaxInt64}
		t.queue = c.NewQueue(func(in time.Duration) { l.runTimer.set(t, in) })
		l.runs[c] = t
		l.unparked = append(l.unparked, t)
	}
	t.unpark()
	return t
}

// unpark makes the queue of a run's clock active for the rest of the turn.
func (t *timers) unpark() {
	if t.parked {
		t.parked = false
		t.queue.Unpark()
		t.loop.unparked = append(t.loop.unparked, t)
	}
}

// wakeRuns unparks the queues of runs' clocks that must run.
func (l *loop) wakeRuns() {
	l.woken = l.runTimer.expired(l.runs, l.woken[:0])
	for _, t := range l.woken {
		t.unpark()
		t.queue.Fired()
	}
	clear(l.woken)
}

// parkRuns runs the due timers on runs' clocks. Then it parks their queues, and closes
// those without a request. A queue with more due timers stays active.
func (l *loop) parkRuns() {
	kept := 0
	for i := 0; i < len(l.unparked); i++ { // RunDue may unpark more
		t := l.unparked[i]
		switch more := t.queue.RunDue(batchSize); {
		case more:
			l.unparked[kept] = t
			kept++
			l.backlog = true
		case t.conns == 0:
			t.queue.Close()
			delete(l.runs, t.clock)
		default:
			t.parked = true
			t.queue.Park()
		}
	}
	clear(l.unparked[kept:])
	l.unparked = l.unparked[:kept]
}

// setTimers makes t the timers of c, whose own timer is not set. It is called in a step
// of c, or before.
func (c *conn) setTimers(t *timers) {
	if c.timers == t {
		return
	}
	c.releaseClock()
	c.queue.Detach(&c.timer)
	c.conns--
	c.timers = t
	c.conns++
}

// runTimer wakes a loop for the queues of runs' clocks. One descriptor serves all.
type runTimer struct {
	fd timerfd.Timer

	mu   sync.Mutex // taken after a clock's
	next int64      // the first wakeAt of all timers, or earlier
}

// set makes t run after the given wall time. It has the contract of a queue's wake.
func (r *runTimer) set(t *timers, in time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.wakeAt = math.MaxInt64
	if in == timerfd.Never {
		return // the timer may expire early
	}
	if now := monotonic(); int64(in) < math.MaxInt64-now {
		t.wakeAt = now + int64(in)
	}
	if t.wakeAt < r.next {
		r.next = t.wakeAt
		r.fd.Set(in)
	}
}

// expired is called after the timer has expired. It appends the timers that must run to
// due, and sets the timer for the others.
func (r *runTimer) expired(all map[*clock.Clock]*timers, due []*timers) []*timers {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := monotonic()
	r.next = math.MaxInt64
	for _, t := range all {
		if t.wakeAt <= now {
			t.wakeAt = math.MaxInt64
			due = append(due, t)
		}
		r.next = min(r.next, t.wakeAt)
	}
	if r.next < math.MaxInt64 {
		r.fd.Set(time.Duration(r.next - now))
	}
	return due
}

var started = time.Now()

// monotonic returns nanoseconds of the machine's monotonic clock.
func monotonic() int64 { return int64(time.Since(started)) }
