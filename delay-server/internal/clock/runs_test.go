package clock_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"flash.test/delay-server/internal/clock"
)

// ownClock returns the run's own clock, or ends the test.
func ownClock(t *testing.T, runs *clock.Runs, run string) *clock.Clock {
	t.Helper()
	c, err := runs.Make(run)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A run's clock begins at the server's time and setting. Then each goes its own way.
func TestRunClockBeginsAsTheServers(t *testing.T) {
	for name, set := range map[string]func(*testing.T, *clock.Clock){
		"never set": func(*testing.T, *clock.Clock) {},
		"scaled":    func(_ *testing.T, c *clock.Clock) { _ = c.Scale(0.5) },
		"frozen":    func(t *testing.T, c *clock.Clock) { c.Freeze(); _ = c.Scale(3); advance(t, c, time.Hour) },
	} {
		synctest.Test(t, func(t *testing.T) {
			server := clock.New()
			runs := clock.NewRuns(server)
			time.Sleep(time.Minute)
			set(t, server)
			time.Sleep(time.Minute)
			own := ownClock(t, runs, "r")
			same := func(when string) {
				t.Helper()
				if own.State() != server.State() || !own.Now().Equal(server.Now()) ||
					own.Adjusted() != server.Adjusted() {
					t.Errorf("%s, %s: got %+v at %v, want %+v at %v", name, when, own.State(), own.Now(),
						server.State(), server.Now())
				}
			}
			same("at once")
			time.Sleep(time.Minute)
			same("a minute later")
			before := server.State()
			if before.Frozen {
				advance(t, own, time.Second) // the first command
			}
			own.Freeze()
			_ = own.Scale(7)
			advance(t, own, time.Second)
			if server.State() != before {
				t.Errorf("%s: after commands to the run's clock, the server's is %+v, want %+v", name, server.State(),
					before)
			}
			before = own.State()
			server.Freeze()
			_ = server.Scale(5)
			advance(t, server, time.Minute)
			if own.State() != before {
				t.Errorf("%s: after commands to the server's clock, the run's is %+v, want %+v", name, own.State(),
					before)
			}
		})
	}
}

func TestRuns(t *testing.T) {
	var none *clock.Runs
	if none.Of("r") != nil || none.Drop("r") {
		t.Error("a nil Runs has a clock")
	}
	none.DropAll()
	runs := clock.NewRuns(clock.New())
	if runs.Of("r") != nil || runs.Of("") != nil || runs.Drop("r") {
		t.Error("a new Runs has a clock")
	}
	own := ownClock(t, runs, "r")
	if ownClock(t, runs, "r") != own || runs.Of("r") != own || runs.Of("s") != nil || runs.Of("") != nil {
		t.Error("a run has another clock than the one that was made for it")
	}
	for i := range clock.MaxRuns - 1 {
		ownClock(t, runs, fmt.Sprint(i))
	}
	if c, err := runs.Make("more"); c != nil || !errors.Is(err, clock.ErrTooManyRuns) {
		t.Errorf("Make of one more = %v, %v, want ErrTooManyRuns", c, err)
	}
	if ownClock(t, runs, "r") != own {
		t.Error("a full Runs has made another clock")
	}
	if !runs.Drop("r") || runs.Drop("r") || runs.Of("r") != nil {
		t.Error("a dropped clock is still there")
	}
	if ownClock(t, runs, "r") == own {
		t.Error("a run has the clock that was dropped")
	}
	runs.DropAll()
	for _, run := range []string{"r", "0"} {
		if runs.Of(run) != nil {
			t.Errorf("run %s has a clock after DropAll", run)
		}
	}
}

// Requests that wait on a dropped clock continue at the scale of the server's clock, also
// while that one is frozen.
func TestDroppedClocksGoOn(t *testing.T) {
	for name, drop := range map[string]func(*clock.Runs){
		"Drop":    func(r *clock.Runs) { r.Drop("r") },
		"DropAll": (*clock.Runs).DropAll,
	} {
		synctest.Test(t, func(t *testing.T) {
			server := clock.New()
			_ = server.Scale(2)
			server.Freeze()
			runs := clock.NewRuns(server)
			own := ownClock(t, runs, "r")
			_ = own.Scale(1e6)
			w := newWaiter(own)
			defer w.Leave()
			time.AfterFunc(time.Minute, func() { drop(runs) })
			if err := w.until(t.Context(), w.start.Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if got, want := w.lasted(), time.Minute+2*time.Hour; got != want {
				t.Errorf("%s after a minute: a wait of 1h took %v, want %v", name, got, want)
			}
		})
	}
}

// A command that comes too late does not stop a dropped clock.
func TestSetOfADroppedClock(t *testing.T) {
	server := clock.New()
	runs := clock.NewRuns(server)
	own := ownClock(t, runs, "r")
	if !runs.Set("r", own, (*clock.Clock).Freeze) || !own.State().Frozen {
		t.Error("Set has not frozen the clock")
	}
	for name, set := range map[string]func(*clock.Clock){
		"freeze": (*clock.Clock).Freeze,
		"scale":  func(c *clock.Clock) { _ = c.Scale(clock.MaxScale) },
	} {
		own := ownClock(t, runs, "r")
		ok := runs.Set("r", own, func(c *clock.Clock) {
			runs.Drop("r")
			set(c)
		})
		if state := own.State(); ok || state.Frozen || state.Scale != 1 {
			t.Errorf("%s of a dropped clock: %v, and the clock is %+v, want false, and it runs", name, ok, state)
		}
	}
}

// An advance of a clock that is dropped meanwhile ends.
func TestDropEndsAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := clock.NewRuns(clock.New())
		own := ownClock(t, runs, "r")
		own.Freeze()
		own.Hold()
		done := make(chan error)
		go func() { done <- own.Advance(t.Context(), time.Second) }()
		synctest.Wait()
		runs.Drop("r")
		own.Release()
		if err := <-done; !errors.Is(err, clock.ErrNotFrozen) {
			t.Errorf("Advance = %v, want ErrNotFrozen", err)
		}
	})
}

