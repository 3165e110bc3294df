package delaytest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// TestThousandRounds runs three workers a thousand times through a barrier, a hold
// and a delay of 30 s, to find races in the Await methods.
func TestThousandRounds(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	for i := range 1000 {
		round(t, srv, clock, fmt.Sprint(i))
		if t.Failed() {
			t.Fatalf("failed in round %d", i)
		}
	}
}

func round(t *testing.T, srv *delaytest.Server, clock *delaytest.Clock, name string) {
	const workers = 3
	run, hold := srv.Run(name), srv.Hold(name)
	urls := []string{run.BarrierURL(name, workers), run.HoldURL(name), run.DelayURL(30 * time.Second)}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for _, url := range urls {
				if _, err := fetch(context.Background(), run.HTTPClient(), url); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hold.Await(workers) // all have passed the barrier
	hold.ReleaseN(1)
	clock.Await(workers) // two are held until their timeout, one is delayed
	run.Await(workers)
	if got := hold.Release(); got != workers-1 {
		t.Errorf("Release() = %d, want %d", got, workers-1)
	}
	clock.Await(workers)
	clock.Advance(30 * time.Second)
	wg.Wait()
	delaytest.AssertConcurrent(t, run, workers)
	if got := run.Settled(); got.Requests != 3*workers || got.Wall != 30*time.Second {
		t.Errorf("the run had %d requests in %v, want %d in 30s", got.Requests, got.Wall, 3*workers)
	}
}
