package delaytest_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
)

// Tests share a server: each run has its own clock.
func TestRunClock(t *testing.T) {
	srv := delaytest.NewServer(t)
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRunClock(t, delaytest.ServerAt(t, srv.URL), name)
		})
	}
}

func TestRunClockInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		testRunClock(t, delaytest.NewInMemoryServer(t), "r")
		if took := time.Since(start); took > 0 {
			t.Errorf("took %v in the bubble, want 0: the clock of the run is frozen, then very fast", took)
		}
	})
}

func testRunClock(t *testing.T, srv *delaytest.Server, name string) {
	run := srv.Run(name)
	clock := run.Clock()
	clock.Freeze()
	later := get(srv.HTTPClient(), run.DelayURL(5*time.Minute))
	minute := get(run.HTTPClient(), srv.DelayURL(time.Minute))
	clock.Await(2)
	if got := clock.State(); !got.Frozen || got.Waiting != 2 || got.Next != time.Minute {
		t.Errorf("State() = %+v, want it frozen, 2 waiting, next in 1m", got)
	}
	if got := srv.Clock().State(); got.Frozen || got.Waiting != 0 {
		t.Errorf("the server's clock: State() = %+v, want it running, with none waiting", got)
	}
	clock.Advance(time.Minute)
	wantStatus(t, minute, http.StatusOK)
	clock.Advance(4 * time.Minute)
	wantStatus(t, later, http.StatusOK)
	got := run.Settled()
	if got.Wall != 5*time.Minute || got.Waits[0].End+got.Waits[1].End != 6*time.Minute {
		t.Errorf("the run is %+v, want ends after 1m and 5m", got)
	}
	clock.Scale(1e-6)
	clock.Unfreeze()
	if got := run.Clock().State(); got.Frozen || got.Scale != 1e-6 {
		t.Errorf("State() after Scale and Unfreeze = %+v", got)
	}
	clock.Reset()
	if got := clock.State(); got.Frozen || got.Scale != 1 {
		t.Errorf("State() after Reset() = %+v, want scale 1, not frozen", got)
	}
}

// A test forgets a run with its own clock at its end.
func TestRunClockEndsWithTheTest(t *testing.T) {
	srv := delaytest.NewServer(t)
	t.Run("inner", func(t *testing.T) { delaytest.ServerAt(t, srv.URL).Run("r").Clock().Freeze() })
	if _, err := srv.Client().RunClock("r").State(t.Context()); !errors.Is(err, client.ProblemRunClockNotFound) {
		t.Errorf("after the test: got %v, want no clock of the run", err)
	}
}
