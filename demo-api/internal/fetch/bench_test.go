package fetch_test

import (
	"context"
	"testing"
	"time"

	"flash.test/demo-api/internal/fetch"
)

// sleeps returns calls that only wait: the time above the sum or the slowest is
// the overhead of this package and of the timer.
func sleeps(waits ...time.Duration) []fetch.Call {
	calls := make([]fetch.Call, len(waits))
	for i, wait := range waits {
		calls[i].Do = func(context.Context) (int, error) {
			time.Sleep(wait)
			return 200, nil
		}
	}
	return calls
}

func benchmark(b *testing.B, fetchAll strategy, minTime time.Duration) {
	calls := sleeps(10*time.Millisecond, 20*time.Millisecond)
	for b.Loop() {
		if _, err := fetchAll(b.Context(), calls, 0); err != nil {
			b.Fatal(err)
		}
	}
	perOp := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(perOp-minTime)/float64(time.Millisecond), "ms-over")
}

// ms-over is the time above 30 ms, the sum.
func BenchmarkSequential(b *testing.B) { benchmark(b, sequential, 30*time.Millisecond) }

// ms-over is the time above 20 ms, the slowest.
func BenchmarkConcurrent(b *testing.B) { benchmark(b, fetch.Concurrent, 20*time.Millisecond) }

// BenchmarkConcurrent1000 makes a thousand calls that return at once.
func BenchmarkConcurrent1000(b *testing.B) {
	calls := make([]fetch.Call, 1000)
	for i := range calls {
		calls[i].Do = func(context.Context) (int, error) { return 200, nil }
	}
	for b.Loop() {
		if _, err := fetch.Concurrent(b.Context(), calls, 0); err != nil {
			b.Fatal(err)
		}
	}
}
