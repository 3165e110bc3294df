package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/server"
)

// barrierServer returns a delay-server whose delays wait at a barrier.
func barrierServer(t *testing.T, parties int) *delaytest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "barrier.yaml")
	text := fmt.Sprintf("routes:\n  - path: /delay/{any}/\n    barrier: {name: all, parties: %d}\n", parties)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return delaytest.NewServer(t, func(c *server.Config) { c.Scenario = file })
}

// The barrier opens only for the expected number of calls in flight.
func TestConcurrentCallsOverlap(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		peak       int
	}{
		{"all at once", "/async_get_data?calls=100", 100},
		{"three at once", "/async_get_data?calls=21&limit=3", 3},
		{"one at once", "/async_get_data?calls=20&limit=1", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := barrierServer(t, tc.peak)
			d := start(t, options(), srv.URL, time.Minute)
			got := d.get(t, tc.path)
			if got.StatusCode != 200 {
				t.Fatalf("GET %s = %d %s: fewer than %d in flight", tc.path, got.StatusCode, got.body, tc.peak)
			}
			delaytest.AssertConcurrent(t, srv.Run(got.Header.Get("X-Run-Id")), tc.peak)
		})
	}
}

func TestSequentialCallsDoNotOverlap(t *testing.T) {
	for _, path := range []string{"/get_data?calls=20", "/get_data?calls=20&limit=7"} {
		srv := delaytest.NewServer(t)
		d := start(t, options(), srv.URL, time.Minute)
		delaytest.AssertSequential(t, srv.Run(d.get(t, path).Header.Get("X-Run-Id")))
	}
}

// Each call waits alone until the barrier times out.
func TestSequentialCallsNeverPassABarrier(t *testing.T) {
	srv := barrierServer(t, 2)
	srv.Clock().Freeze()
	d := start(t, options(), srv.URL, time.Minute)
	response := sendRun(t, d, "/get_data?calls=2", "alone")
	for range 2 {
		srv.Clock().Await(1)
		srv.Clock().Advance(10 * time.Second)
	}
	if got := <-response; got.StatusCode != 200 || got.body != `{"r1":504,"r2":504}` {
		t.Errorf("got %d %s, want each call to wait alone", got.StatusCode, got.body)
	}
}

// sendRun makes a request with a run ID in another goroutine.
func sendRun(t *testing.T, d demo, path, runID string) <-chan reply {
	response := make(chan reply, 1)
	go func() {
		response <- d.send(t, http.MethodGet, path, map[string]string{"X-Run-Id": runID}, nil)
	}()
	return response
}

// On a manual clock, the times are exact.
func TestSumAndSlowest(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		inFlight   int // whenever the clock advances
		wall       time.Duration
	}{
		{"sequential takes the sum", "/get_data?calls=6&delay=1s", 1, 6 * time.Second},
		{"concurrent takes the slowest", "/async_get_data?calls=6&delay=1s", 6, time.Second},
		{"two at once", "/async_get_data?calls=6&delay=1s&limit=2", 2, 3 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := delaytest.NewServer(t)
			srv.Clock().Freeze()
			d := start(t, options(), srv.URL, time.Minute)
			response := sendRun(t, d, tc.path, "lesson")
			for range int(tc.wall / time.Second) {
				srv.Clock().Await(tc.inFlight)
				srv.Clock().Advance(time.Second)
			}
			if got := <-response; got.StatusCode != 200 {
				t.Fatalf("GET %s = %d %s", tc.path, got.StatusCode, got.body)
			}
			run := srv.Run("lesson").Settled()
			if run.Wall != tc.wall || run.Sum != 6*time.Second || run.PeakInFlight != tc.inFlight {
				t.Errorf("GET %s: waits of %v in %v, %d in flight; want 6s, %v, %d",
					tc.path, run.Sum, run.Wall, run.PeakInFlight, tc.wall, tc.inFlight)
			}
		})
	}
}
