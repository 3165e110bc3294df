package clock

import (
	"math"
	"slices"
	"time"
)

// Line stands for the waits of one event loop, which keeps them by itself and
// tells the clock no more than when the first of them is due. It is awake from
// Clock.Line on, and while it is awake Advance does not move the clock.
type Line struct {
	clock *Clock
	alarm func(in time.Duration)

	// Guarded by the clock's mutex.
	first   time.Time // when the first of the waits is due; zero for none
	waiting int
	asleep  bool
	rang    bool // the alarm, since it was set for first
}

// Line returns the line of a loop. It is paid back by one Leave. The clock calls
// alarm, under its lock, to have the loop rise in that long by the machine's
// clock, in place of any time that it gave before; never, for math.MaxInt64.
func (c *Clock) Line(alarm func(in time.Duration)) *Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &Line{clock: c, alarm: alarm}
	c.lines = append(c.lines, l)
	c.awake.Add(1)
	return l
}

// Rest says that the loop does nothing until its alarm, or an event of its own:
// it keeps so many waits, of which the first is due then; zero for none.
func (l *Line) Rest(first time.Time, waiting int) {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	moved := l.rang || !first.Equal(l.first)
	l.first, l.waiting, l.asleep, l.rang = first, waiting, true, false
	if moved {
		l.setAlarm(l.clock.Now())
	}
	l.clock.awake.Add(-1)
	l.clock.changed.Broadcast()
}

// Rise ends what Rest began.
func (l *Line) Rise() {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	l.rise()
}

// Rang says that the alarm rang: the next Rest sets it, also for the same time,
// which a clock that is scaled may not quite have come to.
func (l *Line) Rang() {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	l.rang = true
}

// Leave ends what the line is for: no wait is left. The line is awake.
func (l *Line) Leave() {
	c := l.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = slices.DeleteFunc(c.lines, func(other *Line) bool { return other == l })
	c.awake.Add(-1)
	c.changed.Broadcast()
}

func (l *Line) rise() {
	if l.asleep {
		l.asleep = false
		l.clock.awake.Add(1)
	}
}

// wake has a line that sleeps rise at once.
func (l *Line) wake() {
	l.rise()
	l.alarm(0)
	l.rang = true
}

// setAlarm sets the alarm for the first of the waits, where the clock shows now.
func (l *Line) setAlarm(now time.Time) { l.alarm(l.clock.lasts(l.first, now)) }

// lasts returns how long it is, by the machine's clock, from now until due;
// forever for a zero due.
func (c *Clock) lasts(due, now time.Time) time.Duration {
	if due.IsZero() {
		return math.MaxInt64
	}
	return c.mode.lasts(due.Sub(now))
}
