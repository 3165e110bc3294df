package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	delayserver "flash.test/delay-server/server"
)

// meeting runs a delay-server whose delays stand at a barrier of so many parties.
func meeting(t *testing.T, parties int) *delaytest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "barrier.yaml")
	text := fmt.Sprintf("routes:\n  - path: /delay/{any}/\n    barrier: {name: all, parties: %d}\n", parties)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return delaytest.NewServer(t, func(c *delayserver.Config) { c.Scenario = file })
}

// Nobody passes the barrier before so many stand there: the peak is no luck.
func TestConcurrentCallsAreInFlightTogether(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		peak       int
	}{
		{"all at once", "/async_get_data?calls=100", 100},
		{"three at once", "/async_get_data?calls=21&limit=3", 3},
		{"one at once", "/async_get_data?calls=20&limit=1", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := meeting(t, tc.peak)
			d := start(t, options(), srv.URL, time.Minute)
			got := d.get(t, tc.path)
			if got.StatusCode != 200 {
				t.Fatalf("GET %s = %d %s: fewer than %d in flight", tc.path, got.StatusCode, got.body, tc.peak)
			}
			delaytest.AssertConcurrent(t, srv.Run(got.Header.Get("X-Run-Id")), tc.peak)
		})
	}
}

func TestSequentialCallsAreNeverInFlightTogether(t *testing.T) {
	for _, path := range []string{"/get_data?calls=20", "/get_data?calls=20&limit=7"} {
		srv := delaytest.NewServer(t)
		d := start(t, options(), srv.URL, time.Minute)
		delaytest.AssertSequential(t, srv.Run(d.get(t, path).Header.Get("X-Run-Id")))
	}
}

// Two at once is what calls in turn can never be: each stands there alone until
// the barrier's time is over.
func TestSequentialCallsNeverPassABarrier(t *testing.T) {
	srv := meeting(t, 2)
	srv.Clock().Freeze()
	d := start(t, options(), srv.URL, time.Minute)
	answer := asked(t, d, "/get_data?calls=2", "alone")
	for range 2 {
		srv.Clock().Await(1)
		srv.Clock().Advance(10 * time.Second)
	}
	if got := <-answer; got.StatusCode != 200 || got.body != `{"r1":504,"r2":504}` {
		t.Errorf("got %d %s, want each call to stand at the barrier alone", got.StatusCode, got.body)
	}
}

// asked returns where the answer to a request of the run will be.
func asked(t *testing.T, d demo, path, run string) <-chan reply {
	answer := make(chan reply, 1)
	go func() {
		answer <- d.send(t, http.MethodGet, path, map[string]string{"X-Run-Id": run}, nil)
	}()
	return answer
}

// The lesson, on a clock that the test moves on: the sum of the waits, and the
// longest of them, to the nanosecond.
func TestSumAndSlowest(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		together   int // calls in flight whenever the clock moves
		wall       time.Duration
	}{
		{"in turn: the sum", "/get_data?calls=6&delay=1s", 1, 6 * time.Second},
		{"at once: the slowest", "/async_get_data?calls=6&delay=1s", 6, time.Second},
		{"two at once", "/async_get_data?calls=6&delay=1s&limit=2", 2, 3 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := delaytest.NewServer(t)
			srv.Clock().Freeze()
			d := start(t, options(), srv.URL, time.Minute)
			answer := asked(t, d, tc.path, "lesson")
			for range int(tc.wall / time.Second) {
				srv.Clock().Await(tc.together)
				srv.Clock().Advance(time.Second)
			}
			if got := <-answer; got.StatusCode != 200 {
				t.Fatalf("GET %s = %d %s", tc.path, got.StatusCode, got.body)
			}
			run := srv.Run("lesson").Settled()
			if run.Wall != tc.wall || run.Sum != 6*time.Second || run.PeakInFlight != tc.together {
				t.Errorf("GET %s: waits of %v in %v, %d in flight at once; want 6s, %v, %d", tc.path, run.Sum, run.Wall, run.PeakInFlight, tc.wall, tc.together)
			}
		})
	}
}
