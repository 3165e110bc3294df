package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

func TestAwait(t *testing.T) {
	cause := errors.New("the client left")
	const never = 0
	for _, tc := range []struct {
		name             string
		fires, due, gone time.Duration // from the start; negative for before
		want             error
		after            time.Duration
	}{
		{"the signal comes first", 2, 3, 4, nil, 2},
		{"the time comes first", 3, 2, 4, clock.ErrDeadline, 2},
		{"the client leaves first", 3, 4, 2, cause, 2},
		{"only the signal comes", 2, never, never, nil, 2},
		{"only the time comes", never, 2, never, clock.ErrDeadline, 2},
		{"only the client leaves", never, never, 2, cause, 2},
		{"the signal has fired before", -1, 2, never, nil, 0},
		{"the signal has fired and the time has come before", -1, -2, never, nil, 0},
		{"the signal has fired and the client has left before", -1, never, -1, nil, 0},
		{"the time has come before", 2, -1, never, clock.ErrDeadline, 0},
		{"the client has left before", 2, 3, -1, cause, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			w := newWaiter(c)
			defer w.Leave()
			signal := w.Signal()
			ctx, cancel := context.WithCancelCause(t.Context())
			for at, do := range map[*time.Duration]func(){
				&tc.fires: signal.Fire,
				&tc.gone:  func() { cancel(cause) },
			} {
				switch {
				case *at < 0:
					do()
				case *at > 0:
					time.AfterFunc(*at, do)
				}
			}
			var due time.Time
			if tc.due != never {
				due = c.Now().Add(tc.due)
			}
			if err := w.Await(ctx, signal, due); !errors.Is(err, tc.want) || w.lasted() != tc.after {
				t.Errorf("%s: Await = %v after %v, want %v after %v", tc.name, err, w.lasted(), tc.want, tc.after)
			}
			if got := c.State().Waiting; got != 0 {
				t.Errorf("%s: State().Waiting = %d afterwards, want 0", tc.name, got)
			}
		})
	}
}

func TestFireAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		w := newWaiter(c)
		signal := w.Signal()
		if err := w.Await(t.Context(), signal, c.Now().Add(time.Second)); !errors.Is(err, clock.ErrDeadline) {
			t.Fatalf("Await = %v, want ErrDeadline", err)
		}
		time.AfterFunc(time.Second, signal.Fire)
		if err := w.until(t.Context(), c.Now().Add(time.Minute)); err != nil || w.lasted() != 61*time.Second {
			t.Errorf("until = %v, %v after the start, want nil after 1m1s", err, w.lasted())
		}
		w.Leave()
		signal.Fire()
		c.Freeze()
		if err := c.Advance(t.Context(), time.Hour); err != nil { // it does not wait for w
			t.Errorf("Advance = %v, want nil", err)
		}
	})
}

func TestSignalFiresOnAFrozenClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Freeze()
		w := newWaiter(c)
		signal := w.Signal()
		time.AfterFunc(time.Second, signal.Fire)
		if err := w.Await(t.Context(), signal, c.Now().Add(1)); err != nil || w.lasted() != time.Second ||
			!w.Now().Equal(w.start) {
			t.Errorf("Await = %v after %v, want nil after 1s", err, w.lasted())
		}
	})
}

func TestAwaitWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.Freeze()
		if s, err := c.AwaitWaiting(t.Context(), 0); err != nil || s.Waiting != 0 {
			t.Errorf("AwaitWaiting(0) = %+v, %v", s, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 3 {
			time.AfterFunc(time.Duration(i+1)*time.Second, func() {
				_ = newWaiter(c).until(ctx,
					c.Now().Add(time.Hour))
			})
		}
		start := time.Now()
		want := clock.State{Scale: 1, Frozen: true, Waiting: 3, Next: time.Hour}
		if s, err := c.AwaitWaiting(t.Context(), 3); err != nil || s != want || time.Since(start) != 3*time.Second {
			t.Errorf("AwaitWaiting(3) = %+v, %v after %v, want %+v after 3s", s, err, time.Since(start), want)
		}
		cause := errors.New("the caller gave up")
		short, stop := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer stop()
		if s, err := c.AwaitWaiting(short, 4); !errors.Is(err, cause) || s != want {
			t.Errorf("AwaitWaiting(4) = %+v, %v, want %+v, %v", s, err, want, cause)
		}
		cancel()
		synctest.Wait()
	})
}
