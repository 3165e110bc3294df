// Package clock provides a clock that can be scaled, frozen and advanced. All waiting
// requests wait on it, for a time or a signal. Wall time is the time of the machine,
// virtual time is the time of the clock. They are the same until the clock is set.
//
// A goroutine blocks in a [Waiter]. An event loop keeps its [Timer]s in a [Queue],
// and changes them without the clock's mutex.
//
// A run of requests may have a clock of its own, from [Runs]. All clocks of Runs have
// the same start, so a [Timestamp] of one can be translated to another.
//
// Invariants:
//
//   - A Waiter or Queue is active or parked. Advance moves the clock only while all
//     are parked and Hold is not in effect.
//   - Queue.Post and Signal.Fire make the target active before they return. If the
//     caller parks or leaves next, the clock does not move in between.
//   - Lock order: a lock of package gate, or of package journal and then of Runs; then
//     the mutex of one clock; then its settingMu. Nothing holds the mutexes of two clocks.
//     A Queue's wake is called under its clock's mutex; it must not call a clock.
//   - Post must not be called under a lock that wake takes.
//   - Post may be called by any goroutine, and all other methods of a Queue only by
//     its owner: At, Stop, Detach and RunDue while it is active. RunDue calls
//     Owner.Fire without any lock. Fire may call each method except RunDue.
//   - A Timer is in one Queue at a time. Its owner calls Detach before another Queue uses
//     it, when no Post of it can come any more.
package clock

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/cond"
)

// Clock is the clock that requests wait on. Use New.
type Clock struct {
	start time.Time

	settingMu sync.RWMutex // taken after mu
	setting   *setting     // nil until the clock is set; set with both locks, read with either

	advancing chan struct{} // a semaphore for Advance

	mu      sync.Mutex
	timers  timerHeap    // of waiters
	queues  []*Queue     // not closed
	active  atomic.Int64 // number of active waiters, active queues and holds
	changed cond.Cond    // broadcasts changes of timers, queues and active
	timer   wallTimer    // set to the first due time in timers; nil before one is needed
	timerfd bool         // timer is a timerfd
}

// setting maps wall time to virtual time. The clock shows virtual at wall. Each
// second after that takes scale seconds, unless the clock is frozen.
type setting struct {
	wall, virtual time.Time
	scale         float64
	frozen        bool
}

// New returns a clock that follows the machine's monotonic clock until it is set.
func New() *Clock {
	c := &Clock{start: time.Now(), advancing: make(chan struct{}, 1)}
	c.changed.L = &c.mu
	return c
}

// Hold keeps Advance from moving the clock until Release, such as while a client
// does not read its answer. An active Waiter or Queue calls it.
func (c *Clock) Hold() { c.active.Add(1) }

// Release undoes one Hold.
func (c *Clock) Release() {
	c.active.Add(-1)
	c.changed.Notify()
}

// Now returns the virtual time, which never goes back.
func (c *Clock) Now() time.Time {
	_, virtual := c.now()
	return virtual
}

// now returns the wall and the virtual time. It holds settingMu for both, so that
// the clock never goes back.
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
	for ; ns >= math.MaxInt64; ns -= math.MaxInt64 { // the longest Duration
		virtual = virtual.Add(math.MaxInt64)
	}
	return virtual.Add(time.Duration(ns))
}

// toWall returns how long a virtual wait takes in wall time. It rounds up, so that
// no wait ends early. The result is math.MaxInt64 while the clock is frozen.
func (s *setting) toWall(wait time.Duration) time.Duration {
	switch {
	case s == nil || wait <= 0:
		return max(wait, 0)
	case s.frozen:
		return math.MaxInt64
	}
	// As a float64, math.MaxInt64 is 1<<63.
	if long := math.Ceil(float64(wait) * s.scale); long < math.MaxInt64 {
		return time.Duration(long)
	}
	return math.MaxInt64
}

// untilDue returns the wall time from the virtual time now until due, math.MaxInt64
// for a zero due.
func (c *Clock) untilDue(due, now time.Time) time.Duration {
	if due.IsZero() {
		return math.MaxInt64
	}
	return c.setting.toWall(due.Sub(now))
}

// The range of scales.
const (
	MinScale = 1e-6
	MaxScale = 1e6
)

// CheckScale returns an error if scale is out of range.
func CheckScale(scale float64) error {
	if !(scale >= MinScale && scale <= MaxScale) { // NaN is neither
		return fmt.Errorf("scale %v is invalid: use a number from %.6f to %.0f", scale, MinScale, MaxScale)
	}
	return nil
}

// Scale makes the rest of all waits, current and future, last scale times as long: 0.1
// is ten times as fast. The error is from CheckScale.
func (c *Clock) Scale(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(s *setting) { s.scale = scale })
	return nil
}

// Reset unfreezes the clock and sets its scale. The error is from CheckScale.
func (c *Clock) Reset(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(s *setting) { s.scale, s.frozen = scale, false })
	return nil
}

// Freeze stops the clock. Only Advance moves it.
func (c *Clock) Freeze() { c.set(func(s *setting) { s.frozen = true }) }

// Unfreeze lets the clock continue from its current time.
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
			q.stale = true // a pending wake stays as it is
		}
	}
}

// State is a snapshot of a clock. A request leaves Waiting before it is answered.
// While an event loop runs, Next may be a moment newer than Waiting.
type State struct {
	Scale   float64
	Frozen  bool
	Waiting int           // number of requests that wait for a time on the clock
	Elapsed time.Duration // virtual time since New
	Next    time.Duration // until the first of them is due; 0 if none waits
}

// State returns the current state.
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

// waiting returns the number of timers with a due time.
func (c *Clock) waiting() int {
	n := len(c.timers)
	for _, q := range c.queues {
		n += int(q.waiting.Load())
	}
	return n
}

// first returns the first due time, zero for none, while all queues are parked.
func (c *Clock) first() time.Time {
	due := c.timers.first()
	for _, q := range c.queues {
		if !q.first.IsZero() && (due.IsZero() || q.first.Before(due)) {
			due = q.first
		}
	}
	return due
}

// Elapsed returns the virtual time from New until t.
func (c *Clock) Elapsed(t time.Time) time.Duration { return t.Sub(c.start) }

// Setting returns the scale, and whether the clock is frozen.
func (c *Clock) Setting() (scale float64, frozen bool) {
	c.settingMu.RLock()
	defer c.settingMu.RUnlock()
	if c.setting == nil {
		return 1, false
	}
	return c.setting.scale, c.setting.frozen
}

// Adjusted reports whether the clock was ever set.
func (c *Clock) Adjusted() bool {
	c.settingMu.RLock()
	defer c.settingMu.RUnlock()
	return c.setting != nil
}