// At translates an arrival to the time of the run's clock, whenever that was made.
func TestAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := clock.New()
		begin := server.Now()
		runs := clock.NewRuns(server)
		var stamps []clock.Timestamp
		pass := func() {
			time.Sleep(time.Minute)
			stamps = append(stamps, server.Timestamp())
			time.Sleep(time.Minute)
		}
		pass()
		own := ownClock(t, runs, "r")
		want := func(when string, minutes ...int) {
			t.Helper()
			for i, m := range minutes {
				at := own.At(stamps[i])
				if got := at.Time().Sub(begin); got != time.Duration(m)*time.Minute {
					t.Errorf("%s: the arrival %d is at %v, want %dm", when, i, got, m)
				}
				if got, want := own.Lasted(at), server.Lasted(stamps[i]); got != want {
					t.Errorf("%s: the arrival %d was %v ago, want %v", when, i, got, want)
				}
			}
		}
		pass()
		want("never set", 1, 3)
		_ = own.Scale(0.5) // at minute 4
		pass()
		want("scaled", 4, 4, 6)
		own.Freeze() // at minute 8
		pass()
		want("frozen", 8, 8, 8, 8)
		advance(t, own, time.Hour)
		want("advanced", 68, 68, 68, 68)
		own.Unfreeze()
		pass()
		want("unfrozen", 68, 68, 68, 68, 70)
		if at := server.At(own.At(stamps[0])); at != stamps[0] {
			t.Errorf("back on the server's clock: %v, want %v", at.Time(), stamps[0].Time())
		}
	})
}

// A timer that is posted, even if it was stopped since, can go to the queue of another
// clock. It fires only there.
func TestDetach(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		for _, begun := range []bool{false, true} { // RunDue has begun to fire the posted timers
			from, start := frozenOwner()
			to, _ := frozenOwner()
			first, it, last := from.timer("first"), to.timer("it"), from.timer("last")
			for _, timer := range []*clock.Timer{first, it, last} {
				from.At(timer, start.Add(time.Hour))
				from.Post(timer)
			}
			if stopped {
				from.Stop(it)
			}
			if begun {
				from.RunDue(1)
			}
			from.Detach(it)
			to.Post(it)
			for from.RunDue(1) {
			}
			want := []string{"first", "last"}
			if !slices.Equal(from.fired, want) || len(to.fired) > 0 || from.Len() != 2 {
				t.Errorf("stopped %v, begun %v: %v and %v have fired, %d are left, want %v, none, and 2",
					stopped, begun, from.fired, to.fired, from.Len(), want)
			}
			to.RunDue(10)
			to.At(it, to.clock.Now())
			to.RunDue(10)
			if want := []string{"it", "it"}; !slices.Equal(to.fired, want) {
				t.Errorf("stopped %v, begun %v: %v have fired in the other queue, want %v",
					stopped, begun, to.fired, want)
			}
			to.Detach(it) // no effect
		}
	}
}

