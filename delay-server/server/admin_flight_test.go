package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// A client that reads each reply before its next request has one request in flight. It
// uses two connections in turn, since one would be sequential anyway. TEST_SLOW=1 makes
// four times as many requests.
func TestSequentialClientHasOneInFlight(t *testing.T) {
	t.Parallel()
	upstream := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch kind := strings.TrimPrefix(r.URL.Path, "/"); kind {
		case "204", "304":
			w.WriteHeader(map[string]int{"204": 204, "304": 304}[kind])
		case "empty":
			w.Header().Set("Content-Length", "0")
		case "small":
			_, _ = io.WriteString(w, "ten bytes.")
		case "large":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, strings.Repeat("0123456789", 10_000))
		case "chunks":
			_, _ = io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "and another")
		case "events":
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "data: x\n\n")
		}
	})
	config, _ := withScenario(t, "routes:\n  - path: /page\n    body: \""+strings.Repeat("0123456789", 3000)+"\"\n")
	config.ProxyHosts = []string{"127.0.0.1"}
	few, many := 50, 200
	if os.Getenv("TEST_SLOW") == "1" {
		few, many = 200, 1000
	}
	for name, newClient := range clients {
		for _, tc := range []struct {
			name, method, target string
			n                    int
		}{
			{"an answer", "GET", "/delay/0", many},
			{"a wait", "GET", "/delay/0.05", few},
			{"HEAD", "HEAD", "/delay/0", many},
			{"POST", "POST", "/delay/0", few},
			{"no body", "GET", "/delay/0?size=0", few},
			{"a body of one part", "GET", "/delay/0?size=1000", few},
			{"a body of many parts", "GET", "/delay/0?size=100000", many},
			{"HEAD of many parts", "HEAD", "/delay/0?size=100000", many},
			{"delayed parts", "GET", "/delay/0?size=3&body_delay=0.05", few},
			{"a throttled body", "GET", "/delay/0?size=100&rate=10000", few},
			{"a body larger than the buffers", "GET", "/page", many},
			{"bytes", "GET", "/bytes/100000?seed=1", few},
			{"a drip", "GET", "/drip?delay=0&duration=0&numbytes=10", many},
			{"a drip over time", "GET", "/drip?delay=0&duration=1ms&numbytes=3", few},
			{"events", "GET", "/sse?delay=0&duration=1ms&count=3", few},
			{"no content", "GET", "/status/204", few},
			{"not modified", "GET", "/delay/0?status=304", few},
			{"a refusal", "GET", "/delay/0?status=503", few},
			{"half a body", "GET", "/delay/0?size=100000&fault=truncate", few},
			{"no answer", "GET", "/delay/0?fault=empty", few},
			{"garbage", "GET", "/delay/0?fault=garbage", few},
			{"a reset", "GET", "/delay/0?fault=reset", few},
			{"a redirect", "GET", "/delay/0/url/example.com", few},
			{"a barrier", "GET", "/barrier/b?parties=1", few},
			{"a barrier that times out", "GET", "/barrier/b?parties=2&timeout=0.05", few},
			{"a hold that times out", "GET", "/hold/x?timeout=0.05", few},
			{"a pool", "GET", "/delay/0?pool=db&workers=1&queue=0", few},
			{"proxied", "GET", "/delay/0/proxy/UPSTREAM/small", few},
			{"proxied HEAD", "HEAD", "/delay/0/proxy/UPSTREAM/large", many},
			{"proxied, many parts", "GET", "/delay/0/proxy/UPSTREAM/large", many},
			{"proxied, no body", "GET", "/delay/0/proxy/UPSTREAM/empty", many},
			{"proxied 204", "GET", "/delay/0/proxy/UPSTREAM/204", many},
			{"proxied 304", "GET", "/delay/0/proxy/UPSTREAM/304", many},
			{"proxied in chunks", "GET", "/delay/0/proxy/UPSTREAM/chunks", few},
			{"proxied events of a known length", "GET", "/delay/0/proxy/UPSTREAM/events", few},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				_, base, _ := start(t, config, io.Discard)
				pair := [2]*http.Client{newClient(t), newClient(t)}
				target := base + strings.Replace(tc.target, "UPSTREAM", upstream, 1)
				for i := range tc.n {
					readReply(t, pair[i%2], tc.method, target)
				}
				run := steer(t, base).settled("r")
				if run.Requests != tc.n || run.PeakInFlight != 1 {
					t.Errorf("%s %s, %d sequential requests: got a peak of %d of %d requests in flight, want 1",
						tc.method, tc.target, tc.n, run.PeakInFlight, run.Requests)
				}
			})
		}
	}
}

// readReply sends a request of run r and reads the reply, up to its Content-Length if it
// has one. A reply that a fault ends is fine.
func readReply(t *testing.T, client *http.Client, method, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Run-Id", "r")
	reply, err := client.Transport.RoundTrip(req) // does not follow redirects
	if err != nil {
		if !strings.Contains(url, "fault=") {
			t.Fatal(err)
		}
		return
	}
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusBadRequest {
		t.Fatalf("%s %s: status 400", method, url)
	}
	if reply.ContentLength > 0 && method != http.MethodHead {
		_, err = io.CopyN(io.Discard, reply.Body, reply.ContentLength)
	} else {
		_, err = io.Copy(io.Discard, reply.Body)
	}
	if err != nil && !strings.Contains(url, "fault=") && !errors.Is(err, io.EOF) {
		t.Fatal(fmt.Errorf("%s %s: %w", method, url, err))
	}
}
