package server

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkEvent measures the time from an event until the last of 10,000 waiting
// requests has its response, over HTTP/2 on loopback, with 200 requests a connection.
func BenchmarkEvent(b *testing.B) {
	const n, connections = 10_000, 50
	url := map[string]string{"barrier": fmt.Sprintf("/barrier/b?parties=%d&timeout=1m", n+1), "hold": "/hold/x"}
	for _, event := range []string{"barrier", "hold"} {
		b.Run(event, func(b *testing.B) {
			_, base, _ := start(b, DefaultConfig(), io.Discard)
			s := steer(b, base)
			var pool [connections]*http.Client
			for i := range pool {
				pool[i] = newH2CClient(b)
				do(b, pool[i], "GET", base+"/delay/0", nil)
			}
			var took time.Duration
			for b.Loop() {
				var replies [connections]<-chan answered
				for i, client := range pool {
					replies[i] = ask(b, client, n/connections, base+url[event])
				}
				s.timed(n)
				begin := time.Now()
				if event == "hold" {
					s.release("x")
				} else {
					do(b, pool[0], "GET", base+url[event], nil)
				}
				for _, of := range replies {
					wantAll(b, of, n/connections, 200, event)
				}
				took += time.Since(begin)
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/event")
		})
	}
}
