package clock_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

// alarms is what a clock set the alarm of a line to, one after the other.
type alarms struct{ set []time.Duration }

func (a *alarms) take() (set []time.Duration) {
	set, a.set = a.set, nil
	return set
}

// frozenLine returns a line, which rests, of a frozen clock, with waits of which
// the first is due in that long.
func frozenLine(t *testing.T, waiting int, first time.Duration) (c *clock.Clock, l *clock.Line, a *alarms, start time.Time) {
	t.Helper()
	c, a = clock.New(), new(alarms)
	c.Freeze()
	start = c.Now()
	l = c.Line(func(in time.Duration) { a.set = append(a.set, in) })
	l.Rest(start.Add(first), waiting)
	a.take()
	return c, l, a, start
}

func TestALineCountsForAllOfItsWaits(t *testing.T) {
	c, l, _, start := frozenLine(t, 7, time.Second)
	if s := c.State(); s.Waiting != 7 || s.Next != time.Second {
		t.Errorf("State() = %+v, want 7 waiting, the next in 1s", s)
	}
	l.Rise()
	l.Rest(start.Add(2*time.Second), 6)
	if s, err := c.AwaitWaiting(t.Context(), 6); err != nil || s.Waiting != 6 || s.Next != 2*time.Second {
		t.Errorf("AwaitWaiting(6) = %+v, %v, want 6 waiting, the next in 2s", s, err)
	}
	l.Rise()
	l.Rest(time.Time{}, 0)
	if s := c.State(); s.Waiting != 0 || s.Next != 0 {
		t.Errorf("State() = %+v, want none waiting", s)
	}
	l.Rise()
	l.Leave()
}

func TestTheAlarmOfALineIsSetWhenItHasTo(t *testing.T) {
	c := clock.New()
	a := new(alarms)
	l := c.Line(func(in time.Duration) { a.set = append(a.set, in) })
	due := c.Now().Add(time.Hour)
	l.Rest(due, 1)
	if set := a.take(); len(set) != 1 || set[0] > time.Hour || set[0] < time.Hour-time.Minute {
		t.Fatalf("the alarm was set to %v, want once, for about an hour", set)
	}
	l.Rise()
	l.Rest(due, 2)
	if set := a.take(); len(set) != 0 {
		t.Errorf("the alarm was set to %v, want it left as it is: the first is the same", set)
	}
	l.Rise()
	l.Rang()
	l.Rest(due, 2)
	if set := a.take(); len(set) != 1 {
		t.Errorf("the alarm was set to %v, want it set again after it rang", set)
	}
	if err := c.Scale(0.5); err != nil {
		t.Fatal(err)
	}
	if set := a.take(); len(set) != 1 || set[0] > time.Hour/2 || set[0] < time.Hour/2-time.Minute {
		t.Errorf("at half the scale the alarm was set to %v, want about half an hour", set)
	}
	c.Freeze()
	if set := a.take(); !slices.Equal(set, []time.Duration{math.MaxInt64}) {
		t.Errorf("of a frozen clock the alarm was set to %v, want never", set)
	}
	l.Rise()
	l.Rest(time.Time{}, 0)
	if set := a.take(); !slices.Equal(set, []time.Duration{math.MaxInt64}) {
		t.Errorf("with none waiting the alarm was set to %v, want never", set)
	}
}

// An advance stops where a line has one that is due, has it rise, and goes on
// once it rests again: each wait of the line sees its very time.
func TestAdvanceStopsAtEachTimeOfALine(t *testing.T) {
	c, start := clock.New(), time.Time{}
	c.Freeze()
	start = c.Now()
	due := []time.Time{start.Add(time.Second), start.Add(3 * time.Second), start.Add(time.Hour)}
	rise := make(chan time.Duration, 1)
	l := c.Line(func(in time.Duration) {
		if in == 0 {
			rise <- in
		}
	})
	var seen []time.Duration
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for len(due) > 1 {
			l.Rest(due[0], len(due))
			<-rise
			l.Rise()
			l.Rang()
			for len(due) > 0 && !due[0].After(c.Now()) {
				seen = append(seen, c.Now().Sub(start))
				due = due[1:]
			}
		}
		l.Rest(due[0], len(due))
	}()
	if _, err := c.AwaitWaiting(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := c.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	<-ended
	if want := []time.Duration{time.Second, 3 * time.Second}; !slices.Equal(seen, want) {
		t.Errorf("the line saw %v, want %v", seen, want)
	}
	if s := c.State(); s.Waiting != 1 || s.Elapsed < time.Minute {
		t.Errorf("State() = %+v, want one left, a minute on", s)
	}
}

func TestALineThatIsAwakeHoldsUpAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l, _, _ := frozenLine(t, 0, 0)
		l.Rise()
		done := make(chan error, 1)
		go func() { done <- c.Advance(t.Context(), time.Second) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatalf("Advance returned %v while a line was awake", <-done)
		}
		l.Leave()
		if err := <-done; err != nil {
			t.Errorf("Advance after the line has left: %v", err)
		}
	})
}
