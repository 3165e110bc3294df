package board

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// BenchmarkState makes the state of 50 people, of whom no run has changed.
func BenchmarkState(b *testing.B) {
	r := newRoomFor(b, 10_000)
	for i := range 50 {
		r.three(fmt.Sprintf("name%d.concurrent.1", i), i)
	}
	for range 10 {
		r.after(maxQuiet, "")
	}
	for b.Loop() {
		text, err := json.Marshal(r.after(interval, ""))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}

// BenchmarkFlood updates the board after 10,000 requests, each in another run.
func BenchmarkFlood(b *testing.B) {
	r := newRoomFor(b, 10_000)
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range 10_000 {
			r.call(fmt.Sprintf("flood%d.concurrent.%d", n%300, n), 1, 200, time.Microsecond)
			n++
		}
		b.StartTimer()
		r.after(interval, "")
	}
}
