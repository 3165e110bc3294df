package clock_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

// frozen returns a frozen clock and its time.
func frozen() (*clock.Clock, time.Time) {
	c := clock.New()
	c.Freeze()
	return c, c.Now()
}

// advance advances the clock, or fails the test.
func advance(t *testing.T, c *clock.Clock, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Advance(ctx, d); err != nil {
		t.Fatalf("Advance(%v) = %v", d, err)
	}
}

func TestAdvanceWakesInDueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var woken, want []time.Duration
		for _, second := range rand.Perm(100) {
			for range 1 + second%3 { // some at the same time
				wait := time.Duration(second) * time.Second
				if wait <= 60*time.Second {
					want = append(want, wait)
				}
				go func() {
					w := newWaiter(c)
					defer w.Leave()
					if err := w.until(ctx, start.Add(wait)); err != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					woken = append(woken, wait)
					if got := w.Now().Sub(start); got != wait {
						t.Errorf("a waiter due at %v woke at %v", wait, got)
					}
				}()
			}
		}
		synctest.Wait()
		began := time.Now()
		advance(t, c, 60*time.Second)
		slices.Sort(want)
		if !slices.Equal(woken, want) {
			t.Errorf("woken in the order\n%v, want\n%v", woken, want)
		}
		if got := c.Now().Sub(start); got != 60*time.Second {
			t.Errorf("Advance(1m0s) advanced the clock by %v", got)
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("Advance took %v of wall time", got)
		}
		if got := c.State().Next; got != time.Second {
			t.Errorf("the next is due in %v, want 1s", got)
		}
		cancel()
	})
}

func TestAdvanceIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		done := make(chan error, 1)
		go func() {
			w := newWaiter(c)
			defer w.Leave()
			done <- w.until(t.Context(), start.Add(time.Second))
		}()
		synctest.Wait()
		advance(t, c, 0)
		advance(t, c, time.Second-1)
		if len(done) != 0 {
			t.Fatal("the waiter woke a nanosecond early")
		}
		advance(t, c, 1)
		if len(done) != 1 {
			t.Fatal("the waiter has not woken when Advance returned")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAdvanceThroughManyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		const naps = 1000
		var saw []time.Duration
		go func() {
			w := newWaiter(c)
			defer w.Leave()
			for n := range naps {
				due := start.Add(time.Duration(n+1) * time.Second)
				if err := w.until(t.Context(), due); err != nil {
					t.Error(err)
				}
				saw = append(saw, w.Now().Sub(start))
			}
		}()
		synctest.Wait()
		for _, upTo := range []int{0, 1, 700, naps} {
			advance(t, c, time.Duration(upTo)*time.Second-c.Now().Sub(start))
			if len(saw) != upTo || upTo > 0 && saw[upTo-1] != time.Duration(upTo)*time.Second {
				t.Fatalf("after %d seconds the waiter has woken %d times, the last times at %v", upTo, len(saw),
					saw[max(0, len(saw)-3):])
			}
		}
	})
}

// Each waiter fires the signal of the next before it leaves. Advance waits for all
// of them, and each sees the due time of the first.
func TestAdvanceWaitsForAChainOfSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		const chain = 50
		waiters := make([]*waiter, chain)
		signals := make([]*clock.Signal, chain)
		var saw []time.Duration
		for i := range chain {
			waiters[i] = newWaiter(c)
			signals[i] = waiters[i].Signal()
		}
		for i, w := range waiters {
			go func() {
				defer w.Leave()
				err := error(nil)
				if i == 0 {
					err = w.until(t.Context(), start.Add(time.Second))
				} else {
					err = w.Await(t.Context(), signals[i], time.Time{})
				}
				if err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond) // of wall time, for a slow answer
				saw = append(saw, w.Now().Sub(start))
				if i+1 < chain {
					signals[i+1].Fire()
				}
			}()
		}
		synctest.Wait()
		advance(t, c, time.Hour)
		if want := slices.Repeat([]time.Duration{time.Second}, chain); !slices.Equal(saw, want) {
			t.Errorf("the waiters saw %v, want %d times 1s", saw, chain)
		}
	})
}

