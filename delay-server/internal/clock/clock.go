// Package clock is where delayed requests wait, for a time or for a signal: nothing
// else makes one sleep. Its clock can be scaled, frozen and advanced; left alone it
// is the machine's. Wall time is the machine's, virtual time is this clock's.
//
// A goroutine blocks in a [Waiter]. An event loop keeps its [Timer]s in a [Queue],
// and works on them without the clock's mutex.
//
// Invariants:
//
//   - A Waiter or Queue is active or parked. Advance moves the clock only while all
//     are parked and no Hold is out.
//   - Post and Signal.Fire make active what they wake before they return. So who
//     wakes another, and only then parks or leaves, does not let the clock move in
//     between.
//   - Lock order: a lock of package gate, then the clock's mutex, then settingMu.
//     A Queue's wake is called under the clock's mutex; it must not call the clock.
//   - Never Post while holding a lock that wake takes, such as an event loop's own.
//   - Anyone may call Post. All other methods of a Queue are for its owner; At, Stop
//     and RunDue only while it is active. Owner.Fire is called by RunDue, without any
//     lock, and may call each of these but RunDue.
package clock

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/cond"
)

// Clock tells the time that requests wait by. Use New.
type Clock struct {
	start time.Time

	settingMu sync.RWMutex // taken after mu
	setting   *setting     // nil while the clock is the machine's; set with both locks, read with either

	advancing chan struct{} // holds the one Advance that goes on

	mu      sync.Mutex
	timers  timerHeap    // of waiters
	queues  []*Queue     // that are not closed
	active  atomic.Int64 // active waiters and queues, and holds
	changed cond.Cond    // of the three
	timer   wallTimer    // set to the first of timers; nil before any was
}

// setting is how the clock goes: at the wall time it showed virtual, and since
// then it has gone on by a second in scale seconds, or not at all.
type setting struct {
	wall, virtual time.Time
	scale         float64
	frozen        bool
}

// New returns a clock that is the machine's monotonic one until it is set
// otherwise.
func New() *Clock {
	c := &Clock{start: time.Now(), advancing: make(chan struct{}, 1)}
	c.changed.L = &c.mu
	return c
}

// Hold counts one request as active until Release: it is still being answered,
// such as to a client that does not read. It is called by what is active.
func (c *Clock) Hold() { c.active.Add(1) }

// Release undoes one Hold.
func (c *Clock) Release() {
	c.active.Add(-1)
	c.changed.Notify()
}

// Now returns the time on this clock, which never goes back.
func (c *Clock) Now() time.Time {
	_, virtual := c.now()
	return virtual
}

// now returns the wall and the virtual time. The clock is not set between the
// two: a reader that has seen it go on would see it go back.
func (c *Clock) now() (wall, virtual time.Time) {
	c.settingMu.RLock()
	defer c.settingMu.RUnlock()
	wall = time.Now()
	return wall, c.setting.toVirtual(wall)
}

// toVirtual returns the virtual time at a wall time.
func (s *setting) toVirtual(wall time.Time) time.Time {
	switch {
	case s == nil:
		return wall
	case s.frozen:
		return s.virtual
	}
	virtual := s.virtual
	ns := float64(wall.Sub(s.wall)) / s.scale
	for ; ns >= math.MaxInt64; ns -= math.MaxInt64 { // a Duration goes no further
		virtual = virtual.Add(math.MaxInt64)
	}
	return virtual.Add(time.Duration(ns))
}

// toWall returns how long a virtual wait takes in wall time: rounded up, so that
// nobody wakes early. It is forever while the clock is frozen.
func (s *setting) toWall(wait time.Duration) time.Duration {
	switch {
	case s == nil || wait <= 0:
		return max(wait, 0)
	case s.frozen:
		return math.MaxInt64
	}
	// The comparison is with a float64 that is exactly 1<<63.
	if long := math.Ceil(float64(wait) * s.scale); long < math.MaxInt64 {
		return time.Duration(long)
	}
	return math.MaxInt64
}

