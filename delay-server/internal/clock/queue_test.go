package clock_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

// owner is an event loop that only runs its queue. During run, tests call no method
// of the queue except Post.
type owner struct {
	*clock.Queue
	clock *clock.Clock
	wakes []time.Duration // arguments of wake since the last takeWakes
	woken chan struct{}   // receives for each wake with 0; buffers one
	fired []string        // names of timers, in order
	ticks bool            // wakes with other times also send to woken, when they have passed
	later *time.Timer     // of the last of them
}

func newOwner(c *clock.Clock) *owner {
	o := &owner{clock: c, woken: make(chan struct{}, 1)}
	o.Queue = c.NewQueue(func(in time.Duration) {
		o.wakes = append(o.wakes, in)
		if o.later != nil {
			o.later.Stop()
		}
		switch {
		case in == 0:
			o.wake()
		case o.ticks && in < math.MaxInt64:
			o.later = time.AfterFunc(in, o.wake)
		}
	})
	return o
}

func (o *owner) wake() {
	select {
	case o.woken <- struct{}{}:
	default:
	}
}

func (o *owner) takeWakes() (wakes []time.Duration) {
	wakes, o.wakes = o.wakes, nil
	return wakes
}

func (o *owner) takeFired() (fired []string) {
	fired, o.fired = o.fired, nil
	return fired
}

// run parks and runs what is due until done is closed. Then it closes the queue.
func (o *owner) run(done <-chan struct{}) {
	defer o.Close()
	for {
		o.Park()
		select {
		case <-o.woken:
		case <-done:
			return
		}
		o.Unpark()
		o.Fired()
		for o.RunDue(3) {
		}
	}
}

// fire is called when a timer fires.
type fire func()

func (f fire) Fire(bool) { f() }

// timer returns a timer that appends name to o.fired when it fires.
func (o *owner) timer(name string) *clock.Timer {
	return &clock.Timer{Owner: fire(func() { o.fired = append(o.fired, name) })}
}

// frozenOwner returns an owner with an active queue and a frozen clock.
func frozenOwner() (o *owner, start time.Time) {
	c, start := frozen()
	return newOwner(c), start
}

// start runs o until the test ends, in a bubble of testing/synctest.
func (o *owner) start(t *testing.T) {
	done := make(chan struct{})
	t.Cleanup(func() { close(done); synctest.Wait() })
	go o.run(done)
	synctest.Wait()
}

func TestStateCountsTimers(t *testing.T) {
	o, start := frozenOwner()
	timers := make([]*clock.Timer, 7)
	for i := range timers {
		timers[i] = o.timer("")
		o.At(timers[i], start.Add(time.Duration(i+1)*time.Second))
	}
	o.Park()
	if s := o.clock.State(); s.Waiting != 7 || s.Next != time.Second {
		t.Errorf("State() = %+v, want 7 waiting, the next in 1s", s)
	}
	o.Unpark()
	o.Stop(timers[0])
	o.Park()
	if s, err := o.clock.AwaitWaiting(t.Context(), 6); err != nil || s.Waiting != 6 || s.Next != 2*time.Second {
		t.Errorf("AwaitWaiting(6) = %+v, %v, want 6 waiting, the next in 2s", s, err)
	}
	o.Unpark()
	for _, timer := range timers[:4] {
		o.Stop(timer)
	}
	for _, timer := range timers[4:] {
		o.At(timer, time.Time{})
	}
	o.Park()
	if s := o.clock.State(); s.Waiting != 0 || s.Next != 0 || o.Len() != 0 {
		t.Errorf("State() = %+v, %d timers, want none waiting", s, o.Len())
	}
	o.Close()
}

// An owner answers its client while it is active: by then State must not count
// the client's timer any more.
func TestStateOfAnActiveQueue(t *testing.T) {
	o, start := frozenOwner()
	defer o.Close()
	check := func(after string, waiting int, next time.Duration) {
		t.Helper()
		if s := o.clock.State(); s.Waiting != waiting || s.Next != next {
			t.Errorf("after %s: State() = %+v, want %d waiting, the next in %v", after, s, waiting, next)
		}
	}
	early, late := o.timer(""), o.timer("")
	o.At(late, start.Add(2*time.Second))
	o.At(early, start.Add(time.Second))
	check("At", 2, time.Second)
	o.Park()
	check("Park", 2, time.Second)
	o.Unpark()
	o.Stop(early)
	check("Stop", 1, 2*time.Second)
	o.At(late, start.Add(3*time.Second))
	check("At of a timer that waits", 1, 3*time.Second)
	due := &clock.Timer{Owner: fire(func() { check("the begin of Fire", 1, 3*time.Second) })}
	o.At(due, start)
	check("At of a timer that is due", 2, 0)
	o.RunDue(10)
	check("RunDue", 1, 3*time.Second)
	o.At(late, time.Time{})
	check("At with a zero due", 0, 0)
}