func TestAdvanceReturnsOnceAllAreParked(t *testing.T) {
	const work = 5 * time.Second
	for _, tc := range []struct {
		name string
		end  func(context.Context, *waiter) // nil for one that has left before
	}{
		{"it leaves", func(context.Context, *waiter) {}},
		{"it waits for a later time", func(ctx context.Context, w *waiter) {
			_ = w.until(ctx, w.Now().Add(time.Hour))
		}},
		{"it waits for a signal", func(ctx context.Context, w *waiter) { _ = w.Await(ctx, w.Signal(), time.Time{}) }},
		{"it has left before", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, start := frozen()
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			go func() {
				w := newWaiter(c)
				defer w.Leave()
				_ = w.until(ctx, start.Add(time.Second))
				if tc.end != nil {
					time.Sleep(work)
					ended = time.Now()
					tc.end(ctx, w)
				}
			}()
			synctest.Wait()
			if tc.end == nil {
				cancel()
				synctest.Wait()
			}
			began := time.Now()
			advance(t, c, time.Second)
			if tc.end == nil {
				if got := time.Since(began); got != 0 {
					t.Errorf("%s: Advance took %v", tc.name, got)
				}
			} else if got := time.Since(began); got != work || ended.IsZero() {
				t.Errorf("%s: Advance returned after %v, want %v", tc.name, got, work)
			}
			cancel()
			synctest.Wait()
			advance(t, c, time.Second)
		})
	}
}

func TestAdvanceOfARunningClock(t *testing.T) {
	for name, set := range map[string]func(*clock.Clock){
		"never set":  func(*clock.Clock) {},
		"scaled":     func(c *clock.Clock) { _ = c.Scale(2) },
		"was frozen": func(c *clock.Clock) { c.Freeze(); c.Unfreeze() },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			set(c)
			before := c.Now()
			if err := c.Advance(t.Context(), time.Second); !errors.Is(err, clock.ErrNotFrozen) ||
				!c.Now().Equal(before) {
				t.Errorf("%s: Advance = %v, and the clock is %v on; want ErrNotFrozen and 0", name, err,
					c.Now().Sub(before))
			}
		})
	}
}

func TestAdvanceEndsWithUnfreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		go func() {
			w := newWaiter(c)
			defer w.Leave()
			_ = w.until(t.Context(), start.Add(time.Second))
			c.Unfreeze()
		}()
		synctest.Wait()
		if err := c.Advance(t.Context(), time.Hour); !errors.Is(err, clock.ErrNotFrozen) {
			t.Errorf("Advance = %v, want ErrNotFrozen", err)
		}
		if got := c.Now().Sub(start); got != time.Second {
			t.Errorf("the clock advanced by %v, want 1s", got)
		}
	})
}

// A year at a time, up to the longest Duration.
func TestAdvanceHasALimit(t *testing.T) {
	const year = 365 * 24 * time.Hour
	c, start := frozen()
	for range math.MaxInt64 / int64(year) {
		advance(t, c, year)
	}
	before := c.State()
	if before.Elapsed < 290*year || c.Now().Sub(start) < 290*year {
		t.Errorf("State() = %+v, want 292 years elapsed", before)
	}
	for _, d := range []time.Duration{year, math.MaxInt64} {
		if err := c.Advance(t.Context(), d); !errors.Is(err, clock.ErrOutOfRange) || c.State() != before {
			t.Errorf("Advance(%v) = %v, and State() = %+v, want ErrOutOfRange and %+v", d, err, c.State(), before)
		}
	}
	advance(t, c, time.Second)
}

func TestTwoAdvancesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		go func() {
			w := newWaiter(c)
			defer w.Leave()
			_ = w.until(t.Context(), start.Add(time.Second))
			time.Sleep(time.Minute) // so that the other Advance waits
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for _, d := range []time.Duration{2 * time.Second, 3 * time.Second} {
			wg.Go(func() {
				if err := c.Advance(t.Context(), d); err != nil {
					t.Errorf("Advance(%v) = %v", d, err)
				}
			})
		}
		wg.Wait()
		if got := c.Now().Sub(start); got != 5*time.Second {
			t.Errorf("Advance(2s) and Advance(3s) at once advanced the clock by %v, want 5s", got)
		}
	})
}

func TestAdvanceTimesOutOnActiveWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		stuck := make(chan struct{})
		for range 3 {
			go func() {
				w := newWaiter(c)
				defer w.Leave()
				_ = w.until(t.Context(), start.Add(time.Second))
				<-stuck
			}()
		}
		synctest.Wait()
		cause := errors.New("the caller gave up")
		for _, want := range []struct {
			name     string
			d, left  time.Duration
			requests int
			says     []string
		}{
			{"it stops at the due time", 3 * time.Second, 2 * time.Second, 3, []string{"not advanced by the last 2s",
				"3 requests are still being answered", cause.Error()}},
			{"it does not start while they are active", 5 * time.Second, 5 * time.Second, 3,
				[]string{"not advanced by the last 5s"}},
		} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
			err := c.Advance(ctx, want.d)
			cancel()
			var timeout *clock.AdvanceTimeoutError
			if !errors.As(err, &timeout) || !errors.Is(err, cause) || timeout.Left != want.left ||
				timeout.Requests != want.requests {
				t.Errorf("%s: Advance(%v) = %#v, want %d requests, %v left, and %v", want.name, want.d, err,
					want.requests, want.left, cause)
			}
			for _, s := range want.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%s: %q does not say %q", want.name, err, s)
				}
			}
			if got := c.Now().Sub(start); got != time.Second {
				t.Errorf("%s: the clock is %v on, want 1s", want.name, got)
			}
		}
		close(stuck)
		synctest.Wait()
		advance(t, c, 2*time.Second)
		if got := c.Now().Sub(start); got != 3*time.Second {
			t.Errorf("once they were parked it advanced to %v, want 3s", got)
		}
	})
}

func TestAdvanceTimesOutOnAnotherAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, start := frozen()
		go func() {
			w := newWaiter(c)
			defer w.Leave()
			_ = w.until(t.Context(), start.Add(time.Second))
			time.Sleep(time.Minute)
		}()
		synctest.Wait()
		first := make(chan error)
		go func() { first <- c.Advance(t.Context(), time.Second) }()
		synctest.Wait()
		cause := errors.New("the caller gave up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		var timeout *clock.AdvanceTimeoutError
		if err := c.Advance(ctx, time.Hour); !errors.As(err, &timeout) || !errors.Is(err, cause) ||
			timeout.Left != time.Hour {
			t.Errorf("Advance = %#v, want an *AdvanceTimeoutError with 1h0m0s left and %v", err, cause)
		}
		if err := <-first; err != nil || c.Now().Sub(start) != time.Second {
			t.Errorf("the first Advance = %v and the clock is %v on, want nil and 1s", err, c.Now().Sub(start))
		}
	})
}

// Advance does not wait for a client that leaves meanwhile, whether it is woken by
// its due time or by its context.
func TestAdvanceWhileClientsLeave(t *testing.T) {
	for range 50 {
		c, start := frozen()
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				w := newWaiter(c)
				defer w.Leave()
				_ = w.until(ctx, start.Add(time.Duration(i)*time.Second))
			})
		}
		wg.Go(leave)
		advance(t, c, time.Hour)
		wg.Wait()
		advance(t, c, time.Hour)
		if got := c.Now().Sub(start); got != 2*time.Hour || c.State().Waiting != 0 {
			t.Fatalf("the clock is %v on with %d waiting, want 2h0m0s with none", got, c.State().Waiting)
		}
	}
}

// A request whose signal fired before it waited is active. Its next wait counts from
// before the advance.
func TestAdvanceWaitsForAFiredSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Freeze()
		w := newWaiter(c)
		signal := w.Signal()
		signal.Fire()
		advanced := make(chan error, 1)
		go func() { advanced <- c.Advance(t.Context(), time.Second) }()
		synctest.Wait()
		if err := w.Await(t.Context(), signal, time.Time{}); err != nil {
			t.Fatalf("Await = %v, want nil", err)
		}
		if err := w.until(t.Context(), w.Now().Add(time.Second)); err != nil {
			t.Fatalf("Until = %v, want nil", err)
		}
		if took := w.Now().Sub(w.start); took != time.Second {
			t.Errorf("the wait took %v, want 1s", took)
		}
		w.Leave()
		if err := <-advanced; err != nil {
			t.Errorf("Advance = %v, want nil", err)
		}
	})
}

// Reset changes both settings in one step, or the clock would run at the old scale
// in between.
func TestResetDoesNotMoveTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Freeze()
		if err := c.Scale(clock.MinScale); err != nil {
			t.Fatal(err)
		}
		begin := c.Now()
		if err := c.Reset(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s, moved := c.State(), c.Now().Sub(begin); s.Frozen || s.Scale != 1 || moved != time.Second {
			t.Errorf("a second after Reset(1): %+v, moved by %v; want it running, moved by 1s", s, moved)
		}
		if err := c.Reset(0); err == nil {
			t.Error("Reset(0) = nil, want an error")
		}
	})
}
