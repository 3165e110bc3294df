package clock

import (
	"math"
	"time"
)

// wallTimer calls the function that it was made with once, the given wall time
// after the last call of set: never for math.MaxInt64.
type wallTimer interface {
	set(in time.Duration)
	stop()
}

// runtimeTimer is a wallTimer that also works in testing/synctest.
type runtimeTimer struct{ *time.Timer }

func (t runtimeTimer) set(in time.Duration) { t.Reset(in) }
func (t runtimeTimer) stop()                { t.Stop() }

// UseTimerfd has waiters woken by a timerfd, where the system has one, until stop
// is called. An idle Go process polls in whole milliseconds, so the runtime's own
// timers are up to one late. UseTimerfd is not called again before stop.
func (c *Clock) UseTimerfd() (stop func()) {
	t, err := newTimerfd(c.fire)
	if err != nil {
		return func() {}
	}
	c.replaceTimer(t)
	return func() { c.replaceTimer(nil) }
}

// replaceTimer stops the current timer. A nil t stands for the runtime's.
func (c *Clock) replaceTimer(t wallTimer) {
	c.mu.Lock()
	old := c.timer
	c.timer = t
	c.setTimer(c.Now())
	c.mu.Unlock()
	if old != nil {
		old.stop()
	}
}

// setTimer sets the timer to the first waiter's due time, at the virtual time now.
func (c *Clock) setTimer(now time.Time) {
	first := c.timers.first()
	if c.timer == nil {
		if first.IsZero() {
			return
		}
		c.timer = runtimeTimer{time.AfterFunc(math.MaxInt64, c.fire)}
	}
	c.timer.set(c.untilDue(first, now))
}

// fire wakes the waiters that are due.
func (c *Clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	c.fireWaiters(now)
	c.setTimer(now)
}

// fireWaiters wakes the waiters that are due at the virtual time now.
func (c *Clock) fireWaiters(now time.Time) {
	for c.timers.due(now) {
		c.timers[0].Owner.Fire(true)
	}
}
