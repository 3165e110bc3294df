package clock

import (
	"math"
	"time"
)

// wallTimer calls a function once, the given wall time after the last call of set,
// and never for math.MaxInt64.
type wallTimer interface {
	set(in time.Duration)
	stop()
}

// runtimeTimer is a wallTimer that also works in testing/synctest.
type runtimeTimer struct{ *time.Timer }

// set stops the timer for math.MaxInt64: the runtime would keep it, and its clock.
func (t runtimeTimer) set(in time.Duration) {
	if in == math.MaxInt64 {
		t.Stop()
	} else {
		t.Reset(in)
	}
}

func (t runtimeTimer) stop() { t.Stop() }

// UseTimerfd wakes waiters by a timerfd, if the system has timerfds, until stop is
// called. The runtime's timers are up to a millisecond late, since an idle Go process
// polls in whole milliseconds. UseTimerfd is not called again before stop.
func (c *Clock) UseTimerfd() (stop func()) {
	c.replaceTimer(true)
	return func() { c.replaceTimer(false) }
}

// replaceTimer stops the current timer, and replaces it by another when one is needed.
func (c *Clock) replaceTimer(timerfd bool) {
	c.mu.Lock()
	old := c.timer
	c.timer, c.timerfd = nil, timerfd
	c.setTimer(c.Now())
	c.mu.Unlock()
	if old != nil {
		old.stop()
	}
}

// setTimer sets the timer to the first waiter's due time, at the virtual time now.
func (c *Clock) setTimer(now time.Time) {
	in := c.untilDue(c.timers.first(), now)
	if c.timer == nil {
		if in == math.MaxInt64 {
			return
		}
		c.timer = c.newTimer()
	}
	c.timer.set(in)
}

func (c *Clock) newTimer() wallTimer {
	if c.timerfd {
		if t, err := newTimerfd(c.fire); err == nil {
			return t
		}
	}
	return runtimeTimer{time.AfterFunc(math.MaxInt64, c.fire)}
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
