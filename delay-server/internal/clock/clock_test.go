package clock_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

// waiter is a Waiter with its clock.
type waiter struct {
	*clock.Waiter
	*clock.Clock
	arrived clock.Timestamp
	start   time.Time // of arrived, in virtual time
}

func newWaiter(c *clock.Clock) *waiter {
	arrived := c.Timestamp()
	return &waiter{c.Waiter(), c, arrived, arrived.Time()}
}

// until returns nil once due has come, or else what Await returned.
func (w *waiter) until(ctx context.Context, due time.Time) error {
	if err := w.Await(ctx, nil, due); !errors.Is(err, clock.ErrDeadline) {
		return err
	}
	return nil
}

// lasted returns the wall time since the waiter's begin.
func (w *waiter) lasted() time.Duration { return w.Lasted(w.arrived) }

func TestAwaitEndsWhenDue(t *testing.T) {
	for _, wait := range []time.Duration{0, 1, time.Microsecond, 1500 * time.Microsecond, time.Second, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWaiter(clock.New())
			defer w.Leave()
			start := time.Now()
			if err := w.until(t.Context(), start.Add(wait)); err != nil {
				t.Fatalf("Until(now+%v) = %v, want nil", wait, err)
			}
			if got := time.Since(start); got != wait {
				t.Errorf("Until(now+%v) returned after %v", wait, got)
			}
		})
	}
}

func TestAwaitOfADueTimeInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := newWaiter(clock.New()).until(t.Context(), start.Add(-time.Hour)); err != nil {
			t.Fatalf("got %v, want nil", err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("until took %v, want 0", got)
		}
	})
}

func TestAwaitEndsWithTheContext(t *testing.T) {
	for name, set := range map[string]func(*clock.Clock){
		"the machine's clock": func(*clock.Clock) {},
		"a slow clock":        func(c *clock.Clock) { _ = c.Scale(1000) },
		"a frozen clock":      (*clock.Clock).Freeze,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			set(c)
			cause := errors.New("the client left")
			ctx, cancel := context.WithCancelCause(t.Context())
			start := time.Now()
			time.AfterFunc(3*time.Millisecond, func() { cancel(cause) })
			err := newWaiter(c).until(ctx, c.Now().Add(time.Hour))
			if got := time.Since(start); !errors.Is(err, cause) || got != 3*time.Millisecond {
				t.Errorf("%s: Until = %v after %v, want %v after 3ms", name, err, got, cause)
			}
			if got := c.State().Waiting; got != 0 {
				t.Errorf("%s: State().Waiting = %d after the client has left, want 0", name, got)
			}
		})
	}
}

func TestAwaitIsNeverEarly(t *testing.T) {
	for _, scale := range []float64{0, 1, 0.3, 2.5} { // 0 for a clock that was never set
		c := clock.New()
		if scale > 0 {
			if err := c.Scale(scale); err != nil {
				t.Fatal(err)
			}
		}
		for _, wait := range []time.Duration{1, 50 * time.Microsecond, 999 * time.Microsecond, 3 * time.Millisecond} {
			for range 20 {
				w := newWaiter(c)
				due := w.start.Add(wait)
				if err := w.until(t.Context(), due); err != nil {
					t.Fatal(err)
				}
				lasted := w.lasted()
				if early := due.Sub(w.Now()); early > 0 {
					t.Fatalf("scale %v: Until(now+%v) was %v early", scale, wait, early)
				}
				if scale == 0 && lasted < wait {
					t.Fatalf("Until(now+%v) lasted %v", wait, lasted)
				}
				w.Leave()
			}
		}
	}
}

// No wait is early in virtual time, nor late by more than a nanosecond of the slower
// of virtual and wall time.
func TestAwaitAtAnyScale(t *testing.T) {
	for _, scale := range []float64{clock.MinScale, 0.001, 0.1, 1.0 / 3, 0.5, 1, math.Pi, 7, 1000, clock.MaxScale} {
		for _, wait := range []time.Duration{1, 7, 999, time.Millisecond + 1, time.Second, 10*time.Minute + 1,
			time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				c := clock.New()
				if err := c.Scale(scale); err != nil {
					t.Fatal(err)
				}
				w := newWaiter(c)
				due := w.start.Add(wait)
				if err := w.until(t.Context(), due); err != nil {
					t.Fatalf("scale %v: Until(now+%v) = %v", scale, wait, err)
				}
				if late := w.Now().Sub(due); late < 0 || float64(late) > 1/scale {
					t.Errorf("scale %v: Until(now+%v) returned at due%+d ns", scale, wait, late)
				}
				want := float64(wait) * scale
				if got := float64(w.lasted()); got < want*(1-1e-15) || got > want*(1+1e-15)+max(1, scale) {
					t.Errorf("scale %v: a wait of %v lasted %.0f ns of wall time, want %.1f", scale, wait, got, want)
				}
			})
		}
	}
}