func TestAQueueIsWokenInTime(t *testing.T) {
	o := newOwner(clock.New())
	timer := o.timer("")
	o.At(timer, o.clock.Now().Add(time.Hour))
	o.Park()
	if wakes := o.takeWakes(); len(wakes) != 1 || wakes[0] > time.Hour || wakes[0] < time.Hour-time.Minute {
		t.Fatalf("wake was called with %v, want once, with about an hour", wakes)
	}
	o.Unpark()
	o.At(o.timer(""), o.clock.Now().Add(2*time.Hour))
	o.Park()
	if wakes := o.takeWakes(); len(wakes) != 0 {
		t.Errorf("wake was called with %v, want no call: the first due time is the same", wakes)
	}
	o.Unpark()
	o.Fired()
	o.Park()
	if wakes := o.takeWakes(); len(wakes) != 1 {
		t.Errorf("wake was called with %v, want once after Fired", wakes)
	}
	if err := o.clock.Scale(0.5); err != nil {
		t.Fatal(err)
	}
	if wakes := o.takeWakes(); len(wakes) != 1 || wakes[0] > time.Hour/2 || wakes[0] < time.Hour/2-time.Minute {
		t.Errorf("at half the scale wake was called with %v, want about half an hour", wakes)
	}
	o.Unpark()
	if err := o.clock.Scale(1); err != nil {
		t.Fatal(err)
	}
	if wakes := o.takeWakes(); len(wakes) != 0 {
		t.Errorf("wake was called with %v, want no call while the queue is active", wakes)
	}
	o.Park()
	if wakes := o.takeWakes(); len(wakes) != 1 || wakes[0] < time.Hour/2 {
		t.Errorf("wake was called with %v, want one call, by the new scale", wakes)
	}
	o.clock.Freeze()
	if wakes := o.takeWakes(); !slices.Equal(wakes, []time.Duration{math.MaxInt64}) {
		t.Errorf("on a frozen clock wake was called with %v, want never", wakes)
	}
}

// Advance stops at each due time, and goes on once the queue is parked again.
func TestAdvanceStopsAtEachTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, start := frozenOwner()
		var seen []time.Duration
		for _, second := range rand.Perm(100) {
			o.At(&clock.Timer{Owner: fire(func() { seen = append(seen, o.clock.Now().Sub(start)) })},
				start.Add(time.Duration(second)*time.Second))
		}
		o.start(t)
		advance(t, o.clock, 59*time.Second)
		var want []time.Duration
		for second := range 60 {
			want = append(want, time.Duration(second)*time.Second)
		}
		if !slices.Equal(seen, want) {
			t.Errorf("the timers saw\n%v, want\n%v", seen, want)
		}
		if s := o.clock.State(); s.Waiting != 40 || s.Next != time.Second || s.Elapsed < 59*time.Second {
			t.Errorf("State() = %+v, want 40 waiting, the next in 1s, and 59s elapsed", s)
		}
	})
}

// advancing reports whether an Advance by a second blocks until end is called. It is
// called in a bubble.
func advancing(t *testing.T, c *clock.Clock, end func()) bool {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Advance(t.Context(), time.Second) }()
	synctest.Wait()
	waits := len(done) == 0
	end()
	if err := <-done; err != nil {
		t.Errorf("Advance = %v, want nil", err)
	}
	return waits
}

func TestAdvanceWaitsForActive(t *testing.T) {
	for name, begin := range map[string]func(c *clock.Clock) (end func()){
		"a queue, until it is closed": func(c *clock.Clock) func() { return newOwner(c).Close },
		"a queue, until it is parked": func(c *clock.Clock) func() { return newOwner(c).Park },
		"a queue that was parked": func(c *clock.Clock) func() {
			o := newOwner(c)
			o.Park()
			o.Unpark()
			o.Unpark() // no effect
			return o.Park
		},
		"a hold":       func(c *clock.Clock) func() { c.Hold(); return c.Release },
		"the 2nd hold": func(c *clock.Clock) func() { c.Hold(); c.Hold(); c.Release(); return c.Release },
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := frozen()
			if !advancing(t, c, begin(c)) {
				t.Errorf("%s: Advance did not wait for it", name)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		o, _ := frozenOwner()
		o.Park()
		o.Close() // of a parked queue
		o.Close()
		if advancing(t, o.clock, func() {}) {
			t.Error("Advance waits for a closed queue")
		}
	})
}

func TestPostWakesAParkedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, start := frozenOwner()
		first, second := o.timer("first"), o.timer("second")
		o.At(first, start.Add(time.Hour))
		o.Park()
		o.takeWakes()
		o.Post(first)
		o.Post(second) // has no due time
		o.Post(first)
		if wakes := o.takeWakes(); !slices.Equal(wakes, []time.Duration{0}) {
			t.Errorf("wake was called with %v, want once, with 0", wakes)
		}
		o.clock.Freeze()
		if wakes := o.takeWakes(); len(wakes) != 0 {
			t.Errorf("wake was called with %v before the owner ran, want no call: it would postpone the first", wakes)
		}
		ran := func() {
			if len(o.fired) > 0 || o.clock.Now().After(start) {
				t.Errorf("%v have fired and the clock advanced by %v before the owner ran", o.fired,
					o.clock.Now().Sub(start))
			}
			o.Unpark()
			if o.RunDue(10) {
				t.Error("RunDue reports more")
			}
			o.Park()
		}
		if !advancing(t, o.clock, ran) {
			t.Error("Advance did not wait for the posted timers")
		}
		if want := []string{"first", "second"}; !slices.Equal(o.fired, want) {
			t.Errorf("%v have fired, want %v", o.fired, want)
		}
		if wakes := o.takeWakes(); len(wakes) != 1 || o.Len() != 1 {
			t.Errorf("wake was called with %v, and %d timers have a due time, want one call for the first timer", wakes,
				o.Len())
		}
		o.Post(second)
		o.Unpark()
		o.RunDue(10)
		o.Park()
		if wakes := o.takeWakes(); !slices.Equal(wakes, []time.Duration{0, math.MaxInt64}) {
			t.Errorf("wake was called with %v, want 0, then never, as the clock is frozen", wakes)
		}
	})
}

// A queue with a pending post does not park.
func TestPostToAnActiveQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := frozenOwner()
		timer := o.timer("it")
		for round := range 2 {
			o.Post(timer)
			o.Park()
			if wakes := o.takeWakes(); len(wakes) == 0 || wakes[len(wakes)-1] != 0 {
				t.Errorf("round %d: Park called wake with %v, want 0 last", round, wakes)
			}
			if !advancing(t, o.clock, func() { o.RunDue(1); o.Park() }) {
				t.Errorf("round %d: Advance did not wait for the timer that was posted before Park", round)
			}
			if fired := o.takeFired(); len(fired) != 1 {
				t.Errorf("round %d: %v have fired, want it", round, fired)
			}
			o.Unpark()
		}
	})
}

func TestStopDropsAPost(t *testing.T) {
	o, start := frozenOwner()
	stopped, again, last := o.timer("stopped"), o.timer("again"), o.timer("last")
	o.At(stopped, start)
	for _, timer := range []*clock.Timer{stopped, again, last} {
		o.Post(timer)
	}
	o.Stop(stopped)
	o.Stop(again)
	o.Post(again)
	if !o.RunDue(2) {
		t.Error("RunDue reports no more after two of three")
	}
	o.Stop(last)
	for o.RunDue(1) {
	}
	if want := []string{"again"}; !slices.Equal(o.fired, want) {
		t.Errorf("%v have fired, want %v", o.fired, want)
	}
	o.Stop(o.timer("never queued"))
	o.Post(stopped)
	o.RunDue(10)
	if want := []string{"again", "stopped"}; !slices.Equal(o.fired, want) {
		t.Errorf("%v have fired after another Post, want %v", o.fired, want)
	}
}

func TestNothingFiresAfterClose(t *testing.T) {
	o, _ := frozenOwner()
	o.Post(o.timer("posted before"))
	o.Close()
	o.takeWakes()
	o.Post(o.timer("posted after"))
	if wakes := o.takeWakes(); o.RunDue(10) || len(o.fired) != 0 || len(wakes) != 0 {
		t.Errorf("%v have fired, and wake was called with %v, after Close", o.fired, wakes)
	}
	advance(t, o.clock, time.Hour)
}

