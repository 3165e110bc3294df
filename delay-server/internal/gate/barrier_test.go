package gate_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// stand has one more come to the barrier, and returns where its end is told.
func stand(ctx context.Context, c *clock.Clock, b *gate.Barriers, spec gate.BarrierSpec) <-chan error {
	end := make(chan error, 1)
	go func() {
		w := newWaiter(c)
		defer w.Leave()
		end <- enterBarrier(ctx, w, b, spec)
	}()
	synctest.Wait()
	return end
}

// standNowhere fails the test where a barrier lives.
func standNowhere(t *testing.T, b *gate.Barriers) {
	t.Helper()
	if left := b.Standing(); len(left) != 0 {
		t.Errorf("barriers that live on: %v", left)
	}
}

func TestBarrierLetsItsPartiesPassTogether(t *testing.T) {
	for _, parties := range []int{1, 2, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			var b gate.Barriers
			c := clock.New()
			spec := gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}
			var ends []<-chan error
			for i := range parties {
				for j, end := range ends {
					if len(end) != 0 {
						t.Fatalf("number %d passed when %d of %d had come", j+1, i, parties)
					}
				}
				time.Sleep(time.Millisecond)
				ends = append(ends, stand(t.Context(), c, &b, spec))
			}
			for i, end := range ends {
				if len(end) != 1 {
					t.Fatalf("number %d did not pass when all %d had come", i+1, parties)
				}
				if err := <-end; err != nil {
					t.Errorf("number %d of %d: Enter = %v, want nil", i+1, parties, err)
				}
			}
			standNowhere(t, &b)
		})
	}
}

func TestBarrierIsCyclic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		const parties, rounds = 5, 200
		var mu sync.Mutex
		begun := make([]int, rounds)
		var wg sync.WaitGroup
		for range parties {
			wg.Go(func() {
				w := newWaiter(c)
				defer w.Leave()
				for round := range rounds {
					mu.Lock()
					begun[round]++
					mu.Unlock()
					if err := enterBarrier(t.Context(), w, &b, gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}); err != nil {
						t.Errorf("round %d: Enter = %v", round, err)
					}
					mu.Lock()
					if begun[round] != parties {
						t.Errorf("round %d was passed when %d of %d had come to it", round, begun[round], parties)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		standNowhere(t, &b)
	})
}

func TestBarriersOfOtherNamesAreOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		first := stand(t.Context(), c, &b, gate.BarrierSpec{Name: "a", Parties: 2, Timeout: time.Minute})
		second := stand(t.Context(), c, &b, gate.BarrierSpec{Name: "b", Parties: 2, Timeout: time.Hour})
		var timeout *gate.BarrierTimeoutError
		if err := <-first; !errors.As(err, &timeout) {
			t.Errorf("Enter = %v, want a *BarrierTimeoutError", err)
		}
		if len(second) != 0 {
			t.Errorf("barrier b ended when a broke: %v", <-second)
		}
		if err := <-stand(t.Context(), c, &b, gate.BarrierSpec{Name: "b", Parties: 2, Timeout: time.Hour}); err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		standNowhere(t, &b)
	})
}

func TestBarrierRefusesOtherParties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		spec := gate.BarrierSpec{Name: "b", Parties: 3, Timeout: time.Minute}
		first := stand(t.Context(), c, &b, spec)
		for _, parties := range []int{1, 2, 4} {
			other := gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}
			err := enterBarrier(t.Context(), newWaiter(c), &b, other)
			var refused *gate.BarrierMismatchError
			if !errors.As(err, &refused) || *refused != (gate.BarrierMismatchError{Name: "b", Asked: parties, Current: 3}) {
				t.Errorf("Enter(%+v) where others stand for 3 = %v, want a *BarrierMismatchError", other, err)
			} else if got, want := err.Error(), `barrier "b" is in use with parties=3, not parties=`; len(got) != len(want)+1 || got[:len(want)] != want {
				t.Errorf("it says %q, want %q and the number", got, want)
			}
		}
		if got := b.Standing()["b"]; got != 1 {
			t.Errorf("%d stand at the barrier, want the 1 who was there", got)
		}
		second, third := stand(t.Context(), c, &b, spec), stand(t.Context(), c, &b, spec)
		for _, end := range []<-chan error{first, second, third} {
			if err := <-end; err != nil {
				t.Errorf("Enter = %v, want nil", err)
			}
		}
		// Nobody stands there any more: it may be for any number.
		if err := enterBarrier(t.Context(), newWaiter(c), &b, gate.BarrierSpec{Name: "b", Parties: 1}); err != nil {
			t.Errorf("Enter of a barrier with another number of parties after the first = %v", err)
		}
		standNowhere(t, &b)
	})
}

func TestBarrierTimeoutBreaksItForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		patient := gate.BarrierSpec{Name: "b", Parties: 4, Timeout: time.Hour}
		hasty := gate.BarrierSpec{Name: "b", Parties: 4, Timeout: 5 * time.Second}
		start := time.Now()
		first, second, third := stand(t.Context(), c, &b, patient), stand(t.Context(), c, &b, hasty), stand(t.Context(), c, &b, patient)
		want := gate.BarrierTimeoutError{Barrier: hasty, Arrived: 3}
		err := <-second
		var timeout *gate.BarrierTimeoutError
		if got := time.Since(start); !errors.As(err, &timeout) || *timeout != want || got != 5*time.Second {
			t.Fatalf("Enter = %#v after %v, want a %#v after 5s", err, got, want)
		}
		if got, want := err.Error(), `barrier "b": 3 of 4 requests arrived within 5s`; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		for _, end := range []<-chan error{first, third} {
			err := <-end
			var broken *gate.BrokenError
			if !errors.As(err, &broken) || broken.Reason != timeout || !errors.Is(err, error(timeout)) {
				t.Fatalf("Enter of another = %#v, want a *BrokenError for the same reason", err)
			}
			if got, want := err.Error(), `another request timed out at barrier "b": 3 of 4 requests arrived within 5s`; got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("the others were freed after %v, want 5s", got)
		}
		standNowhere(t, &b)
		// Who comes now stands at a new one.
		end := stand(t.Context(), c, &b, patient)
		if len(end) != 0 {
			t.Errorf("Enter after it broke = %v at once", <-end)
		}
		if got := b.Standing()["b"]; got != 1 {
			t.Errorf("%d stand at the new barrier, want 1", got)
		}
	})
}

func TestBarrierTimeoutsAtOnceBreakItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		var ends []<-chan error
		for range 50 {
			ends = append(ends, stand(t.Context(), c, &b, gate.BarrierSpec{Name: "b", Parties: 51, Timeout: time.Second}))
		}
		timeouts, broken := map[*gate.BarrierTimeoutError]bool{}, 0
		for _, end := range ends {
			switch err := (<-end).(type) {
			case *gate.BarrierTimeoutError:
				timeouts[err] = true
			case *gate.BrokenError:
				broken++
			default:
				t.Errorf("Enter = %v", err)
			}
		}
		if len(timeouts) != 1 || broken != 49 {
			t.Errorf("%d timed out and %d were freed by that, want 1 and 49", len(timeouts), broken)
		}
		for timeout := range timeouts {
			if timeout.Arrived != 50 {
				t.Errorf("%d had arrived, want 50", timeout.Arrived)
			}
		}
		standNowhere(t, &b)
	})
}

func TestBarrierWithoutTimeFails(t *testing.T) {
	var b gate.Barriers
	err := enterBarrier(t.Context(), newWaiter(clock.New()), &b, gate.BarrierSpec{Name: "b", Parties: 2})
	var timeout *gate.BarrierTimeoutError
	if !errors.As(err, &timeout) || timeout.Arrived != 1 {
		t.Errorf("Enter with a timeout of 0 = %v, want a *BarrierTimeoutError with 1 arrived", err)
	}
	standNowhere(t, &b)
}

func TestBarrierGivesThePlaceOfALeaverUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		spec := gate.BarrierSpec{Name: "b", Parties: 3, Timeout: time.Minute}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		leaver := stand(ctx, c, &b, spec)
		first := stand(t.Context(), c, &b, spec)
		leave(gone)
		if err := <-leaver; err != gone {
			t.Errorf("Enter of one that left = %v, want %v", err, gone)
		}
		if got := b.Standing()["b"]; got != 1 {
			t.Errorf("%d stand there once one has left, want 1", got)
		}
		second := stand(t.Context(), c, &b, spec)
		if len(first) != 0 || len(second) != 0 {
			t.Fatal("two passed a barrier for three")
		}
		third := stand(t.Context(), c, &b, spec)
		for _, end := range []<-chan error{first, second, third} {
			if err := <-end; err != nil {
				t.Errorf("Enter = %v, want nil", err)
			}
		}
		// The last to leave takes the barrier along.
		if err := <-stand(ctx, c, &b, spec); err != gone {
			t.Errorf("Enter of one that has left before = %v, want %v", err, gone)
		}
		standNowhere(t, &b)
	})
}

// No clock is involved where all come: on a frozen one too they pass.
func TestBarrierOnAFrozenClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		c.Freeze()
		spec := gate.BarrierSpec{Name: "b", Parties: 2, Timeout: time.Second}
		first := stand(t.Context(), c, &b, spec)
		time.Sleep(time.Hour) // the machine's
		if err := <-stand(t.Context(), c, &b, spec); err != nil || <-first != nil {
			t.Errorf("Enter = %v, want nil", err)
		}
		alone := stand(t.Context(), c, &b, spec)
		if err := c.Advance(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		var timeout *gate.BarrierTimeoutError
		if err := <-alone; !errors.As(err, &timeout) {
			t.Errorf("Enter, advanced by the timeout, = %v, want a *BarrierTimeoutError", err)
		}
		standNowhere(t, &b)
	})
}
