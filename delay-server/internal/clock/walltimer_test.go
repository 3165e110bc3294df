package clock_test

import (
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
)

// All waiters wake, and none early, while the timer that wakes them is replaced.
func TestReplacingTheTimer(t *testing.T) {
	const waits = 300
	c := clock.New()
	var wg sync.WaitGroup
	wait := func(d time.Duration) {
		wg.Go(func() {
			w := newWaiter(c)
			defer w.Leave()
			if err := w.until(t.Context(), w.start.Add(d)); err != nil {
				t.Errorf("Until: %v", err)
			}
			if got := c.Now().Sub(w.start); got < d {
				t.Errorf("a wait of %v ended after %v", d, got)
			}
		})
	}
	for i := range waits {
		wait(time.Duration(i) * 200 * time.Microsecond)
	}
	for range 3 {
		stop := c.UseTimerfd()
		time.Sleep(10 * time.Millisecond)
		stop()
		time.Sleep(5 * time.Millisecond)
	}
	stop := c.UseTimerfd()
	defer stop()
	wg.Wait()
	if s := c.State(); s.Waiting != 0 {
		t.Errorf("State().Waiting = %d, want 0", s.Waiting)
	}
}
