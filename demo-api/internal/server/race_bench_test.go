package server_test

import (
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// BenchmarkThousandCalls and BenchmarkThousandCallsWatched make a thousand calls of
// 200 ms at once, without and with an event stream. The difference of ms-over, the
// time above 200 ms on the clock of demo-api, is the cost of the stream. With the
// stream, the sequential lane makes one more call at a time.

func BenchmarkThousandCalls(b *testing.B) {
	d := start(b, options(), delaytest.NewServer(b).URL, time.Minute)
	over := 0.0
	for b.Loop() {
		got := d.get(b, "/async_get_data?calls=1000&delay=200")
		over += float64(durations(b, got.Header.Get("Server-Timing"))[0])/float64(time.Millisecond) - 200
	}
	b.ReportMetric(over/float64(b.N), "ms-over")
}

func BenchmarkThousandCallsWatched(b *testing.B) {
	d := start(b, options(), delaytest.NewServer(b).URL, time.Minute)
	over := 0.0
	for b.Loop() {
		race := d.watch(b, "calls=1000&delay=200", "bench")
		for {
			e, ok := race.next(b)
			if !ok {
				b.Fatal("the stream ended before the concurrent lane")
			}
			if e.kind == "total" {
				over += e.Total - 200
				break
			}
		}
		race.leave()
		race.Body.Close()
	}
	b.ReportMetric(over/float64(b.N), "ms-over")
}
