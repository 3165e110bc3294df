package gate_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// parties is the number of requests at one gate.
const parties = 10_000

// benchmarkFree measures the time from free until all waiting requests have returned.
func benchmarkFree(b *testing.B, waiting int, enter func(context.Context, *waiter) error, free func() error) {
	c := clock.New()
	var took time.Duration
	ended := make(chan error, waiting)
	for b.Loop() {
		for range waiting {
			go func() {
				w := newWaiter(c)
				defer w.Leave()
				ended <- enter(b.Context(), w)
			}()
		}
		if _, err := c.AwaitWaiting(b.Context(), waiting); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := free(); err != nil {
			b.Fatal(err)
		}
		for range waiting {
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		}
		took += time.Since(begin)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/free")
}

// BenchmarkBarrier measures from the last arrival until all have passed.
func BenchmarkBarrier(b *testing.B) {
	var barriers gate.Barriers
	enter := func(ctx context.Context, w *waiter) error {
		return enterBarrier(ctx, w, &barriers, gate.BarrierSpec{Name: "b", Parties: parties, Timeout: time.Hour})
	}
	last := clock.New()
	benchmarkFree(b, parties-1, enter, func() error { return enter(b.Context(), newWaiter(last)) })
}

// BenchmarkHold measures from the release until all have passed.
func BenchmarkHold(b *testing.B) {
	holds := gate.NewHolds()
	enter := func(ctx context.Context, w *waiter) error {
		return enterHold(ctx, w, holds, gate.HoldSpec{Name: "h", Timeout: time.Hour})
	}
	benchmarkFree(b, parties, enter, func() error {
		_, err := holds.Release(gate.NameOf("", "h"), gate.Choice{Count: parties})
		return err
	})
}

// BenchmarkPool measures getting a free worker and giving it back.
func BenchmarkPool(b *testing.B) {
	var pools gate.Pools
	var ticket gate.Ticket
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if admitted, err := pools.Enter(&ticket, gate.PoolSpec{Name: "p", Workers: 1}, 0, now); !admitted {
			b.Fatal(err)
		}
		pools.Leave(&ticket, now)
	}
}

// BenchmarkShares measures Enter and Leave, in parallel.
func BenchmarkShares(b *testing.B) {
	shares := gate.NewShares(1<<20, 1<<20)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		client := shares.Client(netip.Addr{})
		defer client.Release()
		for pb.Next() {
			if err := client.Enter(); err != nil {
				b.Error(err)
			}
			client.Leave()
		}
	})
}

// BenchmarkTickets measures queueing and freeing a ticket.
func BenchmarkTickets(b *testing.B) {
	holds := gate.NewHolds()
	tickets := make([]gate.Ticket, parties)
	for i := range tickets {
		tickets[i].Waker = new(counting)
	}
	for b.Loop() {
		for i := range tickets {
			holds.Enter(&tickets[i], gate.HoldSpec{Name: "h"})
		}
		if _, err := holds.Release(gate.NameOf("", "h"), gate.Choice{Count: parties}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*parties), "ns/ticket")
}

// BenchmarkRateLimiter measures one request: of one key, of one of many, and of a new
// key in place of the oldest one.
func BenchmarkRateLimiter(b *testing.B) {
	for _, bc := range []struct {
		name string
		rate gate.Rate
		keys uint64
	}{
		{"bucket", gate.Rate{Requests: 10, Window: time.Second, Burst: 5}, 1},
		{"fixed", gate.Rate{Requests: 10, Window: time.Second}, 1},
		{"many keys", gate.Rate{Requests: 10, Window: time.Second, Burst: 5}, 50_000},
		{"new keys", gate.Rate{Requests: 10, Window: time.Second, Burst: 5}, 1 << 62},
	} {
		b.Run(bc.name, func(b *testing.B) {
			limiter, now := gate.NewRateLimits().Limiter(1, bc.rate), time.Now()
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				at := now.Add(time.Duration(i) * time.Second)
				if _, err := limiter.Enter(gate.RateKey{Value: i % bc.keys}, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRateLimitsForget measures how long a full table takes to forget a run.
func BenchmarkRateLimitsForget(b *testing.B) {
	limits := gate.NewRateLimits()
	limiter := limits.Limiter(1, gate.Rate{Requests: 1, Window: time.Hour})
	for key := range uint64(100_000) {
		_, _ = limiter.Enter(gate.RateKey{Value: key}, time.Now())
	}
	for i := uint64(0); b.Loop(); i++ {
		limits.Forget(1 << 63)
	}
}