func TestClockSetDuringAWait(t *testing.T) {
	scale := func(s float64) func(*clock.Clock) { return func(c *clock.Clock) { _ = c.Scale(s) } }
	type setting struct {
		after time.Duration // wall time after the step before
		set   func(*clock.Clock)
	}
	for _, tc := range []struct {
		name  string
		steps []setting
		want  time.Duration // wall time of a wait of 10s
	}{
		{"the rest is faster", []setting{{2 * time.Second, scale(0.125)}}, 3 * time.Second},
		{"the rest is slower", []setting{{2 * time.Second, scale(3)}}, 26 * time.Second},
		{"each part has its scale", []setting{{0, scale(0.5)}, {time.Second, scale(2)}, {8 * time.Second, scale(1)}},
			13 * time.Second},
		{"a freeze is added", []setting{{4 * time.Second, (*clock.Clock).Freeze}, {time.Hour, (*clock.Clock).Unfreeze}},
			time.Hour + 10*time.Second},
		{"frozen twice is frozen once", []setting{{0, (*clock.Clock).Freeze}, {time.Second, (*clock.Clock).Freeze},
			{time.Second, (*clock.Clock).Unfreeze}}, 12 * time.Second},
		{"a frozen clock keeps its scale", []setting{{0, scale(4)}, {time.Second, (*clock.Clock).Freeze},
			{time.Second, (*clock.Clock).Unfreeze}}, 41 * time.Second},
		{"a frozen clock takes a scale", []setting{{0, (*clock.Clock).Freeze}, {time.Second, scale(0.5)},
			{time.Second, (*clock.Clock).Unfreeze}}, 7 * time.Second},
		{"Unfreeze of a running clock has no effect", []setting{{time.Second, (*clock.Clock).Unfreeze}},
			10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			w := newWaiter(c)
			go func() {
				for _, s := range tc.steps {
					time.Sleep(s.after)
					s.set(c)
				}
			}()
			if tc.steps[0].after == 0 {
				synctest.Wait()
			}
			due := w.start.Add(10 * time.Second)
			if err := w.until(t.Context(), due); err != nil {
				t.Fatalf("%s: Until = %v", tc.name, err)
			}
			if got := w.lasted(); got != tc.want || !w.Now().Equal(due) {
				t.Errorf("%s: a wait of 10s lasted %v until due%+d ns, want %v until due", tc.name, got,
					w.Now().Sub(due), tc.want)
			}
		})
	}
}

func TestNowNeverGoesBack(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		last := c.Now()
		for i := range 5000 {
			var did string
			switch r.IntN(5) {
			case 0:
				did = "Scale"
				if err := c.Scale(math.Pow(10, r.Float64()*12-6)); err != nil {
					t.Fatal(err)
				}
			case 1:
				did = "Freeze"
				c.Freeze()
			case 2:
				did = "Unfreeze"
				c.Unfreeze()
			case 3:
				did = "Advance"
				_ = c.Advance(t.Context(), time.Duration(r.Int64N(int64(time.Hour)))) // or ErrNotFrozen
			case 4:
				did = "Sleep"
				time.Sleep(time.Duration(r.Int64N(int64(time.Minute))))
			}
			now := c.Now()
			if now.Before(last) {
				t.Fatalf("seed %d: after step %d, %s, the clock went back by %v", seed, i, did, last.Sub(now))
			}
			last = now
		}
	})
}

// Now does not go back while another goroutine sets the clock.
func TestNowWhileTheClockIsSet(t *testing.T) {
	c := clock.New()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := c.Now()
			for n := 0; ; n++ {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("the clock went back by %v", last.Sub(now))
					return
				}
				last = now
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 20_000 {
		for _, s := range []float64{clock.MinScale, clock.MaxScale} {
			if err := c.Scale(s); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	wg.Wait()
}

func TestTheFastestClockRunsForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		if err := c.Scale(clock.MinScale); err != nil {
			t.Fatal(err)
		}
		last := c.Now()
		for hour := range 100 {
			time.Sleep(time.Hour)
			now := c.Now()
			if now.Before(last) {
				t.Fatalf("after %d hours the clock went from %v back to %v", hour+1, last, now)
			}
			last = now
		}
		w := newWaiter(c)
		if err := w.until(t.Context(), w.start.Add(time.Hour)); err != nil || w.lasted() != 3600*time.Microsecond {
			t.Errorf("a wait of an hour then lasted %v, %v; want 3.6ms", w.lasted(), err)
		}
	})
}