// Nothing keeps a dropped clock on which no request waits.
func TestDroppedClocksAreFreed(t *testing.T) {
	runs := clock.NewRuns(clock.New())
	dropped := func() weak.Pointer[clock.Clock] {
		own := ownClock(t, runs, "r")
		w := newWaiter(own)
		_ = w.until(t.Context(), w.start.Add(time.Millisecond))
		w.Leave()
		q := own.NewQueue(func(time.Duration) {})
		q.Park()
		q.Close()
		runs.Drop("r")
		return weak.Make(own)
	}()
	for range 10 {
		if runtime.GC(); dropped.Value() == nil {
			return
		}
	}
	t.Error("a dropped clock is still in memory")
}

// command is a step of a random game: a command to one of the clocks, or a minute's wait.
type command struct {
	clock int // negative for a wait
	name  string
	by    time.Duration
}

// game plays commands on the clocks that on allows, with a waiter and a queue of
// timers on each, and returns what each clock's waits have seen.
func game(t *testing.T, commands []command, on func(clock int) bool) (seen [3][]string) {
	synctest.Test(t, func(t *testing.T) {
		server := clock.New()
		runs := clock.NewRuns(server)
		clocks := [3]*clock.Clock{server, ownClock(t, runs, "a"), ownClock(t, runs, "b")}
		start := time.Now()
		var mu sync.Mutex
		var owners [3]*owner
		note := func(i int, what string) {
			mu.Lock()
			defer mu.Unlock()
			seen[i] = append(seen[i], fmt.Sprintf("%s at %v, %v of wall time", what, clocks[i].Now().Sub(start),
				time.Since(start)))
		}
		for i, c := range clocks {
			owners[i] = newOwner(c)
			owners[i].ticks = true
			owners[i].start(t)
		}
		for n, cmd := range commands {
			if cmd.clock < 0 {
				time.Sleep(time.Minute)
				continue
			}
			if !on(cmd.clock) {
				continue
			}
			c := clocks[cmd.clock]
			due := c.Now().Add(cmd.by)
			switch cmd.name {
			case "wait":
				go func() {
					w := newWaiter(c)
					defer w.Leave()
					if w.until(t.Context(), due) == nil {
						note(cmd.clock, fmt.Sprint("waiter ", n))
					}
				}()
			case "timer":
				o, timer := owners[cmd.clock], new(clock.Timer)
				timer.Owner = fire(func() {
					if c.Now().Before(due) { // after the Post
						o.At(timer, due)
						return
					}
					note(cmd.clock, fmt.Sprint("timer ", n))
				})
				o.Post(timer)
			case "freeze":
				c.Freeze()
			case "unfreeze":
				c.Unfreeze()
			case "scale":
				_ = c.Scale(float64(cmd.by) / float64(time.Minute))
			case "advance":
				if err := c.Advance(t.Context(), cmd.by); err != nil && !errors.Is(err, clock.ErrNotFrozen) {
					t.Error(err)
				}
			}
			synctest.Wait()
		}
	})
	for i := range seen {
		slices.Sort(seen[i]) // waits that are due at once end in any order
	}
	return seen
}

// The waits on each of three clocks see what they would see on that clock alone.
func TestClocksDoNotAffectEachOther(t *testing.T) {
	names := []string{"wait", "wait", "timer", "timer", "freeze", "unfreeze", "scale", "advance", "advance"}
	fired := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 15))
		var commands []command
		for range 100 {
			commands = append(commands, command{r.IntN(4) - 1, names[r.IntN(len(names))],
				time.Duration(1+r.IntN(300)) * time.Second})
		}
		together := game(t, commands, func(int) bool { return true })
		for i := range together {
			alone := game(t, commands, func(clock int) bool { return clock == i })
			if !slices.Equal(together[i], alone[i]) {
				t.Fatalf("seed %d: clock %d saw\n%q, alone\n%q", seed, i, together[i], alone[i])
			}
			fired += len(alone[i])
		}
	}
	if fired < 500 {
		t.Errorf("%d waits have ended, want many more", fired)
	}
}