func TestAtMovesATimer(t *testing.T) {
	o, start := frozenOwner()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	a, b, c := o.timer("a"), o.timer("b"), o.timer("c")
	o.At(a, at(1))
	o.At(b, at(2))
	o.At(c, at(3))
	o.At(a, at(4)) // back
	o.At(c, at(1)) // ahead
	if o.Len() != 3 {
		t.Errorf("%d timers are due, want 3", o.Len())
	}
	o.Park()
	for _, want := range []struct {
		next  time.Duration
		fires string
	}{{time.Second, "c"}, {time.Second, "b"}, {2 * time.Second, "a"}} {
		if next := o.clock.State().Next; next != want.next {
			t.Errorf("the next is due in %v, want %v", next, want.next)
		}
		go func() {
			<-o.woken
			o.Unpark()
			o.RunDue(10)
			o.Park()
		}()
		advance(t, o.clock, want.next)
		if fired := o.takeFired(); !slices.Equal(fired, []string{want.fires}) {
			t.Errorf("%v have fired, want %v", fired, want.fires)
		}
	}
}

// RunDue fires posted timers first, and not more than the limit.
func TestRunDueHasALimit(t *testing.T) {
	o, start := frozenOwner()
	for _, timer := range []struct {
		name string
		due  time.Duration
	}{{"due 2nd", -time.Second}, {"due 3rd", 0}, {"due 1st", -time.Hour}, {"due later", 1}} {
		o.At(o.timer(timer.name), start.Add(timer.due))
	}
	again := o.timer("again")
	o.Post(o.timer("posted 1st"))
	o.Post(&clock.Timer{Owner: fire(func() {
		o.fired = append(o.fired, "posted 2nd")
		o.Post(again) // for the next call, so that due timers are not postponed forever
	})})
	o.Post(o.timer("posted 3rd"))
	for i, want := range []struct {
		fired []string
		more  bool
	}{
		{[]string{"posted 1st", "posted 2nd"}, true},
		{[]string{"posted 3rd", "due 1st"}, true},
		{[]string{"again", "due 2nd"}, true},
		{[]string{"due 3rd"}, false},
		{nil, false},
	} {
		more := o.RunDue(2)
		if fired := o.takeFired(); !slices.Equal(fired, want.fired) || more != want.more {
			t.Errorf("call %d of RunDue(2) fired %v and reports more: %v; want %v, %v", i+1, fired, more, want.fired,
				want.more)
		}
	}
	if o.RunDue(0) || o.Len() != 1 {
		t.Errorf("%d timers are left, want 1", o.Len())
	}
}

// Concurrent posts are not lost, and the clock does not move before their timers have
// fired.
func TestConcurrentPosts(t *testing.T) {
	const posters, posts = 8, 500
	c, start := frozen()
	var moved atomic.Int64
	owners := []*owner{newOwner(c), newOwner(c)}
	done := make(chan struct{})
	var running, posting sync.WaitGroup
	for _, o := range owners {
		// Posted by all; its due time changes at each Fire.
		shared := &clock.Timer{}
		shared.Owner = fire(func() { o.At(shared, c.Now().Add(time.Second)) })
		for range posters {
			posting.Go(func() {
				fired := make(chan time.Time, 1)
				timer := &clock.Timer{Owner: fire(func() { fired <- c.Now() })}
				for range posts {
					c.Hold()
					c.State() // returns after a step of an Advance that has not seen the hold
					before := c.Now()
					o.Post(timer)
					o.Post(shared)
					c.Release()
					if at := <-fired; !at.Equal(before) {
						moved.Add(1)
					}
				}
			})
		}
		running.Go(func() { o.run(done) })
	}
	posted := make(chan struct{})
	go func() { posting.Wait(); close(posted) }()
	for over := false; !over; {
		advance(t, c, time.Millisecond)
		select {
		case <-posted:
			over = true
		default:
		}
	}
	close(done)
	running.Wait()
	if n := moved.Load(); n > 0 {
		t.Errorf("the clock moved between %d posts and their Fire", n)
	}
	if c.Now().Equal(start) {
		t.Error("the clock did not move at all")
	}
}

func TestAdvanceTimeoutCountsHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := frozen()
		c.Hold()
		c.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var timeout *clock.AdvanceTimeoutError
		if err := c.Advance(ctx, time.Second); !errors.As(err, &timeout) || timeout.Requests != 2 ||
			timeout.Left != time.Second {
			t.Errorf("Advance = %#v, want an *AdvanceTimeoutError of 2 requests with 1s left", err)
		}
	})
}
