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

// enter enters the pool, or fails the test.
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
			spec := gate.PoolSpec{Name: "db", Workers: tc.workers, Queue: -1}
			var wg sync.WaitGroup
			start := time.Now()
			for range tc.requests {
				wg.Go(func() {
					w := newWaiter(c)
					defer w.Leave()
					leave, err := enterPool(t.Context(), w, &p, spec, 0)
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
				t.Errorf("pools left: %v", left)
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
				served = append(served, i) // no race, with one worker
				leave()
			})
			synctest.Wait() // until i is in the queue
		}
		leave()
		wg.Wait()
		if !slices.IsSorted(served) || len(served) != 100 {
			t.Errorf("served in the order %v", served)
		}
	})
}

func TestPoolFullAndPoolMismatch(t *testing.T) {
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
		var mismatch *gate.PoolMismatchError
		for _, other := range []gate.PoolSpec{{Name: "db", Workers: 2, Queue: 1}, {Name: "db", Workers: 1, Queue: -1}} {
			if _, err := enterPool(t.Context(), newWaiter(clock.New()), &p, other, 0); !errors.As(err, &mismatch) ||
				mismatch.Current != spec {
				t.Errorf("Enter(%+v) of a pool in use with %+v = %v, want a *PoolMismatchError", other, spec, err)
			}
		}
		if got := p.States(); len(got) != 1 || got[0] != (gate.PoolState{Name: "db", Busy: 1, Queued: 1}) {
			t.Errorf("States() = %+v, want db with 1 busy and 1 queued", got)
		}
		enter(t, &p, gate.PoolSpec{Name: "other", Workers: 1})()
		leave()
		(<-queued)()
		enter(t, &p, gate.PoolSpec{Name: "db", Workers: 9, Queue: 9})() // an empty pool may get other sizes
	})
}

func TestLeavingAQueue(t *testing.T) {
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
			t.Errorf("Enter of a request that left = %v, want %v", err, gone)
		}
		queued := make(chan func())
		go func() { queued <- enter(t, &p, spec) }() // the place is free again
		synctest.Wait()
		leave()
		(<-queued)()
	})
}

// One Advance serves the whole queue: each request that leaves hands over its worker
// at its due time.
func TestAdvanceServesAQueue(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var p gate.Pools
			c := clock.New()
			c.Freeze()
			start := c.Now()
			const requests = 30
			spec := gate.PoolSpec{Name: "db", Workers: workers, Queue: -1}
			ended := make(chan time.Duration, requests)
			for range requests {
				go func() {
					w := newWaiter(c)
					defer w.Leave()
					leave, err := enterPool(t.Context(), w, &p, spec, 0)
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
				t.Fatalf("when Advance returned %d of %d had ended, and the pools were %+v", len(ended), requests,
					p.States())
			}
			for i := range requests {
				if got, want := <-ended, time.Duration(1+i/workers)*time.Second; got != want {
					t.Errorf("%d workers: request %d ended at %v, want %v", workers, i, got, want)
				}
			}
		})
	}
}

// Requests enter, leave the queue and leave the pool at random. At no time are more
// served than there are workers, and no pool is left.
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
		t.Errorf("pools left: %v", left)
	}
}

// Pools of runs are apart, and also from a shared pool. Their states are summed up.
func TestPoolsOfRuns(t *testing.T) {
	for _, operator := range []bool{false, true} {
		var p gate.Pools
		enter := func(run, name string) (*gate.Ticket, bool) {
			t.Helper()
			ticket := &gate.Ticket{Waker: noWaker{}, Run: run}
			spec := gate.PoolSpec{Name: name, Workers: 1, Queue: -1, Operator: operator}
			admitted, err := p.Enter(ticket, spec, 0, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			return ticket, admitted
		}
		first, one := enter("a", "run:db")
		second, two := enter("b", "run:db")
		third, three := enter("b", "run:db")
		_, four := enter("a", "db")
		if !one || !two || three || !four {
			t.Errorf("operator %v: admitted %v, %v, %v, %v, want all except the third", operator, one, two, three, four)
		}
		want := []gate.PoolState{
			{Name: "db", Operator: operator, Busy: 1}, {Name: "run:db", Operator: operator, Busy: 2, Queued: 1},
		}
		if got := p.States(); !slices.Equal(got, want) {
			t.Errorf("operator %v: States() = %+v, want %+v", operator, got, want)
		}
		p.ResetRun("b")
		if fresh, admitted := enter("b", "run:db"); !admitted {
			t.Errorf("operator %v: the pool of b did not start anew", operator)
		} else {
			p.Leave(fresh, time.Time{})
		}
		p.Leave(second, time.Time{}) // the old pool goes on
		if freed, err := third.Freed(); !freed || err != nil {
			t.Errorf("operator %v: the request in the old pool's queue: %v, %v, want freed", operator, freed, err)
		}
		p.Leave(third, time.Time{})
		p.Leave(first, time.Time{})
		if got := p.States(); len(got) != 1 || got[0].Name != "db" {
			t.Errorf("operator %v: States() = %+v, want db alone", operator, got)
		}
	}
}
