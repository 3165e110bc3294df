package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Both programs send spans to the collector, and the trace of a client continues
// through both.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var sent []byte
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("the collector received %s, error %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, body...)
	}))
	defer collector.Close()
	r := run(t, "DELAY=1", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL)
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.base+"/async_get_data", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if err := r.stop(); err != nil { // sends the remaining spans
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	trace := []byte("\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c")
	if n := bytes.Count(sent, trace); n != 5 { // one request, two calls, two requests to delay-server
		t.Errorf("the collector has %d spans of the client's trace, want 5", n)
	}
	for _, want := range []string{"demo-api", "delay-server", "GET /delay/:delay/", "delay_server.waited_ms"} {
		if !bytes.Contains(sent, []byte(want)) {
			t.Errorf("the collector received no %s", want)
		}
	}
}
