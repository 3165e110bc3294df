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

// seen is what a client sees of a reply, on one line. A refusal is its status
// alone, since go-httpbin has a document of its own for it, and a timestamp is
// a T. What no client relies on is left out: Date, Server-Timing, Retry-After,
// Allow, and the path of a redirect.
func seen(t *testing.T, client *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(req)
	if err != nil {
		return "no reply"
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "a broken reply"
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
		return fmt.Sprintf("%d, refused", reply.StatusCode)
	case kind == "application/octet-stream" && !strings.Contains(url, "seed="):
		return fmt.Sprintf("%s, %d random bytes", line, len(body))
	}
	return fmt.Sprintf("%s: %q", line, timestamp.ReplaceAllString(string(body), `"timestamp":T}`))
}

// split returns the method of a target, GET where it names none, and its path.
func split(target string) (method, path string) {
	if method, path, named := strings.Cut(target, " "); named {
		return method, path
	}
	return http.MethodGet, target
}

// both starts ours and go-httpbin with the same limits and returns their URLs.
func both(t *testing.T) (ours, theirs string) {
	t.Helper()
	config := DefaultConfig()
	config.MaxDelay, config.MaxBodySize = 10*time.Second, 1<<20
	_, ours, _ = start(t, config, io.Discard)
	peer := httptest.NewUnstartedServer(httpbin.New(httpbin.WithMaxDuration(config.MaxDelay), httpbin.WithMaxBodySize(config.MaxBodySize)))
	peer.Config.ErrorLog = log.New(io.Discard, "", 0) // its panics
	peer.Start()
	t.Cleanup(peer.Close)
	return ours, peer.URL
}

func TestAnswersAsGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	for _, tc := range []struct {
		target string
		least  time.Duration // that both take
	}{
		{"/drip?duration=50ms&delay=20ms", 70 * time.Millisecond},
		{"/drip?duration=0.05&delay=0.02&numbytes=5&code=503", 70 * time.Millisecond},
		{"/drip?numbytes=1&delay=0.02", 20 * time.Millisecond},
		{"/drip?numbytes=2&duration=30ms&delay=0", 30 * time.Millisecond},
		{"/drip?numbytes=70000&duration=0&delay=0", 0},
		{"/drip?code=404&duration=0&delay=0", 0},
		{"HEAD /drip?duration=0&delay=20ms", 20 * time.Millisecond},
		{"POST /drip?duration=0&delay=0", 0},
		{"/drip?numbytes=0", 0}, {"/drip?numbytes=1048577", 0}, {"/drip?numbytes=-1", 0}, {"/drip?numbytes=ten", 0}, {"/drip?numbytes=1.5", 0},
		{"/drip?code=600", 0}, {"/drip?code=99", 0}, {"/drip?code=ok", 0},
		{"/drip?duration=11", 0}, {"/drip?duration=-1", 0}, {"/drip?duration=soon", 0}, {"/drip?delay=11s", 0}, {"/drip?delay=-1ms", 0}, {"/drip?duration=6&delay=5", 0}, {"/drip?delay=9", 0},
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
		{"/sse?duration=0", 0}, {"/sse?duration=11", 0}, {"/sse?delay=11", 0}, {"/sse?jitter=1.1", 0}, {"/sse?jitter=-1", 0}, {"/sse?jitter=a", 0},

		{"/status/200", 0}, {"/status/200,200", 0}, {"/status/503:1,503:3", 0}, {"/status/404:1,500:0", 0},
		{"POST /status/404", 0}, {"DELETE /status/500", 0},
		{"/status/600", 0}, {"/status/99", 0}, {"/status/ok", 0}, {"/status/200:1,ok:1", 0}, {"/status/200:a,500:1", 0}, {"/status/200,", 0},

		{"/bytes/0", 0}, {"/bytes/1", 0}, {"/bytes/100000", 0}, {"/bytes/1048576", 0},
		{"/bytes/100?seed=0", 0}, {"/bytes/100000?seed=7", 0}, {"/bytes/10?seed=9223372036854775807", 0},
		{"HEAD /bytes/10", 0}, {"HEAD /bytes/0", 0}, {"POST /bytes/10?seed=1", 0},
		{"/bytes/-1", 0}, {"/bytes/many", 0}, {"/bytes/1.5", 0}, {"/bytes/1048577", 0}, {"/bytes/10?seed=lucky", 0},
		{"/bytes/10?seed=-1", 0}, {"/bytes/1000?seed=-9223372036854775808", 0}, {"/bytes/10?seed=18446744073709551616", 0}, {"/bytes/10?seed=-9223372036854775809", 0},
	} {
		t.Run(tc.target, func(t *testing.T) {
			method, path := split(tc.target)
			begin := time.Now()
			want := seen(t, client, method, theirs+path)
			middle := time.Now()
			got := seen(t, client, method, ours+path)
			if took := time.Since(middle); took < tc.least || middle.Sub(begin) < tc.least {
				t.Errorf("%s took %v, go-httpbin %v, want both %v or more", tc.target, took, middle.Sub(begin), tc.least)
			}
			if got != want {
				t.Errorf("%s: got\n%.300s, go-httpbin answers\n%.300s", tc.target, got, want)
			}
		})
	}
}

