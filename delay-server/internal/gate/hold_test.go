package gate_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// goHold starts a request in the hold and returns a channel of its result.
func goHold(ctx context.Context, h *gate.Holds, c *clock.Clock, spec gate.HoldSpec) <-chan error {
	end := make(chan error, 1)
	go func() {
		w := newWaiter(c)
		defer w.Leave()
		end <- enterHold(ctx, w, h, spec)
	}()
	synctest.Wait()
	return end
}

// ended returns the indices of the requests that have ended.
func ended(ends []<-chan error) []int {
	synctest.Wait()
	var is []int
	for i, end := range ends {
		if len(end) != 0 {
			is = append(is, i)
		}
	}
	return is
}

func TestReleaseInOrderOfArrival(t *testing.T) {
	for _, tc := range []struct {
		name   string
		counts []int // of Release
		want   []int // requests released after each, in total
	}{
		{"all", []int{0}, []int{10}},
		{"all, by number", []int{10}, []int{10}},
		{"one by one", slices.Repeat([]int{1}, 10), []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"some, then the rest", []int{3, 4, 0}, []int{3, 7, 10}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, c := gate.NewHolds(), clock.New()
			var ends []<-chan error
			for range 10 {
				ends = append(ends, goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}))
			}
			gone := 0
			for i, count := range tc.counts {
				n, err := h.Release(gate.NameOf("", "h"), gate.Choice{Count: count})
				if err != nil || n != tc.want[i]-gone {
					t.Fatalf("%s: Release(%d) = %d, %v, want %d", tc.name, count, n, err, tc.want[i]-gone)
				}
				gone = tc.want[i]
				if got := ended(ends); len(got) != gone || got[gone-1] != gone-1 {
					t.Errorf("%s: after Release %d, requests %v have ended, want the first %d", tc.name, i+1, got, gone)
				}
				if got := h.State(gate.NameOf("", "h")); got.Waiting != 10-gone || len(got.Held) != 10-gone {
					t.Errorf("%s: State = %+v, want %d that wait", tc.name, got, 10-gone)
				}
			}
			for i, end := range ends {
				if err := <-end; err != nil {
					t.Errorf("%s: Enter %d = %v, want nil", tc.name, i, err)
				}
			}
			if left := h.States(); len(left) != 0 {
				t.Errorf("%s: holds left: %v", tc.name, left)
			}
		})
	}
}

func TestHoldFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		var ends []<-chan error
		for range 3 {
			ends = append(ends, goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}))
		}
		if n, err := h.Fail(gate.NameOf("", "h")); n != 3 || err != nil {
			t.Errorf("Fail = %d, %v, want 3", n, err)
		}
		for _, end := range ends {
			err := <-end
			var failed *gate.HoldFailedError
			if !errors.As(err, &failed) || failed.Name != "h" || err.Error() != `hold "h" was failed` {
				t.Errorf("Enter = %v, want a *HoldFailedError of h", err)
			}
		}
		if left := h.States(); len(left) != 0 {
			t.Errorf("holds left: %v", left)
		}
	})
}

func TestHoldTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		spec := gate.HoldSpec{Name: "h", Timeout: 5 * time.Second}
		start := time.Now()
		other := goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: 6 * time.Second})
		err := <-goHold(t.Context(), h, c, spec)
		var timeout *gate.HoldTimeoutError
		if got := time.Since(start); !errors.As(err, &timeout) || timeout.Hold != spec || got != 5*time.Second {
			t.Errorf("Enter = %v after %v, want a *HoldTimeoutError after 5s", err, got)
		}
		if got, want := err.Error(), `hold "h" was not released within 5s`; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if got := h.State(gate.NameOf("", "h")).Waiting; got != 1 || len(other) != 0 {
			t.Errorf("%d are held, want 1", got)
		}
		if err := <-other; !errors.As(err, &timeout) || time.Since(start) != 6*time.Second {
			t.Errorf("Enter of the other = %v after %v, want a *HoldTimeoutError after 6s", err, time.Since(start))
		}
		if left := h.States(); len(left) != 0 {
			t.Errorf("holds left: %v", left)
		}
	})
}

func TestLeavingAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		spec := gate.HoldSpec{Name: "h", Timeout: time.Hour}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		first := goHold(t.Context(), h, c, spec)
		leaver := goHold(ctx, h, c, spec)
		third := goHold(t.Context(), h, c, spec)
		leave(gone)
		if err := <-leaver; err != gone {
			t.Errorf("Enter of a request that left = %v, want %v", err, gone)
		}
		if got := h.State(gate.NameOf("", "h")).Waiting; got != 2 {
			t.Errorf("%d are held after one of three has left, want 2", got)
		}
		if n, err := h.Release(gate.NameOf("", "h"), gate.Choice{Count: 1}); n != 1 || err != nil || <-first != nil {
			t.Errorf("Release(1) = %d, %v, or it did not release the first", n, err)
		}
		if n, err := h.Release(gate.NameOf("", "h"), gate.Choice{Count: 1}); n != 1 || err != nil || <-third != nil {
			t.Errorf("Release(1) = %d, %v, or it did not release the third", n, err)
		}
		if err := <-goHold(ctx, h, c, spec); err != gone {
			t.Errorf("Enter with a done context = %v, want %v", err, gone)
		}
		if left := h.States(); len(left) != 0 {
			t.Errorf("holds left: %v", left)
		}
	})
}

func TestReleaseOfTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		for what, free := range map[string]func() (int, error){
			"Release(all)": func() (int, error) { return h.Release(gate.NameOf("", "h"), gate.Choice{}) },
			"Release(1)":   func() (int, error) { return h.Release(gate.NameOf("", "h"), gate.Choice{Count: 1}) },
			"Fail":         func() (int, error) { return h.Fail(gate.NameOf("", "h")) },
		} {
			if n, err := free(); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
				t.Errorf("%s of an unknown hold = %d, %v, want ErrNobodyHeld", what, n, err)
			}
		}
		ends := []<-chan error{
			goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}),
			goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}),
		}
		n, err := h.Release(gate.NameOf("", "h"), gate.Choice{Count: 3})
		var fewer *gate.FewerHeldError
		if n != 0 || !errors.As(err, &fewer) || *fewer != (gate.FewerHeldError{Asked: 3, Held: 2}) {
			t.Errorf("Release(3) of 2 = %d, %v, want a *FewerHeldError", n, err)
		} else if got, want := err.Error(), "2 held, fewer than 3"; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if got := ended(ends); len(got) != 0 || h.State(gate.NameOf("", "h")).Waiting != 2 {
			t.Errorf("Release(3) of 2 released %v, want none", got)
		}
		if n, err := h.Fail(gate.NameOf("", "other")); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
			t.Errorf("Fail(other) = %d, %v, want ErrNobodyHeld", n, err)
		}
		if n, err := h.Release(gate.NameOf("", "h"), gate.Choice{}); n != 2 || err != nil {
			t.Errorf("Release(all) = %d, %v, want 2", n, err)
		}
		if n, err := h.Release(gate.NameOf("", "h"), gate.Choice{}); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
			t.Errorf("second Release(all) = %d, %v, want ErrNobodyHeld", n, err)
		}
	})
}

func TestHoldAwaitWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		if s, err := h.AwaitWaiting(t.Context(), gate.NameOf("", "h"),
			0); err != nil || s.Waiting != 0 || s.Held != nil {
			t.Errorf("AwaitWaiting(0) = %+v, %v", s, err)
		}
		start := time.Now()
		for i := range 3 {
			time.AfterFunc(time.Duration(i+1)*time.Second, func() {
				_ = enterHold(t.Context(), newWaiter(c), h, gate.HoldSpec{Name: "h", Timeout: time.Hour})
			})
			time.AfterFunc(time.Duration(i+1)*time.Millisecond, func() {
				_ = enterHold(t.Context(), newWaiter(c), h, gate.HoldSpec{Name: "other", Timeout: time.Hour})
			})
		}
		want := gate.HoldState{Name: gate.NameOf("", "h"), Waiting: 3, Held: make([]gate.HeldRequest, 3)}
		if s, err := h.AwaitWaiting(t.Context(), gate.NameOf("", "h"), 3); err != nil ||
			!reflect.DeepEqual(s, want) ||
			time.Since(start) != 3*time.Second {
			t.Errorf("AwaitWaiting(3) = %+v, %v after %v, want %+v after 3s", s, err, time.Since(start), want)
		}
		cause := errors.New("the caller gave up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if s, err := h.AwaitWaiting(ctx, gate.NameOf("", "h"), 4); err != cause || !reflect.DeepEqual(s, want) {
			t.Errorf("AwaitWaiting(4) = %+v, %v, want %+v, %v", s, err, want, cause)
		}
		if got, want := h.States(), []gate.HoldState{{Name: gate.NameOf("", "h"), Waiting: 3},
			{Name: gate.NameOf("", "other"), Waiting: 3}}; !reflect.DeepEqual(got, want) {
			t.Errorf("States() = %+v, want %+v", got, want)
		}
		for _, name := range []string{"h", "other"} {
			if n, err := h.Release(gate.NameOf("", name), gate.Choice{}); n != 3 || err != nil {
				t.Errorf("Release(%q) = %d, %v, want 3", name, n, err)
			}
		}
	})
}

// Release can release all requests that AwaitWaiting has counted.
func TestReleaseAfterAwaitWaiting(t *testing.T) {
	h, c := gate.NewHolds(), clock.New()
	for range 200 {
		const n = 5
		ends := make(chan error, n)
		for range n {
			go func() {
				w := newWaiter(c)
				defer w.Leave()
				ends <- enterHold(t.Context(), w, h, gate.HoldSpec{Name: "h", Timeout: time.Minute})
			}()
		}
		if _, err := h.AwaitWaiting(t.Context(), gate.NameOf("", "h"), n); err != nil {
			t.Fatal(err)
		}
		if got, err := h.Release(gate.NameOf("", "h"), gate.Choice{Count: n}); got != n || err != nil {
			t.Fatalf("Release(%d) = %d, %v", n, got, err)
		}
		for range n {
			if err := <-ends; err != nil {
				t.Fatalf("Enter = %v, want nil", err)
			}
		}
	}
}

