package clock_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
)

// clocks are one that was never set and one that was, both at the machine's speed.
var clocks = map[string]func() *clock.Clock{
	"clock=machine": clock.New,
	"clock=scaled": func() *clock.Clock {
		c := clock.New()
		_ = c.Scale(1)
		return c
	},
}

// BenchmarkOvershoot reports how late a wait ends in an otherwise idle process, with
// the runtime's timers and with UseTimerfd.
func BenchmarkOvershoot(b *testing.B) {
	for _, timer := range []string{"runtime", "timerfd"} {
		b.Run("timer="+timer, func(b *testing.B) {
			c := clock.New()
			if timer == "timerfd" {
				defer c.UseTimerfd()()
			}
			var over []time.Duration
			for b.Loop() {
				w := newWaiter(c)
				due := w.start.Add(10 * time.Millisecond)
				if err := w.until(b.Context(), due); err != nil {
					b.Fatal(err)
				}
				over = append(over, c.Now().Sub(due))
				w.Leave()
			}
			slices.Sort(over)
			b.ReportMetric(float64(over[len(over)/2].Microseconds()), "us-median")
			b.ReportMetric(float64(over[len(over)*99/100].Microseconds()), "us-p99")
		})
	}
}

func BenchmarkNow(b *testing.B) {
	for name, newClock := range clocks {
		b.Run(name, func(b *testing.B) {
			c := newClock()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c.Now()
				}
			})
		})
	}
}

// BenchmarkWait measures one wait. Compare wait=1us with time.Sleep.
func BenchmarkWait(b *testing.B) {
	ctx := b.Context()
	for name, newClock := range clocks {
		for _, wait := range []time.Duration{0, time.Microsecond} {
			b.Run(fmt.Sprintf("%s/wait=%v", name, wait), func(b *testing.B) {
				c := newClock()
				b.ReportAllocs()
				for b.Loop() {
					w := newWaiter(c)
					_ = w.until(ctx, w.start.Add(wait))
					w.Leave()
				}
			})
		}
	}
	b.Run("time.Sleep/wait=1us", func(b *testing.B) {
		for b.Loop() {
			time.Sleep(time.Microsecond)
		}
	})
}

// BenchmarkWaitAmongWaiters measures one wait among many others.
func BenchmarkWaitAmongWaiters(b *testing.B) {
	for _, waiting := range []int{0, 1000, 15_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			c := clock.New()
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			for i := range waiting {
				go func() {
					w := newWaiter(c)
					_ = w.until(ctx, w.start.Add(time.Hour+time.Duration(i)))
					w.Leave()
					ended <- struct{}{}
				}()
			}
			if _, err := c.AwaitWaiting(ctx, waiting); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := newWaiter(c)
				_ = w.until(ctx, w.start.Add(time.Microsecond))
				w.Leave()
			}
			cancel()
			for range waiting {
				<-ended
			}
		})
	}
}

// BenchmarkAdvance measures waking 10,000 waiters, with different due times and with
// the same.
func BenchmarkAdvance(b *testing.B) {
	const requests = 10_000
	for name, apart := range map[string]time.Duration{"due=apart": time.Second, "due=together": 0} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			c, _ := frozen()
			var took time.Duration
			for b.Loop() {
				ended := make(chan struct{})
				for i := range requests {
					go func() {
						w := newWaiter(c)
						_ = w.until(ctx, w.start.Add(time.Second+time.Duration(i)*apart))
						w.Leave()
						ended <- struct{}{}
					}()
				}
				if _, err := c.AwaitWaiting(ctx, requests); err != nil {
					b.Fatal(err)
				}
				go func() {
					for range requests {
						<-ended
					}
					close(ended)
				}()
				begin := time.Now()
				if err := c.Advance(ctx, time.Second+requests*apart); err != nil {
					b.Fatal(err)
				}
				<-ended
				took += time.Since(begin)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/requests, "ns/request")
		})
	}
}

// BenchmarkRunsOf measures how a request of a run finds its clock: in clocks=0, no run has
// one.
func BenchmarkRunsOf(b *testing.B) {
	for _, n := range []int{0, 1, clock.MaxRuns} {
		b.Run(fmt.Sprintf("clocks=%d", n), func(b *testing.B) {
			runs := clock.NewRuns(clock.New())
			for i := range n {
				if _, err := runs.Make(fmt.Sprint(i)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				runs.Of("0af7651916cd43dd8448eb211c80319c")
			}
		})
	}
}
