package server_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/version"
)

func TestPage(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	got := d.get(t, "/")
	for _, want := range []string{
		`<a href="/get_data">`, `<a href="/async_get_data">`, "curl " + d.URL + "/get_data\n", "curl " + d.URL + "/async_get_data\n",
		"http://delay-server.example/delay/0/", "0 to 1000", `<link rel="stylesheet" href="/assets/style.css">`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("GET /: no %s in it", want)
		}
	}
	if typ := got.Header.Get("Content-Type"); got.StatusCode != 200 || typ != "text/html; charset=utf-8" {
		t.Errorf("GET / = %d, %s, want 200, text/html", got.StatusCode, typ)
	}
	if policy := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", policy)
	}
}

func TestAssets(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	for _, tc := range []struct{ path, contentType, has string }{
		{"/assets/style.css", "text/css; charset=utf-8", "color-scheme: light dark"},
		{"/assets/icon.svg", "image/svg+xml", "<svg"},
	} {
		got := d.get(t, tc.path)
		if typ := got.Header.Get("Content-Type"); got.StatusCode != 200 || typ != tc.contentType || !strings.Contains(got.body, tc.has) {
			t.Errorf("GET %s = %d, %s; want 200, %s, with %q in it", tc.path, got.StatusCode, typ, tc.contentType, tc.has)
		}
	}
}

func TestProbes(t *testing.T) {
	d := start(t, options(), closedPort(t), time.Minute) // they do not ask delay-server
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if got := d.get(t, path); got.StatusCode != 200 || got.body != want {
			t.Errorf("GET %s = %d %q, want 200 %q", path, got.StatusCode, got.body, want)
		}
	}
	var got version.Info
	body := d.get(t, "/version").body
	if err := json.Unmarshal([]byte(body), &got); err != nil || got != version.Get() || got.Go != runtime.Version() {
		t.Errorf("GET /version = %s, %v, want %+v", body, err, version.Get())
	}
}
