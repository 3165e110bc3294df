package journal_test

import (
	"errors"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/journal"
)

// withClocks returns a journal with a frozen server's clock, and that clock.
func withClocks(t *testing.T) (*journal.Journal, *clock.Clock) {
	t.Helper()
	server := clock.New()
	server.Freeze()
	j := journal.New(100, server.Now, func(journal.Wait) {})
	j.Clocks = clock.NewRuns(server)
	return j, server
}

func makeClock(t *testing.T, j *journal.Journal, run string) *clock.Clock {
	t.Helper()
	c, err := j.MakeClock(run)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func advance(t *testing.T, c *clock.Clock, d time.Duration) {
	t.Helper()
	if err := c.Advance(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// begin begins a wait of run r on c, nil for the server's clock.
func begin(j *journal.Journal, c, server *clock.Clock) (w *journal.Wait, ok bool) {
	on := c
	if on == nil {
		on = server
	}
	w = &journal.Wait{Run: "r", Method: "GET", Path: "/", Start: on.Now(), Clock: c}
	return w, j.Begin(w, new(journal.Request))
}

// A run has a clock made for it only while none of its requests is in flight.
func TestMakeClock(t *testing.T) {
	j, server := withClocks(t)
	first, _ := begin(j, nil, server)
	second, _ := begin(j, nil, server)
	for _, want := range []struct {
		says string
		end  func()
	}{
		{"2 requests of it wait on the server's clock", func() { j.End(*first, journal.Answered) }},
		{"1 request of it waits on the server's clock", func() { j.BeforeLastByte(second) }}, // its client may go on
	} {
		var inFlight *journal.RunInFlightError
		if c, err := j.MakeClock("r"); c != nil || !errors.As(err, &inFlight) || err.Error() != want.says {
			t.Errorf("MakeClock = %v, %v, want %q", c, err, want.says)
		}
		want.end()
	}
	own := makeClock(t, j, "r")
	if makeClock(t, j, "r") != own || makeClock(t, j, "new") == own {
		t.Error("MakeClock has made two clocks for a run, or one for two")
	}
	if third, ok := begin(j, own, server); !ok || makeClock(t, j, "r") != own {
		t.Error("a run with a request on its own clock has another clock")
	} else {
		j.End(*third, journal.Answered)
	}
	j.End(*second, journal.Answered)
}

// A wait begins only on the clock that its run has.
func TestBeginOnAnotherClock(t *testing.T) {
	j, server := withClocks(t)
	own := makeClock(t, j, "r")
	_, onServers := begin(j, nil, server)
	w, onOwn := begin(j, own, server)
	j.Forget("r")
	_, onDropped := begin(j, own, server)
	if onServers || !onOwn || onDropped {
		t.Errorf("begins on the server's clock: %v, on its own: %v, on a dropped one: %v; want only the second",
			onServers, onOwn, onDropped)
	}
	if n := j.Waiting(); n != 1 {
		t.Errorf("%d wait, want 1", n)
	}
	j.End(*w, journal.Answered)
	if run, ok := j.Run("r"); ok {
		t.Errorf("the run is %+v, want none: it was forgotten", run)
	}
}

// The times of a run with its own clock are that clock's.
func TestTimesOfARunWithItsOwnClock(t *testing.T) {
	j, server := withClocks(t)
	before, _ := begin(j, nil, server)
	advance(t, server, time.Second)
	j.End(*before, journal.Answered)
	own := makeClock(t, j, "r")
	own.Freeze()
	advance(t, server, time.Hour)
	first, _ := begin(j, own, server)
	advance(t, own, 2*time.Second)
	second, _ := begin(j, own, server)
	j.End(*first, journal.Answered)
	advance(t, own, 3*time.Second)
	want := []time.Duration{0, time.Second, time.Second, 3 * time.Second, 3 * time.Second, 6 * time.Second}
	check := func(when string, run journal.Run) {
		t.Helper()
		var got []time.Duration
		for _, w := range run.Waits {
			got = append(got, w.Start, w.End)
		}
		if len(got) != len(want) || run.Wall != 6*time.Second {
			t.Fatalf("%s: got %v in %v, want %v in 6s", when, got, run.Wall, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", when, got, want)
				break
			}
		}
	}
	run, _ := j.Run("r")
	check("one in flight", run)
	if all := j.Runs(); len(all) != 1 || all[0].Wall != 6*time.Second {
		t.Errorf("Runs = %+v, want one of 6s", all)
	}
	j.End(*second, journal.Answered)
	run, err := j.Await(t.Context(), "r", journal.Summary.Settled)
	if err != nil {
		t.Error(err)
	}
	check("settled", run)
}

// Forgetting a run drops its clock.
func TestForgetDropsTheClock(t *testing.T) {
	j, _ := withClocks(t)
	if j.Forget("r") {
		t.Error("an unknown run is forgotten")
	}
	makeClock(t, j, "r")
	if !j.Forget("r") || j.Forget("r") || j.Clocks.Of("r") != nil {
		t.Error("a run that has only a clock is not forgotten once")
	}
	makeClock(t, j, "r")
	makeClock(t, j, "s")
	if j.ForgetAll(); j.Clocks.Of("r") != nil || j.Clocks.Of("s") != nil {
		t.Error("ForgetAll does not drop the clocks")
	}
}
