package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"flash.test/delay-server/kit/wiretest"
)

var timestamp = regexp.MustCompile(`"timestamp":\d{13}}`)

// summary returns what matters of a response, on one line. Of an error it is only the
// status, since go-httpbin has another document for it. It replaces timestamps by T,
// and omits Date, Server-Timing, Retry-After, Allow, and the path of a redirect.
func summary(t *testing.T, client *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(req)
	if err != nil {
		return "no response"
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "a broken response"
	}
	h := reply.Header
	line := fmt.Sprintf("%d %s, length %d", reply.StatusCode, h.Get("Content-Type"), reply.ContentLength)
	for _, name := range []string{"Www-Authenticate", "Proxy-Authenticate"} {
		if h.Get(name) != "" {
			line += ", " + name + " " + h.Get(name)
		}
	}
	if h.Get("Location") != "" {
		line += ", Location"
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch {
	case len(body) > 0 && (reply.StatusCode == 400 && kind != "text/plain" || reply.StatusCode == 404):
		return fmt.Sprintf("%d, rejected", reply.StatusCode)
	case kind == "application/octet-stream" && !strings.Contains(url, "seed="):
		return fmt.Sprintf("%s, %d random bytes", line, len(body))
	}
	return fmt.Sprintf("%s: %q", line, timestamp.ReplaceAllString(string(body), `"timestamp":T}`))
}

// split returns the method of a target, GET by default, and its path.
func split(target string) (method, path string) {
	if method, path, named := strings.Cut(target, " "); named {
		return method, path
	}
	return http.MethodGet, target
}

// both starts delay-server and go-httpbin with the same limits and returns their URLs.
func both(t *testing.T) (ours, theirs string) {
	t.Helper()
	config := DefaultConfig()
	config.MaxDelay, config.MaxBodySize = 10*time.Second, 1<<20
	_, ours, _ = start(t, config, io.Discard)
	peer := httptest.NewUnstartedServer(httpbin.New(
		httpbin.WithMaxDuration(config.MaxDelay), httpbin.WithMaxBodySize(config.MaxBodySize)))
	peer.Config.ErrorLog = log.New(io.Discard, "", 0) // it logs panics
	peer.Start()
	t.Cleanup(peer.Close)
	return ours, peer.URL
}

func TestSameAsGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	for _, tc := range []struct {
		target  string
		minTime time.Duration // of both
	}{
		{"/drip?duration=50ms&delay=20ms", 70 * time.Millisecond},
		{"/drip?duration=0.05&delay=0.02&numbytes=5&code=503", 70 * time.Millisecond},
		{"/drip?numbytes=1&delay=0.02", 20 * time.Millisecond},
		{"/drip?numbytes=2&duration=30ms&delay=0", 30 * time.Millisecond},
		{"/drip?numbytes=70000&duration=0&delay=0", 0},
		{"/drip?code=404&duration=0&delay=0", 0},
		{"HEAD /drip?duration=0&delay=20ms", 20 * time.Millisecond},
		{"POST /drip?duration=0&delay=0", 0},
		{"/drip?numbytes=0", 0}, {"/drip?numbytes=1048577", 0}, {"/drip?numbytes=-1", 0},
		{"/drip?numbytes=ten", 0}, {"/drip?numbytes=1.5", 0},
		{"/drip?code=600", 0}, {"/drip?code=99", 0}, {"/drip?code=ok", 0},
		{"/drip?duration=11", 0}, {"/drip?duration=-1", 0}, {"/drip?duration=soon", 0}, {"/drip?delay=11s", 0},
		{"/drip?delay=-1ms", 0}, {"/drip?duration=6&delay=5", 0}, {"/drip?delay=9", 0},
		{"/drip/", 0},

		{"/sse?count=3&duration=50ms", 50 * time.Millisecond},
		{"/sse?count=3&duration=0.05&delay=0.02", 70 * time.Millisecond},
		{"/sse?count=1&delay=20ms", 20 * time.Millisecond},
		{"/sse?count=12&duration=20ms&jitter=0", 20 * time.Millisecond},
		{"/sse?count=3&duration=40ms&jitter=0.5", 20 * time.Millisecond},
		{"/sse?count=16384&duration=1ns", 0},
		{"HEAD /sse?count=1", 0},
		{"PUT /sse?count=1", 0},
		{"/sse?count=0", 0}, {"/sse?count=-1", 0}, {"/sse?count=ten", 0}, {"/sse?count=100000", 0},
		{"/sse?duration=0", 0}, {"/sse?duration=11", 0}, {"/sse?delay=11", 0},
		{"/sse?jitter=1.1", 0}, {"/sse?jitter=-1", 0}, {"/sse?jitter=a", 0},

		{"/status/200", 0}, {"/status/200,200", 0}, {"/status/503:1,503:3", 0}, {"/status/404:1,500:0", 0},
		{"POST /status/404", 0}, {"DELETE /status/500", 0},
		{"/status/600", 0}, {"/status/99", 0}, {"/status/ok", 0},
		{"/status/200:1,ok:1", 0}, {"/status/200:a,500:1", 0}, {"/status/200,", 0},

		{"/bytes/0", 0}, {"/bytes/1", 0}, {"/bytes/100000", 0}, {"/bytes/1048576", 0},
		{"/bytes/100?seed=0", 0}, {"/bytes/100000?seed=7", 0}, {"/bytes/10?seed=9223372036854775807", 0},
		{"HEAD /bytes/10", 0}, {"HEAD /bytes/0", 0}, {"POST /bytes/10?seed=1", 0},
		{"/bytes/-1", 0}, {"/bytes/many", 0}, {"/bytes/1.5", 0}, {"/bytes/1048577", 0}, {"/bytes/10?seed=lucky", 0},
		{"/bytes/10?seed=-1", 0}, {"/bytes/1000?seed=-9223372036854775808", 0},
		{"/bytes/10?seed=18446744073709551616", 0}, {"/bytes/10?seed=-9223372036854775809", 0},
	} {
		t.Run(tc.target, func(t *testing.T) {
			method, path := split(tc.target)
			begin := time.Now()
			want := summary(t, client, method, theirs+path)
			middle := time.Now()
			got := summary(t, client, method, ours+path)
			if took := time.Since(middle); took < tc.minTime || middle.Sub(begin) < tc.minTime {
				t.Errorf("%s took %v, go-httpbin %v, want at least %v", tc.target, took, middle.Sub(begin), tc.minTime)
			}
			if got != want {
				t.Errorf("%s: got\n%.300s, go-httpbin responds\n%.300s", tc.target, got, want)
			}
		})
	}
}

