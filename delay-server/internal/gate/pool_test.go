package gate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// enter enters or fails the test.
func enter(t *testing.T, p *gate.Pools, spec gate.PoolSpec) func() {
	t.Helper()
	leave, err := enterPool(t.Context(), newWaiter(clock.New()), p, spec, 0)
	if err != nil {
		t.Fatalf("Enter(%+v): %v", spec, err)
	}
	return leave
}

func TestPoolServesInWaves(t *testing.T) {
	for _, tc := range []struct{ workers, requests, waves int }{{1, 5, 5}, {3, 10, 4}, {4, 8, 2}, {10, 3, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var p gate.Pools
			c := clock.New()
			var wg sync.WaitGroup
			start := time.Now()
			for range tc.requests {
				wg.Go(func() {
					w := newWaiter(c)
					defer w.Leave()
					leave, err := enterPool(t.Context(), w, &p, gate.PoolSpec{Name: "db", Workers: tc.workers, Queue: -1}, 0)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Second)
					leave()
				})
			}
			wg.Wait()
			if got, want := time.Since(start), time.Duration(tc.waves)*time.Second; got != want {
				t.Errorf("%d requests of 1 s by %d workers took %v, want %v", tc.requests, tc.workers, got, want)
			}
			if left := p.States(); len(left) != 0 {
				t.Errorf("pools that live on: %v", left)
			}
		})
	}
}

func TestPoolServesInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p gate.Pools
		spec := gate.PoolSpec{Name: "db", Workers: 1, Queue: -1}
		leave := enter(t, &p, spec)
		var served []int
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				leave := enter(t, &p, spec)
				served = append(served, i) // one worker: no two write at once
				leave()
			})
			synctest.Wait() // i stands in the queue
		}
		leave()
		wg.Wait()
		if !slices.IsSorted(served) || len(served) != 100 {
			t.Errorf("served in the order %v", served)
		}
	})
}

func TestPoolFullConflictAndNewDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p gate.Pools
		spec := gate.PoolSpec{Name: "db", Workers: 1, Queue: 1}
		leave := enter(t, &p, spec)
		queued := make(chan func())
		go func() { queued <- enter(t, &p, spec) }()
		synctest.Wait()
		var full *gate.PoolFullError
		if _, err := enterPool(t.Context(), newWaiter(clock.New()), &p, spec, 0); !errors.As(err, &full) {
			t.Errorf("Enter of a full pool = %v, want a *PoolFullError", err)
		}
		var conflict *gate.PoolMismatchError
		for _, other := range []gate.PoolSpec{{Name: "db", Workers: 2, Queue: 1}, {Name: "db", Workers: 1, Queue: -1}} {
			if _, err := enterPool(t.Context(), newWaiter(clock.New()), &p, other, 0); !errors.As(err, &conflict) || conflict.Current != spec {
				t.Errorf("Enter(%+v) of a live pool %+v = %v, want a *PoolMismatchError", other, spec, err)
			}
		}
		if got := p.States(); len(got) != 1 || got[0] != (gate.PoolState{Name: "db", Busy: 1, Queued: 1}) {
			t.Errorf("States() = %+v, want db with 1 busy and 1 queued", got)
		}
		enter(t, &p, gate.PoolSpec{Name: "other", Workers: 1})() // another name is another pool
		leave()
		(<-queued)()
		enter(t, &p, gate.PoolSpec{Name: "db", Workers: 9, Queue: 9})() // once it is empty it may be defined anew
	})
}

func TestPoolLeavingTheQueueGivesThePlaceUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p gate.Pools
		spec := gate.PoolSpec{Name: "db", Workers: 1, Queue: 1}
		leave := enter(t, &p, spec)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		left := make(chan error)
		go func() { _, err := enterPool(ctx, newWaiter(clock.New()), &p, spec, 0); left <- err }()
		synctest.Wait()
		cancel(gone)
		if err := <-left; !errors.Is(err, gone) {
			t.Errorf("Enter of one that left = %v, want %v", err, gone)
		}
		queued := make(chan func())
		go func() { queued <- enter(t, &p, spec) }() // the place is free again
		synctest.Wait()
		leave()
		(<-queued)()
	})
}

// One Advance serves the whole queue: each that leaves hands its worker on at
// the very time.
func TestAdvanceServesAQueue(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var p gate.Pools
			c := clock.New()
			c.Freeze()
			start := c.Now()
			const requests = 30
			ended := make(chan time.Duration, requests)
			for range requests {
				go func() {
					w := newWaiter(c)
					defer w.Leave()
					leave, err := enterPool(t.Context(), w, &p, gate.PoolSpec{Name: "db", Workers: workers, Queue: -1}, 0)
					if err != nil {
						t.Error(err)
						return
					}
					defer leave()
					if err := w.until(t.Context(), w.Now().Add(time.Second)); err != nil {
						t.Error(err)
					}
					ended <- w.Now().Sub(start)
				}()
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := c.Advance(ctx, time.Hour); err != nil {
				t.Fatalf("Advance = %v", err)
			}
			if len(ended) != requests || len(p.States()) != 0 {
				t.Fatalf("when Advance returned %d of %d had ended, and the pools were %+v", len(ended), requests, p.States())
			}
			for i := range requests {
				if got, want := <-ended, time.Duration(1+i/workers)*time.Second; got != want {
					t.Errorf("%d workers: request %d ended at %v, want %v", workers, i, got, want)
				}
			}
		})
	}
}

// Entering, leaving the queue and leaving the pool at random, all at once:
// never more than the workers are inside, and nothing is left behind.
func TestPoolUnderContention(t *testing.T) {
	var p gate.Pools
	c := clock.New()
	inside := gate.NewSemaphore(3)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				w := newWaiter(c)
				leave, err := enterPool(ctx, w, &p, gate.PoolSpec{Name: "db", Workers: 3, Queue: 20}, 0)
				if err == nil {
					if !inside.Enter() {
						t.Error("more than 3 are served at once")
					} else {
						runtime.Gosched()
						inside.Leave()
					}
					leave()
				}
				w.Leave()
				cancel()
			}
		})
	}
	wg.Wait()
	if left := p.States(); len(left) != 0 {
		t.Errorf("pools that live on: %v", left)
	}
}
