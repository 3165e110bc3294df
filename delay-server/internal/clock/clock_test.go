package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
)

func TestRealSleepsUntilDueExactly(t *testing.T) {
	for _, wait := range []time.Duration{0, 1, time.Microsecond, 1500 * time.Microsecond, time.Second, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if err := (clock.Real{}).SleepUntil(t.Context(), start.Add(wait)); err != nil {
				t.Fatalf("SleepUntil(now+%v) = %v, want nil", wait, err)
			}
			if got := time.Since(start); got != wait {
				t.Errorf("SleepUntil(now+%v) returned after %v", wait, got)
			}
		})
	}
}

func TestRealDueInThePastReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := (clock.Real{}).SleepUntil(t.Context(), start.Add(-time.Hour)); err != nil {
			t.Fatalf("got %v, want nil", err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("returned after %v, want 0", got)
		}
	})
}

func TestRealEndsAtOnceWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the client left")
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		time.AfterFunc(3*time.Millisecond, func() { cancel(cause) })
		err := (clock.Real{}).SleepUntil(ctx, start.Add(time.Hour))
		if got := time.Since(start); !errors.Is(err, cause) || got != 3*time.Millisecond {
			t.Errorf("got %v after %v, want %v after 3ms", err, got, cause)
		}
	})
}

func TestRealIsNeverEarlyOnTheMachinesClock(t *testing.T) {
	for _, wait := range []time.Duration{1, 50 * time.Microsecond, 999 * time.Microsecond, 3 * time.Millisecond} {
		for range 50 {
			due := time.Now().Add(wait)
			if err := (clock.Real{}).SleepUntil(t.Context(), due); err != nil {
				t.Fatal(err)
			}
			if early := time.Until(due); early > 0 {
				t.Fatalf("SleepUntil(now+%v) was %v early", wait, early)
			}
		}
	}
}
