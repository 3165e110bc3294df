package gate_test

import (
	"context"
	"errors"
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
				n, err := h.Release("h", count)
				if err != nil || n != tc.want[i]-gone {
					t.Fatalf("%s: Release(%d) = %d, %v, want %d", tc.name, count, n, err, tc.want[i]-gone)
				}
				gone = tc.want[i]
				if got := ended(ends); len(got) != gone || got[gone-1] != gone-1 {
					t.Errorf("%s: after Release %d, requests %v have ended, want the first %d", tc.name, i+1, got, gone)
				}
				if got, want := h.State("h"), (gate.HoldState{Name: "h", Waiting: 10 - gone}); got != want {
					t.Errorf("%s: State = %+v, want %+v", tc.name, got, want)
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
		if n, err := h.Fail("h"); n != 3 || err != nil {
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
		if got := h.State("h").Waiting; got != 1 || len(other) != 0 {
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
		if got := h.State("h").Waiting; got != 2 {
			t.Errorf("%d are held after one of three has left, want 2", got)
		}
		if n, err := h.Release("h", 1); n != 1 || err != nil || <-first != nil {
			t.Errorf("Release(1) = %d, %v, or it did not release the first", n, err)
		}
		if n, err := h.Release("h", 1); n != 1 || err != nil || <-third != nil {
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
			"Release(all)": func() (int, error) { return h.Release("h", 0) },
			"Release(1)":   func() (int, error) { return h.Release("h", 1) },
			"Fail":         func() (int, error) { return h.Fail("h") },
		} {
			if n, err := free(); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
				t.Errorf("%s of an unknown hold = %d, %v, want ErrNobodyHeld", what, n, err)
			}
		}
		ends := []<-chan error{
			goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}),
			goHold(t.Context(), h, c, gate.HoldSpec{Name: "h", Timeout: time.Hour}),
		}
		n, err := h.Release("h", 3)
		var fewer *gate.FewerHeldError
		if n != 0 || !errors.As(err, &fewer) || *fewer != (gate.FewerHeldError{Asked: 3, Held: 2}) {
			t.Errorf("Release(3) of 2 = %d, %v, want a *FewerHeldError", n, err)
		} else if got, want := err.Error(), "2 held, fewer than 3"; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		if got := ended(ends); len(got) != 0 || h.State("h").Waiting != 2 {
			t.Errorf("Release(3) of 2 released %v, want none", got)
		}
		if n, err := h.Fail("other"); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
			t.Errorf("Fail(other) = %d, %v, want ErrNobodyHeld", n, err)
		}
		if n, err := h.Release("h", 0); n != 2 || err != nil {
			t.Errorf("Release(all) = %d, %v, want 2", n, err)
		}
		if n, err := h.Release("h", 0); n != 0 || !errors.Is(err, gate.ErrNobodyHeld) {
			t.Errorf("second Release(all) = %d, %v, want ErrNobodyHeld", n, err)
		}
	})
}

func TestHoldAwaitWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := gate.NewHolds(), clock.New()
		if s, err := h.AwaitWaiting(t.Context(), "h", 0); err != nil || s != (gate.HoldState{Name: "h"}) {
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
		want := gate.HoldState{Name: "h", Waiting: 3}
		if s, err := h.AwaitWaiting(t.Context(), "h", 3); err != nil || s != want ||
			time.Since(start) != 3*time.Second {
			t.Errorf("AwaitWaiting(3) = %+v, %v after %v, want %+v after 3s", s, err, time.Since(start), want)
		}
		cause := errors.New("the caller gave up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if s, err := h.AwaitWaiting(ctx, "h", 4); err != cause || s != want {
			t.Errorf("AwaitWaiting(4) = %+v, %v, want %+v, %v", s, err, want, cause)
		}
		if got, want := h.States(), []gate.HoldState{{Name: "h", Waiting: 3},
			{Name: "other", Waiting: 3}}; !slices.Equal(got, want) {
			t.Errorf("States() = %+v, want %+v", got, want)
		}
		for _, name := range []string{"h", "other"} {
			if n, err := h.Release(name, 0); n != 3 || err != nil {
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
		if _, err := h.AwaitWaiting(t.Context(), "h", n); err != nil {
			t.Fatal(err)
		}
		if got, err := h.Release("h", n); got != n || err != nil {
			t.Fatalf("Release(%d) = %d, %v", n, got, err)
		}
		for range n {
			if err := <-ends; err != nil {
				t.Fatalf("Enter = %v, want nil", err)
			}
		}
	}
}
