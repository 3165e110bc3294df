package cond_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/cond"
)

func TestWaitWithATrueCondition(t *testing.T) {
	var mu sync.Mutex
	c := cond.Cond{L: &mu}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, ctx := range map[string]context.Context{"in time": t.Context(), "context done": gone} {
		mu.Lock()
		if err := c.Wait(ctx, func() bool { return true }); err != nil {
			t.Errorf("%s: Wait = %v, want nil", name, err)
		}
		if mu.TryLock() {
			t.Errorf("%s: Wait returned without the lock", name)
		}
		mu.Unlock()
	}
}

func TestWaitEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		c := cond.Cond{L: &mu}
		cause := errors.New("no longer")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		for _, want := range []time.Duration{time.Second, 0} { // the context is done before the second
			start := time.Now()
			mu.Lock()
			err := c.Wait(ctx, func() bool { return false })
			if got := time.Since(start); !errors.Is(err, cause) || got != want {
				t.Errorf("Wait = %v after %v, want %v after %v", err, got, cause, want)
			}
			if mu.TryLock() {
				t.Error("Wait returned without the lock")
			}
			mu.Unlock()
		}
	})
}

func TestBroadcastWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		c := cond.Cond{L: &mu}
		n, calls, returned := 0, 0, 0
		const waiters = 10
		for i := range waiters {
			go func() {
				mu.Lock()
				defer mu.Unlock()
				err := c.Wait(t.Context(), func() bool {
					if mu.TryLock() {
						t.Error("ok is called without the lock")
					}
					calls++
					return n > i
				})
				if err != nil {
					t.Errorf("Wait = %v", err)
				}
				returned++
			}()
		}
		synctest.Wait()
		if calls != waiters || returned != 0 {
			t.Fatalf("before the first Broadcast: %d calls of ok and %d returns, want %d and 0", calls, returned,
				waiters)
		}
		for n < waiters {
			calls = 0
			mu.Lock()
			n++
			c.Broadcast()
			c.Broadcast() // no effect
			mu.Unlock()
			synctest.Wait()
			if want := waiters - n + 1; calls != want || returned != n {
				t.Fatalf("after Broadcast %d: %d calls of ok and %d returns, want %d and %d", n, calls, returned, want,
					n)
			}
		}
	})
}

// Each goroutine waits for its number, which the others count up to.
func TestNoBroadcastIsMissed(t *testing.T) {
	var mu sync.Mutex
	c := cond.Cond{L: &mu}
	turn := 0
	var wg sync.WaitGroup
	const parties, rounds = 8, 500
	for i := range parties {
		wg.Go(func() {
			for round := range rounds {
				mu.Lock()
				if err := c.Wait(t.Context(), func() bool { return turn == round*parties+i }); err != nil {
					t.Error(err)
				}
				turn++
				c.Broadcast()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if turn != parties*rounds {
		t.Errorf("%d turns were taken, want %d", turn, parties*rounds)
	}
}

// Atomic state may change at any moment of a Wait.
func TestNotifyIsNeverMissed(t *testing.T) {
	var mu sync.Mutex
	c := cond.Cond{L: &mu}
	var n atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range int64(20_000) {
		go func() {
			n.Add(1)
			c.Notify()
		}()
		mu.Lock()
		err := c.Wait(ctx, func() bool { return n.Load() > i })
		mu.Unlock()
		if err != nil {
			t.Fatalf("Wait = %v while %d > %d", err, n.Load(), i)
		}
	}
}
