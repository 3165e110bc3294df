package delaytest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// TestThousandTimes has three workers meet at a barrier, be held, and then wait
// for half a minute, a thousand times: with sleeps instead it would take hours
// and fail by chance, and one worker too late would hang it.
func TestThousandTimes(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	for i := range 1000 {
		round(t, srv, clock, fmt.Sprint(i))
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
}

func round(t *testing.T, srv *delaytest.Server, clock *delaytest.Clock, name string) {
	const workers = 3
	run, hold := srv.Run(name), srv.Hold(name)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for _, url := range []string{run.BarrierURL(name, workers), run.HoldURL(name), run.DelayURL(30 * time.Second)} {
				if _, err := fetch(context.Background(), run.HTTPClient(), url); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hold.Await(workers) // they have passed the barrier together
	hold.ReleaseN(1)
	clock.Await(workers) // two still held, until their time-out, and one that waits for its time
	run.Await(workers)
	if got := hold.Release(); got != workers-1 {
		t.Errorf("Release() = %d, want %d", got, workers-1)
	}
	clock.Await(workers)
	clock.Advance(30 * time.Second)
	working.Wait()
	delaytest.AssertConcurrent(t, run, workers)
	if got := run.Settled(); got.Requests != 3*workers || got.Wall != 30*time.Second {
		t.Errorf("the run had %d requests in %v, want %d in 30s", got.Requests, got.Wall, 3*workers)
	}
}
