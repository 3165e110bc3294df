// Package clock is where waiting happens: nothing else in the program sleeps.
// Its clock can be scaled, frozen and advanced; left alone it is the machine's.
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

	setting sync.RWMutex // taken after mu
	mode    *mode        // nil while the clock is the machine's; set with both, read with either

	advancing chan struct{} // holds the one Advance that goes on

	mu       sync.Mutex
	sleepers sleepers     // those that wait for a time
	lines    []*Line      // those that stand for many
	awake    atomic.Int64 // waiters and lines that neither sleep nor have left
	changed  cond.Cond    // of the three
	alarm    alarm        // that rings for the first of the sleepers; nil before any has slept
}

// mode is how the clock goes: at real it showed here, and since then it has
// gone on by a second in scale seconds, or not at all.
type mode struct {
	real, here time.Time
	scale      float64
	frozen     bool
}

// New returns a clock that is the machine's monotonic one until it is set
// otherwise.
func New() *Clock {
	c := &Clock{start: time.Now(), advancing: make(chan struct{}, 1)}
	c.changed.L = &c.mu
	return c
}

// Now returns the time on this clock, which never goes back.
func (c *Clock) Now() time.Time {
	_, here := c.now()
	return here
}

// now returns the time on the machine's clock, and on this one. The clock is not
// set between the two: it would go back for those who have seen it go on.
func (c *Clock) now() (real, here time.Time) {
	c.setting.RLock()
	defer c.setting.RUnlock()
	real = time.Now()
	return real, c.mode.at(real)
}

// at returns what the clock shows at a time of the machine's.
func (m *mode) at(real time.Time) time.Time {
	switch {
	case m == nil:
		return real
	case m.frozen:
		return m.here
	}
	here := m.here
	ns := float64(real.Sub(m.real)) / m.scale
	for ; ns >= math.MaxInt64; ns -= math.MaxInt64 { // a Duration goes no further
		here = here.Add(math.MaxInt64)
	}
	return here.Add(time.Duration(ns))
}

// lasts returns how long, by the machine's clock, wait takes by this one:
// rounded up, so that nobody wakes early. It is forever while the clock is frozen.
func (m *mode) lasts(wait time.Duration) time.Duration {
	switch {
	case m == nil || wait <= 0:
		return max(wait, 0)
	case m.frozen:
		return math.MaxInt64
	}
	// The comparison is with a float64 that is exactly 1<<63.
	if long := math.Ceil(float64(wait) * m.scale); long < math.MaxInt64 {
		return time.Duration(long)
	}
	return math.MaxInt64
}

// The scales that a clock can go by.
const (
	LeastScale = 1e-6
	MostScale  = 1e6
)

// CheckScale returns an error, which says what is accepted, for a scale that no
// clock can go by.
func CheckScale(scale float64) error {
	if !(scale >= LeastScale && scale <= MostScale) { // NaN is neither
		return fmt.Errorf("scale %v is not accepted; accepted: from %v to %v: how many seconds a wait of one second lasts", scale, LeastScale, MostScale)
	}
	return nil
}

// Scale makes every wait, also one that has begun, last scale times as long
// from now on: 0.1 is ten times as fast. The error is CheckScale's.
func (c *Clock) Scale(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(m *mode) { m.scale = scale })
	return nil
}

// Reset has the clock run, by the scale, from where it stands. The error is
// CheckScale's.
func (c *Clock) Reset(scale float64) error {
	if err := CheckScale(scale); err != nil {
		return err
	}
	c.set(func(m *mode) { m.scale, m.frozen = scale, false })
	return nil
}

// Freeze stops the clock: nobody's time comes but by Advance.
func (c *Clock) Freeze() { c.set(func(m *mode) { m.frozen = true }) }

// Unfreeze lets the clock go on, by its scale, from where it stands.
func (c *Clock) Unfreeze() { c.set(func(m *mode) { m.frozen = false }) }

func (c *Clock) set(change func(*mode)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setting.Lock()
	defer c.setting.Unlock()
	real := time.Now()
	next := mode{real, c.mode.at(real), 1, false}
	if c.mode != nil {
		next.scale, next.frozen = c.mode.scale, c.mode.frozen
	}
	change(&next)
	c.mode = &next
	c.setAlarm(next.here)
	for _, l := range c.lines {
		l.setAlarm(next.here)
	}
}

// State is what a clock shows.
type State struct {
	Scale   float64
	Frozen  bool
	Waiting int           // requests that wait for a time on it
	Elapsed time.Duration // on this clock, since New
	Next    time.Duration // until the first of them is due; 0 where none waits
}

// State returns what the clock shows now.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state()
}

func (c *Clock) state() State {
	now := c.Now()
	s := State{Scale: 1, Elapsed: now.Sub(c.start), Waiting: c.waiting()}
	if c.mode != nil {
		s.Scale, s.Frozen = c.mode.scale, c.mode.frozen
	}
	if first := c.first(); !first.IsZero() {
		s.Next = max(0, first.Sub(now))
	}
	return s
}

// waiting returns how many wait for a time.
func (c *Clock) waiting() int {
	n := len(c.sleepers)
	for _, l := range c.lines {
		n += l.waiting
	}
	return n
}

// first returns when the first of all is due, zero where none waits.
func (c *Clock) first() (due time.Time) {
	if len(c.sleepers) > 0 {
		due = c.sleepers[0].due
	}
	for _, l := range c.lines {
		if !l.first.IsZero() && (due.IsZero() || l.first.Before(due)) {
			due = l.first
		}
	}
	return due
}

// Adjusted reports whether the clock is, or ever was, other than the machine's.
func (c *Clock) Adjusted() bool {
	c.setting.RLock()
	defer c.setting.RUnlock()
	return c.mode != nil
}