// Where ours answers otherwise, it is on purpose, for the reason that is given.
func TestAnswersOtherwiseThanGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	const refused = "400, refused"
	for _, tc := range []struct{ reason, target, want string }{
		{"NaN is no time, and would be none at all", "/drip?delay=NaN&duration=0", refused},
		{"nor is what overflows", "/drip?delay=1e300&duration=0", refused},
		{"an exponent is not in the grammar", "/drip?delay=1e-3&duration=0", refused},
		{"NaN is no share", "/sse?count=1&jitter=NaN", refused},
		{"weights that are all 0 end it in a panic", "/status/200:0,500:0", refused},
		{"so do negative ones", "/status/200:-1,500:-1", refused},
		{"NaN is no weight", "/status/200:NaN,500:1", refused},
		{"a code that is none ends it in a panic", "/status/99:1,99:1", refused},
		{"1xx ends no exchange: it answers 200 after it", "/drip?code=102&delay=0&duration=0", refused},
		{"the same", "/status/102", refused},
		{"one code may have a weight, as several", "/status/404:0.5", `404 text/plain; charset=utf-8, length 0: ""`},
		{"an empty parameter is a slip, not the default", "/drip?numbytes=&delay=0&duration=0", refused},
		{"of two values one would be ignored", "/drip?code=200&code=500&delay=0&duration=0", refused},
		{"a duration that one byte cannot take would be ignored", "/drip?numbytes=1&duration=1&delay=0", refused},
		{"nor can one event", "/sse?count=1&duration=1", refused},
		{"nor can a status that has no body", "/drip?code=304&duration=0&delay=0", refused},
		{"HEAD says the length that GET would", "HEAD /status/503", `503 text/plain; charset=utf-8, length 0: ""`},
		{"a slip in a name would be ignored", "/drip?numbyte=5&delay=0&duration=0", refused},
		{"an event is counted as 64 bytes, not as 56, since its number grows", "/sse?count=16385&duration=1ns", refused},
		{"a seed has 64 bits, as at every endpoint", "/bytes/1?seed=9223372036854775808", `200 application/octet-stream, length 1: "\x1d"`},
		{"205 has no content", "/drip?code=205&duration=0&delay=0&numbytes=3", refused},
		{"a slash behind is read as part of the code", "/status/200/", refused},
		{"or of the number", "/bytes/10/", refused},
	} {
		t.Run(tc.target, func(t *testing.T) {
			method, path := split(tc.target)
			if got := seen(t, client, method, ours+path); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.target, got, tc.want)
			}
			if their := seen(t, client, method, theirs+path); their == tc.want {
				t.Errorf("%s: go-httpbin answers the same, %s: it belongs in the other table", tc.target, their)
			}
		})
	}
}

func TestEveryStatusAnswersAsGoHTTPBin(t *testing.T) {
	ours, theirs := both(t)
	client := newClient(t)
	otherwise := map[int]string{
		204: "what has no content has no type of it", 205: "the same",
		300: "it leads to pages of go-httpbin, and names them", 308: "the same",
		402: "its own joke", 418: "its own joke",
		406: "it names the images that go-httpbin has",
	}
	for code := 200; code <= 599; code++ {
		path := fmt.Sprintf("/status/%d", code)
		got, want := seen(t, client, "GET", ours+path), seen(t, client, "GET", theirs+path)
		if reason, on := otherwise[code]; (got != want) != on {
			t.Errorf("%s: got %s, go-httpbin answers %s, want them to differ: %v (%s)", path, got, want, on, reason)
		}
	}
}

func TestAClientThatFollowsAStatusArrives(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	client.CheckRedirect = nil
	for _, code := range []int{301, 302, 303, 307, 308} {
		if reply, _ := do(t, client, "GET", fmt.Sprintf("%s/status/%d", base, code), nil); reply.StatusCode != 200 {
			t.Errorf("/status/%d: followed, it ends in %d, want 200", code, reply.StatusCode)
		}
	}
}

// Events come one by one and tell when they were sent: a client reads the first
// while the next is nine minutes away.
func TestEventsComeWhenTheyAreDue(t *testing.T) {
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
	came := time.Now()
	_, data, _ := strings.Cut(string(event), "event: ping\ndata: ")
	var told struct{ ID, Timestamp int64 }
	if err := json.Unmarshal([]byte(data), &told); err != nil {
		t.Fatalf("%q: %v", event, err)
	}
	if told.ID != 0 || told.Timestamp < begin.Add(20*time.Millisecond).UnixMilli() || told.Timestamp > came.UnixMilli() {
		t.Errorf("event %d tells %d, want event 0 and a time from %d, which is 20 ms after the request, to %d", told.ID, told.Timestamp, begin.UnixMilli()+20, came.UnixMilli())
	}
	leave()
	wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
}

func TestAStreamIsCutWithoutItsEnd(t *testing.T) {
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
		if reply.StatusCode != 204 || reply.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("OPTIONS %s: got %d, origin %q, want 204 at once, *", path, reply.StatusCode, reply.Header.Get("Access-Control-Allow-Origin"))
		}
	}
}
