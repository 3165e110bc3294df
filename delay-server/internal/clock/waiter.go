package clock

import (
	"container/heap"
	"context"
	"errors"
	"time"
)

// ErrDue is returned by Waiter.Await where the time came before the event.
var ErrDue = errors.New("the time came before the event")

// Arrival is when a request came: by the machine's clock, and by this one.
type Arrival struct{ real, here time.Time }

// Time returns when that was, by the clock.
func (a Arrival) Time() time.Time { return a.here }

// Lasted returns how long ago that is by the machine's clock.
func (a Arrival) Lasted() time.Duration { return time.Since(a.real) }

// Arrival returns that of a request that comes now.
func (c *Clock) Arrival() Arrival {
	real, here := c.now()
	return Arrival{real, here}
}

// Waiter is one request's hold on the clock, which Advance does not move while
// the request is awake. It is used by one goroutine, that of the request, from
// Clock.Waiter to Leave.
type Waiter struct {
	clock   *Clock
	arrived Arrival

	// Has room for the one wake that a sleep may end by, and says what that is: nil
	// or ErrDue. It is nil before the first sleep.
	woken chan error

	// Guarded by the clock's mutex while the waiter sleeps, its own otherwise.
	due    time.Time // zero for never
	place  int       // among the clock's sleepers; -1 for none
	event  *Event    // that it awaits; nil for none
	asleep bool
}

// Waiter returns the waiter, awake, of a request that arrived then. It is paid
// back by one Leave.
func (c *Clock) Waiter(arrived Arrival) *Waiter {
	c.awake.Add(1)
	return &Waiter{clock: c, arrived: arrived, place: -1}
}

// Now returns the time on the clock.
func (w *Waiter) Now() time.Time { return w.clock.Now() }

// Entered returns when the request came, by the clock.
func (w *Waiter) Entered() time.Time { return w.arrived.Time() }

// Lasted returns how long ago that is by the machine's clock.
func (w *Waiter) Lasted() time.Duration { return w.arrived.Lasted() }

// Leave ends what the waiter is for: its request has been answered.
func (w *Waiter) Leave() {
	w.clock.awake.Add(-1)
	w.clock.changed.Notify()
}

// Until returns nil once due has come by the clock, never before it. It returns
// context.Cause(ctx) at once when ctx is done first.
func (w *Waiter) Until(ctx context.Context, due time.Time) error {
	if !w.clock.Now().Before(due) {
		return context.Cause(ctx)
	}
	if err := w.sleep(ctx, nil, due); !errors.Is(err, ErrDue) {
		return err
	}
	return nil
}

// Await returns nil once the event, which is of this waiter, has happened. It
// returns ErrDue when due comes first, which a zero due never does, and
// context.Cause(ctx) when ctx is done first.
func (w *Waiter) Await(ctx context.Context, event *Event, due time.Time) error {
	return w.sleep(ctx, event, due)
}

// Event is what one waiter awaits once.
type Event struct {
	waiter   *Waiter
	happened bool
}

// Event returns an event for the waiter to await.
func (w *Waiter) Event() *Event { return &Event{waiter: w} }

// Happen wakes the waiter, now or as soon as it awaits the event. Where it has
// ceased to await it, nothing comes of it.
func (e *Event) Happen() {
	c := e.waiter.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	e.happened = true
	if e.waiter.event == e {
		e.waiter.wake(nil)
	}
}

// sleep returns nil, ErrDue or context.Cause(ctx), by what comes first. One that
// is woken goes on without the clock's mutex: of thousands that are due at once,
// each would wait for the others.
func (w *Waiter) sleep(ctx context.Context, event *Event, due time.Time) error {
	if awake, err := w.lieDown(ctx, event, due); awake {
		return err
	}
	select {
	case why := <-w.woken:
		return why
	case <-ctx.Done():
	}
	w.clock.mu.Lock()
	defer w.clock.mu.Unlock()
	if !w.asleep { // a wake came at the same time
		return <-w.woken
	}
	w.getUp()
	return context.Cause(ctx)
}

// lieDown begins a sleep, or reports that there is nothing to sleep for, and why.
func (w *Waiter) lieDown(ctx context.Context, event *Event, due time.Time) (awake bool, why error) {
	w.clock.mu.Lock()
	defer w.clock.mu.Unlock()
	switch {
	case event != nil && event.happened:
		return true, nil
	case !due.IsZero() && !w.clock.Now().Before(due):
		return true, ErrDue
	case ctx.Err() != nil:
		return true, context.Cause(ctx)
	}
	w.asleep, w.event, w.due = true, event, due
	if w.woken == nil {
		w.woken = make(chan error, 1)
	}
	if !due.IsZero() {
		heap.Push(&w.clock.sleepers, w)
		if w.place == 0 {
			w.clock.setAlarm(w.clock.Now())
		}
	}
	w.clock.awake.Add(-1)
	w.clock.changed.Broadcast()
	return false, nil
}

// getUp ends a sleep, however it ended.
func (w *Waiter) getUp() {
	w.asleep, w.event = false, nil
	w.clock.awake.Add(1)
	if w.place >= 0 {
		heap.Remove(&w.clock.sleepers, w.place)
	}
}

// wake has a waiter that sleeps get up, and says why.
func (w *Waiter) wake(why error) {
	if w.asleep {
		w.getUp()
		w.woken <- why
	}
}

// sleepers is a heap of those that wait for a time, the first due in front.
type sleepers []*Waiter

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

func (s *sleepers) Push(w any) {
	waiter := w.(*Waiter)
	waiter.place = len(*s)
	*s = append(*s, waiter)
}

func (s *sleepers) Pop() any {
	last := len(*s) - 1
	w := (*s)[last]
	(*s)[last], *s = nil, (*s)[:last]
	w.place = -1
	return w
}