// goAttempt is like goHold for an attempt of a run.
func goAttempt(t *testing.T, h *gate.Holds, c *clock.Clock, name, run string, attempt int) <-chan error {
	t.Helper()
	end := make(chan error, 1)
	go func() {
		w := newWaiter(c)
		w.run, w.attempt = run, attempt
		defer w.Leave()
		end <- enterHold(t.Context(), w, h, gate.HoldSpec{Name: name, Timeout: time.Hour})
	}()
	synctest.Wait()
	return end
}

func TestReleaseByChoice(t *testing.T) {
	for _, tc := range []struct {
		name   string
		choice gate.Choice
		want   []int // released, of requests of attempts 1, 2, 1, 2, 3
		err    string
	}{
		{"all", gate.Choice{}, []int{0, 1, 2, 3, 4}, ""},
		{"the oldest", gate.Choice{Count: 1}, []int{0}, ""},
		{"the newest", gate.Choice{Count: 1, Newest: true}, []int{4}, ""},
		{"the two newest", gate.Choice{Count: 2, Newest: true}, []int{3, 4}, ""},
		{"the first to arrive", gate.Choice{Nth: 1}, []int{0}, ""},
		{"the second to arrive", gate.Choice{Nth: 2}, []int{1}, ""},
		{"the last to arrive", gate.Choice{Nth: 5}, []int{4}, ""},
		{"the first attempts", gate.Choice{Attempt: 1}, []int{0, 2}, ""},
		{"the third attempt", gate.Choice{Attempt: 3}, []int{4}, ""},
		{"six newest", gate.Choice{Count: 6, Newest: true}, nil, "5 held, fewer than 6"},
		{"the sixth", gate.Choice{Nth: 6}, nil, "5 held, fewer than 6"},
		{"a fourth attempt", gate.Choice{Attempt: 4}, nil, "5 held, none of them attempt 4"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, c := gate.NewHolds(), clock.New()
			var ends []<-chan error
			for _, attempt := range []int{1, 2, 1, 2, 3} {
				ends = append(ends, goAttempt(t, h, c, "h", "r", attempt))
			}
			n, err := h.Release(gate.NameOf("", "h"), tc.choice)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if released := ended(ends); n != len(tc.want) || got != tc.err || !slices.Equal(released, tc.want) {
				t.Errorf("%s: released %d, %v, %q; want %v, %q", tc.name, n, released, got, tc.want, tc.err)
			}
			if left := h.State(gate.NameOf("", "h")).Held; len(left) != 5-n || n == 1 && tc.want[0] == 1 &&
				!slices.Equal(left[:2], []gate.HeldRequest{{Run: "r", Attempt: 1}, {Run: "r", Attempt: 1}}) {
				t.Errorf("%s: left %+v", tc.name, left)
			}
			h.Reset()
		})
	}
}

// A name with the prefix belongs to the run. No other name is the same, however spelled.
func TestHoldsOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		ends := []<-chan error{
			goAttempt(t, h, c, "run:x", "a", 1),
			goAttempt(t, h, c, "run:x", "b", 1),
			goAttempt(t, h, c, "x", "a", 1),
			goAttempt(t, h, c, "x", "b", 1),
			goAttempt(t, h, c, "a/run:x", "a", 1),
			goAttempt(t, h, c, "run:run:x", "a", 1),
			goAttempt(t, h, c, "run:x", "run:a", 1),
		}
		release := func(run, name string, want ...int) {
			t.Helper()
			before := ended(ends)
			if _, err := h.Release(gate.NameOf(run, name), gate.Choice{}); err != nil {
				t.Errorf("Release(%q, %q): %v", run, name, err)
			}
			if got := ended(ends); len(got) != len(before)+len(want) {
				t.Errorf("Release(%q, %q): %v have ended, want %v and %v", run, name, got, before, want)
			}
			for _, i := range want {
				if !slices.Contains(ended(ends), i) {
					t.Errorf("Release(%q, %q) did not release request %d", run, name, i)
				}
			}
		}
		release("b", "run:x", 1)
		release("", "x", 2, 3)
		release("run:a", "run:x", 6)
		if states := h.States(); len(states) != 3 || states[2].Name != (gate.Name{Run: "a", Name: "run:x"}) {
			t.Errorf("States() = %+v, want a/run:x, run:run:x and run:x", states)
		}
		h.ResetRun("a")
		if got := ended(ends); len(got) != 6 { // all except a/run:x, which is shared
			t.Errorf("after ResetRun(a) %v have ended, want all except request 4", got)
		}
		release("", "a/run:x", 4)
		if err := <-ends[0]; err == nil || err.Error() != `hold "run:x" was failed` {
			t.Errorf("a held request of the run that was reset: %v, want a *HoldFailedError", err)
		}
	})
}