// Each row gives the reason for an intended difference.
func TestDifferencesFromGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	const rejected = "400, rejected"
	for _, tc := range []struct{ reason, target, want string }{
		{"NaN is not a duration", "/drip?delay=NaN&duration=0", rejected},
		{"an overflow is not a duration", "/drip?delay=1e300&duration=0", rejected},
		{"an exponent is not in the grammar", "/drip?delay=1e-3&duration=0", rejected},
		{"NaN is not a ratio", "/sse?count=1&jitter=NaN", rejected},
		{"go-httpbin panics if all weights are 0", "/status/200:0,500:0", rejected},
		{"go-httpbin panics if weights are negative", "/status/200:-1,500:-1", rejected},
		{"NaN is not a weight", "/status/200:NaN,500:1", rejected},
		{"go-httpbin panics for an invalid code", "/status/99:1,99:1", rejected},
		{"1xx is not a final status: go-httpbin sends 200 after it", "/drip?code=102&delay=0&duration=0", rejected},
		{"1xx is not a final status", "/status/102", rejected},
		{"a single code may have a weight", "/status/404:0.5", `404 text/plain; charset=utf-8, length 0: ""`},
		{"an empty parameter is an error, not the default", "/drip?numbytes=&delay=0&duration=0", rejected},
		{"one of two values would be ignored", "/drip?code=200&code=500&delay=0&duration=0", rejected},
		{"duration would have no effect on one byte", "/drip?numbytes=1&duration=1&delay=0", rejected},
		{"duration would have no effect on one event", "/sse?count=1&duration=1", rejected},
		{"duration would have no effect without a body", "/drip?code=304&duration=0&delay=0", rejected},
		{"HEAD has the length of GET", "HEAD /status/503", `503 text/plain; charset=utf-8, length 0: ""`},
		{"a misspelt name would be ignored", "/drip?numbyte=5&delay=0&duration=0", rejected},
		{"an event counts as 64 bytes, not 56, since its number grows", "/sse?count=16385&duration=1ns", rejected},
		{"a seed has 64 bits, as at every endpoint", "/bytes/1?seed=9223372036854775808",
			`200 application/octet-stream, length 1: "\x1d"`},
		{"205 has no content", "/drip?code=205&duration=0&delay=0&numbytes=3", rejected},
		{"a trailing slash is part of the code", "/status/200/", rejected},
		{"a trailing slash is part of the number", "/bytes/10/", rejected},
	} {
		t.Run(tc.target, func(t *testing.T) {
			method, path := split(tc.target)
			if got := summary(t, client, method, ours+path); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.target, got, tc.want)
			}
			if their := summary(t, client, method, theirs+path); their == tc.want {
				t.Errorf("%s: go-httpbin responds the same, %s: move it to the other table", tc.target, their)
			}
		})
	}
}

func TestEveryStatusIsSameAsGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	different := map[int]string{
		204: "without content, it has no content type", 205: "without content, it has no content type",
		300: "it links to pages of go-httpbin", 308: "it links to pages of go-httpbin",
		402: "a joke of go-httpbin", 418: "a joke of go-httpbin",
		406: "it lists images of go-httpbin",
	}
	for code := 200; code <= 599; code++ {
		path := fmt.Sprintf("/status/%d", code)
		got, want := summary(t, client, "GET", ours+path), summary(t, client, "GET", theirs+path)
		if reason, differs := different[code]; (got != want) != differs {
			t.Errorf("%s: got %s, go-httpbin responds %s, want a difference: %v (%s)", path, got, want, differs, reason)
		}
	}
}

func TestRedirectStatusesCanBeFollowed(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	client.CheckRedirect = nil
	for _, code := range []int{301, 302, 303, 307, 308} {
		if reply, _ := do(t, client, "GET", fmt.Sprintf("%s/status/%d", base, code), nil); reply.StatusCode != 200 {
			t.Errorf("/status/%d: following it got %d, want 200", code, reply.StatusCode)
		}
	}
}

// Events are sent when they are due, with their time: a client can read the first one
// nine minutes before the next.
func TestEventsAreSentWhenDue(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/sse?count=2&first=20ms&interval=9m", nil)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	event := make([]byte, len("event: ping\ndata: {\"id\":0,\"timestamp\":1234567890123}\n\n"))
	if _, err := io.ReadFull(reply.Body, event); err != nil {
		t.Fatal(err)
	}
	received := time.Now()
	_, data, _ := strings.Cut(string(event), "event: ping\ndata: ")
	var ping struct{ ID, Timestamp int64 }
	if err := json.Unmarshal([]byte(data), &ping); err != nil {
		t.Fatalf("%q: %v", event, err)
	}
	first, last := begin.Add(20*time.Millisecond).UnixMilli(), received.UnixMilli()
	if ping.ID != 0 || ping.Timestamp < first || ping.Timestamp > last {
		t.Errorf("event %d has timestamp %d, want event 0 and %d to %d", ping.ID, ping.Timestamp, first, last)
	}
	leave()
	wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
}

func TestTruncatedStream(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	got, err := raw(t, base, "/sse?count=4&interval=1ms&fault=truncate")
	if events := strings.Count(got, "event: ping\n"); err != nil || events != 2 || strings.Contains(got, "\r\n0\r\n") {
		t.Errorf("got %d events, %v, want 2 and no last chunk:\n%s", events, err, got)
	}
}

func TestPreflightOfHTTPBinsEndpoints(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for _, path := range []string{"/drip", "/sse", "/status/503", "/bytes/10"} {
		reply, _ := do(t, newClient(t), "OPTIONS", base+path, nil)
		if origin := reply.Header.Get("Access-Control-Allow-Origin"); reply.StatusCode != 204 || origin != "*" {
			t.Errorf("OPTIONS %s: got %d, origin %q, want 204, *", path, reply.StatusCode, origin)
		}
	}
}
