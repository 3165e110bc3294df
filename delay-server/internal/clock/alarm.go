package clock

import (
	"math"
	"time"
)

// alarm calls what it was made with once, in the time that set gave last, by
// the machine's clock: never, for math.MaxInt64.
type alarm interface {
	set(in time.Duration)
	stop()
}

// runtimeAlarm is an alarm of Go's own, which also keeps the time of
// testing/synctest.
type runtimeAlarm struct{ *time.Timer }

func (a runtimeAlarm) set(in time.Duration) { a.Reset(in) }
func (a runtimeAlarm) stop()                { a.Stop() }

// Precise has those who wait be woken by the most precise alarm that the system
// has, until stop is called; where it has none that is better than Go's timers,
// it does nothing. An idle Go process polls for events to whole milliseconds, so
// that its timers are late by up to one. It is not called again before stop.
func (c *Clock) Precise() (stop func()) {
	precise, err := newPreciseAlarm(c.ring)
	if err != nil {
		return func() {}
	}
	c.change(precise)
	return func() { c.change(nil) }
}

// change puts an alarm in the place of the one that is.
func (c *Clock) change(to alarm) {
	c.mu.Lock()
	was := c.alarm
	c.alarm = to
	c.setAlarm(c.Now())
	c.mu.Unlock()
	if was != nil {
		was.stop()
	}
}

// setAlarm sets the alarm for the first of the sleepers, where the clock shows now.
func (c *Clock) setAlarm(now time.Time) {
	var due time.Time
	if len(c.sleepers) > 0 {
		due = c.sleepers[0].due
	}
	if c.alarm == nil {
		if due.IsZero() {
			return
		}
		c.alarm = runtimeAlarm{time.AfterFunc(math.MaxInt64, c.ring)}
	}
	c.alarm.set(c.lasts(due, now))
}

// ring wakes those whose time has come.
func (c *Clock) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	c.wakeSleepers(now)
	c.setAlarm(now)
}

// wakeSleepers wakes those that are due by then.
func (c *Clock) wakeSleepers(by time.Time) {
	for len(c.sleepers) > 0 && !c.sleepers[0].due.After(by) {
		c.sleepers[0].wake(ErrDue)
	}
}