func TestCheckScale(t *testing.T) {
	for _, tc := range []struct {
		name  string
		scale float64
		ok    bool
	}{
		{"as the machine's", 1, true},
		{"a tenth", 0.1, true},
		{"the minimum", clock.MinScale, true},
		{"the maximum", clock.MaxScale, true},
		{"zero", 0, false},
		{"minus zero", math.Copysign(0, -1), false},
		{"negative", -1, false},
		{"below the minimum", math.Nextafter(clock.MinScale, 0), false},
		{"above the maximum", math.Nextafter(clock.MaxScale, math.Inf(1)), false},
		{"the smallest of all", math.SmallestNonzeroFloat64, false},
		{"the largest of all", math.MaxFloat64, false},
		{"infinite", math.Inf(1), false},
		{"minus infinite", math.Inf(-1), false},
		{"not a number", math.NaN(), false},
	} {
		err := clock.CheckScale(tc.scale)
		if (err == nil) != tc.ok {
			t.Errorf("%s: CheckScale(%v) = %v, want ok %v", tc.name, tc.scale, err, tc.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "use a number from 0.000001 to 1000000") {
			t.Errorf("%s: CheckScale(%v) = %q, want the valid range in it", tc.name, tc.scale, err)
		}
		c := clock.New()
		set := c.Scale(tc.scale)
		if (set == nil) != tc.ok || c.Adjusted() != tc.ok {
			t.Errorf("%s: Scale(%v) = %v, and Adjusted() = %v, want %v", tc.name, tc.scale, set, c.Adjusted(), tc.ok)
		}
	}
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := clock.New()
		sleep := func(d time.Duration) { go func() { _ = newWaiter(c).until(ctx, c.Now().Add(d)) }() }
		for _, tc := range []struct {
			name string
			do   func()
			want clock.State
		}{
			{"a new clock", func() {}, clock.State{Scale: 1}},
			{"time goes by", func() { time.Sleep(3 * time.Second) }, clock.State{Scale: 1, Elapsed: 3 * time.Second}},
			{"two wait", func() { sleep(time.Minute); sleep(10 * time.Second) },
				clock.State{Scale: 1, Elapsed: 3 * time.Second, Waiting: 2, Next: 10 * time.Second}},
			{"it runs at a tenth of the speed", func() { _ = c.Scale(10); time.Sleep(10 * time.Second) },
				clock.State{Scale: 10, Elapsed: 4 * time.Second, Waiting: 2, Next: 9 * time.Second}},
			{"it is frozen", func() { c.Freeze(); time.Sleep(time.Hour) },
				clock.State{Scale: 10, Frozen: true, Elapsed: 4 * time.Second, Waiting: 2, Next: 9 * time.Second}},
			{"it is advanced", func() { _ = c.Advance(ctx, time.Second) },
				clock.State{Scale: 10, Frozen: true, Elapsed: 5 * time.Second, Waiting: 2, Next: 8 * time.Second}},
			{"the first is due", func() { c.Unfreeze(); time.Sleep(80 * time.Second) },
				clock.State{Scale: 10, Elapsed: 13 * time.Second, Waiting: 1, Next: 50 * time.Second}},
			{"all have left", cancel, clock.State{Scale: 10, Elapsed: 13 * time.Second}},
		} {
			tc.do()
			synctest.Wait()
			if got := c.State(); got != tc.want {
				t.Errorf("%s: State() = %+v, want %+v", tc.name, got, tc.want)
			}
		}
	})
}

func TestAdjusted(t *testing.T) {
	for name, set := range map[string]func(*clock.Clock){
		"scaled": func(c *clock.Clock) { _ = c.Scale(2) },
		"frozen": (*clock.Clock).Freeze,
		"was frozen": func(c *clock.Clock) {
			c.Freeze()
			c.Unfreeze()
		},
	} {
		c := clock.New()
		if c.Adjusted() {
			t.Error("Adjusted() = true for a new clock")
		}
		set(c)
		if !c.Adjusted() {
			t.Errorf("Adjusted() = false for a clock that is %s", name)
		}
	}
}
