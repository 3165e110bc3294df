package fetch_test

import (
	"context"
	"testing"
	"time"

	"flash.test/demo-api/internal/fetch"
)

// sleeps returns calls that do nothing but wait, so that what is over the sum
// or the slowest is this package's, and the timer's.
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

func benchmark(b *testing.B, all strategy, physical time.Duration) {
	calls := sleeps(10*time.Millisecond, 20*time.Millisecond)
	for b.Loop() {
		if _, err := all(b.Context(), calls, 0); err != nil {
			b.Fatal(err)
		}
	}
	perOp := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(perOp-physical)/float64(time.Millisecond), "ms-over")
}

// ms-over: above 30 ms, the sum.
func BenchmarkSequential(b *testing.B) { benchmark(b, sequential, 30*time.Millisecond) }

// ms-over: above 20 ms, the slowest.
func BenchmarkConcurrent(b *testing.B) { benchmark(b, fetch.Concurrent, 20*time.Millisecond) }

// BenchmarkConcurrent1000 is the price of a thousand calls that return at once.
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
