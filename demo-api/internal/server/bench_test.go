package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/demo-api/internal/upstream"
)

// overhead reports the time of a request with two calls of 20 ms above minTime, the
// sum or the slowest. It includes two HTTP hops and the overhead of delay-server.
func overhead(b *testing.B, path string, minTime time.Duration) {
	d := start(b, options(), delaytest.NewServer(b).URL, time.Minute)
	for b.Loop() {
		if got := d.get(b, path+"?delay=20"); got.StatusCode != 200 {
			b.Fatalf("GET %s = %d %s", path, got.StatusCode, got.body)
		}
	}
	perOp := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(perOp-minTime)/float64(time.Millisecond), "ms-over")
}

// ms-over is the time above 40 ms, the sum.
func BenchmarkGetData(b *testing.B) { overhead(b, "/get_data", 40*time.Millisecond) }

// ms-over is the time above 20 ms, the slowest.
func BenchmarkAsyncGetData(b *testing.B) { overhead(b, "/async_get_data", 20*time.Millisecond) }

// BenchmarkDirect and BenchmarkThrough get the same response directly and through
// demo-api. The difference is the cost of demo-api.

func BenchmarkDirect(b *testing.B) {
	s := newFast(b)
	client := upstream.New(s.URL, time.Minute, 1)
	b.Cleanup(client.Close)
	for b.Loop() {
		if _, err := client.Get(b.Context(), upstream.Request{Delay: "0", RunID: "run"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkThrough(b *testing.B) {
	d := start(b, options(), newFast(b).URL, time.Minute)
	for b.Loop() {
		d.get(b, "/get_data?calls=1")
	}
}

// newFast returns a server that responds at once.
func newFast(b *testing.B) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(s.Close)
	return s
}
