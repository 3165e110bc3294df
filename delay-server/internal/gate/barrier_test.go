package gate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// goBarrier starts a request at the barrier and returns a channel of its result.
func goBarrier(ctx context.Context, c *clock.Clock, b *gate.Barriers, spec gate.BarrierSpec) <-chan error {
	end := make(chan error, 1)
	go func() {
		w := newWaiter(c)
		defer w.Leave()
		end <- enterBarrier(ctx, w, b, spec)
	}()
	synctest.Wait()
	return end
}

// wantNoBarriers fails the test if a barrier is left.
func wantNoBarriers(t *testing.T, b *gate.Barriers) {
	t.Helper()
	if left := b.Standing(); len(left) != 0 {
		t.Errorf("barriers left: %v", left)
	}
}

func TestBarrierPassesTogether(t *testing.T) {
	for _, parties := range []int{1, 2, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			var b gate.Barriers
			c := clock.New()
			spec := gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}
			var ends []<-chan error
			for i := range parties {
				for j, end := range ends {
					if len(end) != 0 {
						t.Fatalf("request %d passed when %d of %d had arrived", j+1, i, parties)
					}
				}
				time.Sleep(time.Millisecond)
				ends = append(ends, goBarrier(t.Context(), c, &b, spec))
			}
			for i, end := range ends {
				if len(end) != 1 {
					t.Fatalf("request %d did not pass when all %d had arrived", i+1, parties)
				}
				if err := <-end; err != nil {
					t.Errorf("request %d of %d: Enter = %v, want nil", i+1, parties, err)
				}
			}
			wantNoBarriers(t, &b)
		})
	}
}

func TestBarrierIsCyclic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		const parties, rounds = 5, 200
		spec := gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}
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
					if err := enterBarrier(t.Context(), w, &b, spec); err != nil {
						t.Errorf("round %d: Enter = %v", round, err)
					}
					mu.Lock()
					if begun[round] != parties {
						t.Errorf("round %d ended when %d of %d had arrived", round, begun[round], parties)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		wantNoBarriers(t, &b)
	})
}

func TestBarriersAreSeparateByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		first := goBarrier(t.Context(), c, &b, gate.BarrierSpec{Name: "a", Parties: 2, Timeout: time.Minute})
		spec := gate.BarrierSpec{Name: "b", Parties: 2, Timeout: time.Hour}
		second := goBarrier(t.Context(), c, &b, spec)
		var timeout *gate.BarrierTimeoutError
		if err := <-first; !errors.As(err, &timeout) {
			t.Errorf("Enter = %v, want a *BarrierTimeoutError", err)
		}
		if len(second) != 0 {
			t.Errorf("barrier b ended when a broke: %v", <-second)
		}
		if err := <-goBarrier(t.Context(), c, &b, spec); err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		wantNoBarriers(t, &b)
	})
}

func TestBarrierMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		spec := gate.BarrierSpec{Name: "b", Parties: 3, Timeout: time.Minute}
		first := goBarrier(t.Context(), c, &b, spec)
		for _, parties := range []int{1, 2, 4} {
			other := gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Minute}
			err := enterBarrier(t.Context(), newWaiter(c), &b, other)
			var refused *gate.BarrierMismatchError
			want := gate.BarrierMismatchError{Name: "b", Asked: parties, Current: 3}
			if !errors.As(err, &refused) || *refused != want {
				t.Errorf("Enter(%+v) at a barrier for 3 = %v, want a *BarrierMismatchError", other, err)
			}
			text := fmt.Sprintf(`barrier "b" is in use with parties=3, not parties=%d`, parties)
			if err.Error() != text {
				t.Errorf("Error() = %q, want %q", err, text)
			}
		}
		if got := b.Standing()[gate.NameOf("", "b")]; got != 1 {
			t.Errorf("%d wait at the barrier, want 1", got)
		}
		second, third := goBarrier(t.Context(), c, &b, spec), goBarrier(t.Context(), c, &b, spec)
		for _, end := range []<-chan error{first, second, third} {
			if err := <-end; err != nil {
				t.Errorf("Enter = %v, want nil", err)
			}
		}
		// An empty barrier may have any number of parties.
		if err := enterBarrier(t.Context(), newWaiter(c), &b, gate.BarrierSpec{Name: "b", Parties: 1}); err != nil {
			t.Errorf("Enter of an empty barrier with another number of parties = %v", err)
		}
		wantNoBarriers(t, &b)
	})
}

func TestBarrierTimeoutBreaksIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		patient := gate.BarrierSpec{Name: "b", Parties: 4, Timeout: time.Hour}
		hasty := gate.BarrierSpec{Name: "b", Parties: 4, Timeout: 5 * time.Second}
		start := time.Now()
		first := goBarrier(t.Context(), c, &b, patient)
		second := goBarrier(t.Context(), c, &b, hasty)
		third := goBarrier(t.Context(), c, &b, patient)
		want := gate.BarrierTimeoutError{Barrier: hasty, Arrived: 3}
		err := <-second
		var timeout *gate.BarrierTimeoutError
		if got := time.Since(start); !errors.As(err, &timeout) || *timeout != want || got != 5*time.Second {
			t.Fatalf("Enter = %#v after %v, want a %#v after 5s", err, got, want)
		}
		if got, want := err.Error(), `barrier "b": 3 of 4 requests arrived within 5s`; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
		for _, end := range []<-chan error{first, third} {
			err := <-end
			var broken *gate.BrokenError
			if !errors.As(err, &broken) || broken.Reason != timeout || !errors.Is(err, error(timeout)) {
				t.Fatalf("Enter of another = %#v, want a *BrokenError for the same reason", err)
			}
			const text = `another request timed out at barrier "b": 3 of 4 requests arrived within 5s`
			if got := err.Error(); got != text {
				t.Errorf("Error() = %q, want %q", got, text)
			}
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("the others were freed after %v, want 5s", got)
		}
		wantNoBarriers(t, &b)
		// The next request waits at a new barrier.
		end := goBarrier(t.Context(), c, &b, patient)
		if len(end) != 0 {
			t.Errorf("Enter after the barrier broke = %v without a wait", <-end)
		}
		if got := b.Standing()[gate.NameOf("", "b")]; got != 1 {
			t.Errorf("%d wait at the new barrier, want 1", got)
		}
	})
}

func TestSimultaneousTimeoutsBreakABarrierOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		var ends []<-chan error
		spec := gate.BarrierSpec{Name: "b", Parties: 51, Timeout: time.Second}
		for range 50 {
			ends = append(ends, goBarrier(t.Context(), c, &b, spec))
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
			t.Errorf("%d timed out and %d were freed by it, want 1 and 49", len(timeouts), broken)
		}
		for timeout := range timeouts {
			if timeout.Arrived != 50 {
				t.Errorf("%d had arrived, want 50", timeout.Arrived)
			}
		}
		wantNoBarriers(t, &b)
	})
}

func TestBarrierWithAZeroTimeout(t *testing.T) {
	var b gate.Barriers
	err := enterBarrier(t.Context(), newWaiter(clock.New()), &b, gate.BarrierSpec{Name: "b", Parties: 2})
	var timeout *gate.BarrierTimeoutError
	if !errors.As(err, &timeout) || timeout.Arrived != 1 {
		t.Errorf("Enter with a timeout of 0 = %v, want a *BarrierTimeoutError with 1 arrived", err)
	}
	wantNoBarriers(t, &b)
}

func TestLeavingABarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		spec := gate.BarrierSpec{Name: "b", Parties: 3, Timeout: time.Minute}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		leaver := goBarrier(ctx, c, &b, spec)
		first := goBarrier(t.Context(), c, &b, spec)
		leave(gone)
		if err := <-leaver; err != gone {
			t.Errorf("Enter of a request that left = %v, want %v", err, gone)
		}
		if got := b.Standing()[gate.NameOf("", "b")]; got != 1 {
			t.Errorf("%d wait after one has left, want 1", got)
		}
		second := goBarrier(t.Context(), c, &b, spec)
		if len(first) != 0 || len(second) != 0 {
			t.Fatal("two passed a barrier for three")
		}
		third := goBarrier(t.Context(), c, &b, spec)
		for _, end := range []<-chan error{first, second, third} {
			if err := <-end; err != nil {
				t.Errorf("Enter = %v, want nil", err)
			}
		}
		// A barrier is dropped with its last request.
		if err := <-goBarrier(ctx, c, &b, spec); err != gone {
			t.Errorf("Enter with a done context = %v, want %v", err, gone)
		}
		wantNoBarriers(t, &b)
	})
}

// A barrier needs no clock to pass, only to time out.
func TestBarrierOnAFrozenClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b gate.Barriers
		c := clock.New()
		c.Freeze()
		spec := gate.BarrierSpec{Name: "b", Parties: 2, Timeout: time.Second}
		first := goBarrier(t.Context(), c, &b, spec)
		time.Sleep(time.Hour) // of wall time
		if err := <-goBarrier(t.Context(), c, &b, spec); err != nil || <-first != nil {
			t.Errorf("Enter = %v, want nil", err)
		}
		alone := goBarrier(t.Context(), c, &b, spec)
		if err := c.Advance(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		var timeout *gate.BarrierTimeoutError
		if err := <-alone; !errors.As(err, &timeout) {
			t.Errorf("Enter after an Advance by the timeout = %v, want a *BarrierTimeoutError", err)
		}
		wantNoBarriers(t, &b)
	})
}

func TestBarriersOfRunsDoNotMeet(t *testing.T) {
	var b gate.Barriers
	enter := func(run, name string) bool {
		t.Helper()
		passed, err := b.Enter(&gate.Ticket{Waker: noWaker{}, Run: run}, gate.BarrierSpec{Name: name, Parties: 2})
		if err != nil {
			t.Fatal(err)
		}
		return passed
	}
	if enter("a", "run:x") || enter("b", "run:x") || enter("a", "x") || !enter("b", "x") {
		t.Error("run:x of two runs met, or x of two runs did not")
	}
	if !enter("a", "run:x") || !enter("b", "run:x") {
		t.Error("the second request of a run did not complete its barrier")
	}
	enter("a", "run:x")
	enter("b", "run:x")
	enter("a", "x")
	b.ResetRun("a")
	if got := b.Standing(); len(got) != 2 {
		t.Errorf("after ResetRun(a): %v, want one at run:x of b and one at x", got)
	}
	b.ResetRun("")
	if got := b.Standing(); len(got) != 1 || got[gate.NameOf("", "x")] != 1 {
		t.Errorf("after ResetRun of all: %v, want one at x", got)
	}
}
