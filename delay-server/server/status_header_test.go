package server

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startScenario starts a server with the scenario text and returns its URL.
func startScenario(t *testing.T, text string) string {
	t.Helper()
	config := DefaultConfig()
	config.Scenario = filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(config.Scenario, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, base, _ := start(t, config, io.Discard)
	return base
}

// TestStatusHeaders checks the headers that a status requires, on each endpoint where
// a request can choose the status.
func TestStatusHeaders(t *testing.T) {
	const basic = `Basic realm="Fake Realm"`
	required := []struct {
		status             int
		name, value, http2 string // http2 is the value over HTTP/2, or "=" if the same
	}{
		{300, "Location", "/status/200", "="}, {301, "Location", "/status/200", "="},
		{302, "Location", "/status/200", "="},
		{303, "Location", "/status/200", "="}, {305, "Location", "/status/200", "="},
		{307, "Location", "/status/200", "="}, {308, "Location", "/status/200", "="},
		{401, "WWW-Authenticate", basic, "="}, {405, "Allow", "OPTIONS", "="}, {407, "Proxy-Authenticate", basic, "="},
		{426, "Upgrade", "HTTP/2.0", ""}, {426, "Connection", "Upgrade", ""},
		{429, "Retry-After", "1", "="}, {503, "Retry-After", "1", "="},
		{200, "Location", "", "="}, {404, "Retry-After", "", "="}, {500, "Retry-After", "", "="},
	}
	var routes strings.Builder
	for _, tc := range required {
		fmt.Fprintf(&routes, "  - {path: /s%d-%s, status: %d}\n", tc.status, tc.name, tc.status)
	}
	base := startScenario(t, "routes:\n"+routes.String())
	for protocol, connect := range clients {
		client := connect(t)
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, tc := range required {
			want := tc.value
			if protocol == "HTTP/2" && tc.http2 != "=" {
				want = tc.http2
			}
			for _, target := range []string{
				"/delay/0?status=%d", "/delay/0/?status=%d:100",
				"/drip?delay=0&duration=0&code=%d", "/drip?delay=0&duration=0&status=%d",
				"/sse?count=1&status=%d", "/status/%d", "/status/%d:1,%[1]d:2",
				"/bytes/3?status=%d", "/bytes/0?status=%d", "/barrier/b?parties=1&status=%d",
				"/s%d-" + tc.name, // scenario
			} {
				target = fmt.Sprintf(target, tc.status)
				reply, _ := do(t, client, "GET", base+target, nil)
				if got := reply.Header.Get(tc.name); reply.StatusCode != tc.status || got != want {
					t.Errorf("%s %s: got %d, %s %q, want %d, %q",
						protocol, target, reply.StatusCode, tc.name, got, tc.status, want)
				}
			}
		}
		for target, want := range map[string]string{
			"/bytes/10?status=206":       "bytes 0-9/10",
			"/bytes/10?status=200":       "",
			"/delay/0?status=206&size=7": "bytes 0-6/7",
			"/delay/0?status=416&size=7": "bytes */7",
			"/status/416":                "bytes */0",
			"/status/206":                "",
			"/sse?count=1&status=206":    "",
		} {
			reply, _ := do(t, client, "GET", base+target, nil)
			if got := reply.Header.Get("Content-Range"); got != want {
				t.Errorf("%s %s: got Content-Range %q, want %q", protocol, target, got, want)
			}
		}
	}
}

// TestRequestedHeadersReplaceDefaults checks that a header from the request or the
// scenario replaces the header that the status or endpoint has by default.
func TestRequestedHeadersReplaceDefaults(t *testing.T) {
	base := startScenario(t, `routes:
  - {path: /moved, status: 301, headers: {Location: /status/201}}
  - {path: /login, status: 401, headers: {www-authenticate: Bearer}}
  - {path: /busy, status: 503, headers: {Retry-After: 7}}
`)
	for protocol, connect := range clients {
		client := connect(t)
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, tc := range []struct{ target, name, want string }{
			{"/moved", "Location", "/status/201"},
			{"/login", "WWW-Authenticate", "Bearer"},
			{"/busy", "Retry-After", "7"},
			{"/delay/0?status=503&header=retry-after:30", "Retry-After", "30"},
			{"/sse?count=1&header=Cache-Control:no-store", "Cache-Control", "no-store"},
		} {
			reply, _ := do(t, client, "GET", base+tc.target, nil)
			if got := reply.Header.Values(tc.name); len(got) != 1 || got[0] != tc.want {
				t.Errorf("%s %s: got %s %q, want only %q", protocol, tc.target, tc.name, got, tc.want)
			}
		}
	}
}

// TestStatusesWithoutContent checks that 205 has Content-Length 0, and that 204 and
// 304 have none.
func TestStatusesWithoutContent(t *testing.T) {
	base := startScenario(t, `routes:
  - {path: /a, status: 205}
  - {path: /b, status: '205:100', body: text, rate: 1}
`)
	for protocol, connect := range clients {
		client := connect(t)
		for target, length := range map[string]string{
			"/delay/0?status=205":             "0",
			"/drip?delay=0&code=205":          "0",
			"/sse?status=205":                 "0",
			"/status/205":                     "0",
			"/bytes/9?status=205:100":         "0",
			"/barrier/b?parties=1&status=205": "0",
			"/a":                              "0",
			"/b":                              "0",
			"/delay/0?status=205:100&size=9&rate=1&body_delay=1&fault=truncate": "0",

			"/delay/0?status=204":    "",
			"/drip?delay=0&code=304": "",
		} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				reply, body := do(t, client, method, base+target, nil)
				got := reply.Header
				if body != "" || got.Get("Content-Length") != length ||
					got.Get("Content-Type") != "" || got.Get("X-Accel-Buffering") != "" {
					t.Errorf("%s %s %s: got %d %q with headers %v, want no content, no type, Content-Length %q",
						protocol, method, target, reply.StatusCode, body, got, length)
				}
			}
		}
	}
}

// TestPacedBodiesAreNotBuffered checks the headers that keep a proxy from buffering a
// body that is sent over time.
func TestPacedBodiesAreNotBuffered(t *testing.T) {
	base := startScenario(t, `routes:
  - {path: /paced, body: text, rate: 1}
  - {path: /whole, body: text}
  - {path: /own, body: text, body_delay: 1ms, headers: {X-Accel-Buffering: yes}}
`)
	for protocol, connect := range clients {
		client := connect(t)
		for target, want := range map[string]string{
			"/sse?count=1":                "no",
			"/sse?count=2&interval=0":     "no",
			"/drip?delay=0&duration=1ms":  "no",
			"/delay/0?body_delay=1":       "no",
			"/delay/0?rate=100":           "no",
			"/bytes/10?rate=1":            "no",
			"/status/503?size=10&rate=10": "no",
			"/paced":                      "no",
			"/own":                        "yes",

			"/delay/0":                 "",
			"/delay/0?size=100000":     "",
			"/drip?delay=0&duration=0": "",
			"/bytes/10":                "",
			"/status/200":              "",
			"/whole":                   "",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				reply, _ := do(t, client, method, base+target, nil)
				cache := map[string]string{"no": "no-cache", "yes": "no-cache"}[want]
				if got := reply.Header; got.Get("X-Accel-Buffering") != want || got.Get("Cache-Control") != cache {
					t.Errorf("%s %s %s: got X-Accel-Buffering %q, Cache-Control %q, want %q, %q",
						protocol, method, target, got.Get("X-Accel-Buffering"), got.Get("Cache-Control"), want, cache)
				}
			}
		}
	}
}