// untilDue returns the wall time from the virtual time now until due, forever for
// a zero due.
func (c *Clock) untilDue(due, now time.Time) time.Duration {
	if due.IsZero() {
		return math.MaxInt64
	}
	return c.setting.toWall(due.Sub(now))
}

// The scales that a clock can go by.
const (
	MinScale = 1e-6
	MaxScale = 1e6
)

// CheckScale returns an error, which says what is accepted, for a scale that no
// clock can go by.
func CheckScale(scale float64) error {
	if !(scale >= MinScale && scale <= MaxScale) { // NaN is neither
		return fmt.Errorf("scale %v is not accepted; accepted: from %v to %v: how many seconds a wait of one second lasts", scale, MinScale, MaxScale)
	}
	return nil
}

// Scale makes every wait, also one that has begun, last scale times as long
// from now on: 0.1 is ten times as fast. The error is CheckScale's.
func (c *Clock) Scale(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(s *setting) { s.scale = scale })
	return nil
}

// Reset has the clock run, by the scale, from where it stands. The error is
// CheckScale's.
func (c *Clock) Reset(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(s *setting) { s.scale, s.frozen = scale, false })
	return nil
}

// Freeze stops the clock: nobody's time comes but by Advance.
func (c *Clock) Freeze() { c.set(func(s *setting) { s.frozen = true }) }

// Unfreeze lets the clock go on, by its scale, from where it stands.
func (c *Clock) Unfreeze() { c.set(func(s *setting) { s.frozen = false }) }

func (c *Clock) set(change func(*setting)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settingMu.Lock()
	defer c.settingMu.Unlock()
	wall := time.Now()
	next := setting{wall, c.setting.toVirtual(wall), 1, false}
	if c.setting != nil {
		next.scale, next.frozen = c.setting.scale, c.setting.frozen
	}
	change(&next)
	c.setting = &next
	c.setTimer(next.virtual)
	for _, q := range c.queues {
		if q.parked {
			q.setWake(next.virtual)
		} else {
			q.stale = true // a wake that is pending is not to be put off
		}
	}
}

// State is what a clock shows. A wait that ends leaves Waiting and Next before its
// request is answered. While event loops run, Next may be of an instant after
// Waiting was read.
type State struct {
	Scale   float64
	Frozen  bool
	Waiting int           // requests that wait for a time on it
	Elapsed time.Duration // on this clock, since New
	Next    time.Duration // until the first of them is due; 0 if none waits
}

// State returns what the clock shows now.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state()
}

func (c *Clock) state() State {
	elapsed := c.Now().Sub(c.start)
	s := State{Scale: 1, Elapsed: elapsed, Waiting: len(c.timers)}
	if c.setting != nil {
		s.Scale, s.Frozen = c.setting.scale, c.setting.frozen
	}
	next := time.Duration(math.MaxInt64)
	if len(c.timers) > 0 {
		next = c.timers.first().Sub(c.start)
	}
	for _, q := range c.queues {
		if n := q.waiting.Load(); n > 0 {
			s.Waiting += int(n)
			next = min(next, time.Duration(q.next.Load()))
		}
	}
	if s.Waiting > 0 {
		s.Next = max(0, next-elapsed)
	}
	return s
}

// waiting returns the number of timers that have a due time.
func (c *Clock) waiting() int {
	n := len(c.timers)
	for _, q := range c.queues {
		n += int(q.waiting.Load())
	}
	return n
}

// first returns the first due time, zero if there is none. All queues are parked.
func (c *Clock) first() time.Time {
	due := c.timers.first()
	for _, q := range c.queues {
		if !q.first.IsZero() && (due.IsZero() || q.first.Before(due)) {
			due = q.first
		}
	}
	return due
}

// Adjusted reports whether the clock is, or ever was, other than the machine's.
func (c *Clock) Adjusted() bool {
	c.settingMu.RLock()
	defer c.settingMu.RUnlock()
	return c.setting != nil
}
