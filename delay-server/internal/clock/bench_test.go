package clock_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
)

// clocks are the machine's, and one that was set to go as it does.
var clocks = map[string]func() *clock.Clock{
	"clock=machine": clock.New,
	"clock=scaled": func() *clock.Clock {
		c := clock.New()
		_ = c.Scale(1)
		return c
	},
}

// BenchmarkOvershoot is how much later than asked a wait is over: of one that
// waits alone, so that the process is idle until then, by the runtime's timers
// and by what UseTimerfd has in their place.
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

// BenchmarkWait is what a request pays for its wait. What wait=1us costs above a
// time.Sleep of as long is ours.
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

// BenchmarkWaitAmongSleepers is what one more wait costs where so many sleep.
func BenchmarkWaitAmongSleepers(b *testing.B) {
	for _, sleeping := range []int{0, 1000, 15_000} {
		b.Run(fmt.Sprintf("sleeping=%d", sleeping), func(b *testing.B) {
			c := clock.New()
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			for i := range sleeping {
				go func() {
					w := newWaiter(c)
					_ = w.until(ctx, w.start.Add(time.Hour+time.Duration(i)))
					w.Leave()
					ended <- struct{}{}
				}()
			}
			if _, err := c.AwaitWaiting(ctx, sleeping); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := newWaiter(c)
				_ = w.until(ctx, w.start.Add(time.Microsecond))
				w.Leave()
			}
			cancel()
			for range sleeping {
				<-ended
			}
		})
	}
}

// BenchmarkAdvance is what it takes to wake 10,000: one after the other, and all
// at one time.
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
