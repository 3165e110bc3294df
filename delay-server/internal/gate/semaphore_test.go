package gate_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"flash.test/delay-server/internal/gate"
)

func TestSemaphore(t *testing.T) {
	l := gate.NewSemaphore(2)
	for i, want := range []bool{true, true, false, false} {
		if got := l.Enter(); got != want {
			t.Fatalf("Enter %d = %v, want %v", i+1, got, want)
		}
	}
	l.Leave()
	if !l.Enter() {
		t.Error("Enter after one Leave = false, want true")
	}
	if l.Enter() {
		t.Error("Enter of a full semaphore = true, want false")
	}
}

func TestSemaphoreUnderContention(t *testing.T) {
	const max = 10
	l := gate.NewSemaphore(max)
	var inside, peak atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 200 {
				if !l.Enter() {
					continue
				}
				if n := inside.Add(1); n > peak.Load() {
					peak.Store(n)
				}
				inside.Add(-1)
				l.Leave()
			}
		})
	}
	wg.Wait()
	if peak.Load() > max {
		t.Errorf("%d were inside at once, want at most %d", peak.Load(), max)
	}
	for i := range max {
		if !l.Enter() {
			t.Fatalf("Enter %d of %d = false after all had left", i+1, max)
		}
	}
}
