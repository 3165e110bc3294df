package server_test

import (
	"encoding/json"
	"html"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/version"
	"flash.test/delay-server/kit/wiretest"
)

func TestPages(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for path, has := range map[string][]string{
		"/": {
			`<a href="/tutorial">`, `<script src="/assets/race.js" defer></script>`,
			"curl " + d.URL + "/get_data\n", "curl " + d.URL + "/async_get_data\n",
			"http://delay-server.example/delay/0/", "0 to 1000", `name="calls" value="2"`, `name="delay" value="0"`,
		},
		"/tutorial": {
			`<a href="/">Race</a>`, `<script src="/assets/tutorial.js" defer></script>`,
			`time curl &#39;` + d.URL + `/get_data?calls=2&amp;delay=1000&amp;db=500&#39;`,
			"http://delay-server.example/delay/",
		},
		"/problems":             {"/problems/call-failed"},
		"/problems/call-failed": {"Call failed"},
	} {
		got := d.get(t, path)
		for _, want := range append(has, `<link rel="stylesheet" href="/assets/style.css">`) {
			if !strings.Contains(got.body, want) {
				t.Errorf("GET %s: no %s in it", path, want)
			}
		}
		mediaType := got.Header.Get("Content-Type")
		if got.StatusCode != 200 || mediaType != "text/html; charset=UTF-8" {
			t.Errorf("GET %s = %d, %s, want 200, text/html", path, got.StatusCode, mediaType)
		}
		policy := got.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("GET %s: Content-Security-Policy: %s", path, policy)
		}
		for _, inline := range []string{"<style", " style=", "<script>", " onclick=", "//cdn", "javascript:"} {
			if strings.Contains(got.body, inline) {
				t.Errorf("GET %s: it has %s, which the policy blocks", path, inline)
			}
		}
	}
}

// The form is filled from the query and shows the error of each field.
func TestForm(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		status      int
		want        []string // in the page, unescaped
	}{
		{"all fields", "calls=3&delay=1.5s&db=500&limit=2", 200, []string{
			`name="calls" value="3"`, `name="delay" value="1.5s"`, `name="db" value="500"`, `name="limit" value="2"`,
			"curl '" + d.URL + "/get_data?calls=3&db=500&delay=1.5s&limit=2'",
			"curl '" + d.URL + "/async_get_data?calls=3",
		}},
		{"empty fields have the defaults", "calls=&delay=&db=&limit=", 200, []string{
			`name="calls" value="2"`, `name="delay" value="0"`, "curl " + d.URL + "/get_data<",
		}},
		{"a preset and its notice", "calls=3&delay=1000", 200, []string{
			`<a href="/?calls=3&delay=1000" aria-current="true">`, "One more call adds a whole second",
		}},
		{"a distribution is not escaped", "delay=uniform:1,2", 200, []string{"/get_data?delay=uniform:1,2'"}},
		{"an unknown parameter", "utm=1&calls=3", 200, []string{`name="calls" value="3"`}},
		{"invalid calls", "calls=1001", 400, []string{
			`value="1001" inputmode="numeric" autocomplete="off" aria-invalid="true"`,
			`class="bad">calls "1001" is invalid: `,
		}},
		{"invalid delay", "delay=soon&calls=3", 400, []string{
			`value="soon"`, `class="bad">delay "soon" is invalid (unknown form): use milliseconds`,
			`name="calls" value="3"`,
		}},
		{"a long delay", "delay=11m", 400, []string{`class="bad">delay "11m" is too long`}},
		{"invalid db", "db=soon", 400, []string{`class="bad">db "soon" is invalid (unknown form)`}},
		{"db without calls", "db=5&calls=0", 400, []string{`class="bad">db and calls=0 conflict`}},
		{"db with invalid calls", "db=5&calls=x", 400, []string{
			`class="bad">calls "x"`,
			`name="db" value="5" placeholder="none" autocomplete="off" autocapitalize="off" spellcheck="false" aria-`,
		}},
		{"invalid limit", "limit=0", 400, []string{`class="bad">limit "0" is invalid`}},
		{"four invalid fields", "calls=x&delay=x&db=x&limit=x", 400, []string{
			`class="bad">calls "x"`, `class="bad">delay "x"`, `class="bad">db "x"`, `class="bad">limit "x"`,
		}},
		{"repeated calls", "calls=1&calls=2", 400, []string{`class="bad">parameter calls is given 2 times`}},
		{"a misspelled name", "cals=3", 400, []string{`role="alert">unknown parameter "cals"; did you mean "calls"?<`}},
		{"a malformed query", "%zz", 400, []string{`role="alert">query "%zz" is malformed`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, "/?"+tc.query)
			page := html.UnescapeString(got.body)
			for _, want := range tc.want {
				if got.StatusCode != tc.status || !strings.Contains(page, want) {
					t.Errorf("GET /?%s = %d, want %d with %s in it", tc.query, got.StatusCode, tc.status, want)
				}
			}
		})
	}
}

func TestPresetsAreWithinLimits(t *testing.T) {
	o := options()
	o.MaxCalls = 2
	page := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute).get(t, "/").body
	if !strings.Contains(page, `href="/?calls=2&amp;delay=1000"`) || strings.Contains(page, "A third call") {
		t.Errorf("MAX_CALLS=2: want presets of at most 2 calls")
	}
}

func TestScriptsAreEscaped(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, script := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`,
		`javascript:alert(1)`, `</code><svg onload=alert(1)>`,
	} {
		for _, path := range []string{"/", "/tutorial", "/sweep", "/race/events", "/get_data"} {
			for _, name := range []string{"calls", "delay", "db", "limit", "other", script} {
				got := d.get(t, path+"?"+url.Values{name: {script}}.Encode())
				isHTML := strings.HasPrefix(got.Header.Get("Content-Type"), "text/html")
				if isHTML && script != `javascript:alert(1)` && strings.Contains(got.body, script) {
					t.Errorf("GET %s?%s=%s: it is in the page unescaped", path, name, script)
				}
				if isHTML && got.Header.Get("Content-Security-Policy") == "" {
					t.Errorf("GET %s?%s=%s: no Content-Security-Policy", path, name, script)
				}
				if got.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("GET %s?%s=%s: want nosniff", path, name, script)
				}
				if strings.Contains(got.body, `href="javascript:`) || strings.Contains(got.body, `="" onfocus`) {
					t.Errorf("GET %s?%s=%s: %s", path, name, script, got.body)
				}
			}
		}
	}
}

func TestAssets(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, tc := range []struct{ path, mediaType, want string }{
		{"/assets/style.css", "text/css; charset=utf-8", "color-scheme: light dark"},
		{"/assets/sweep.css", "text/css; charset=utf-8", "#chart"},
		{"/assets/page.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/race.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/race.css", "text/css; charset=utf-8", ".lane"},
		{"/assets/lane.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/present.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/sweep.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/tutorial.css", "text/css; charset=utf-8", ".waterfall"},
		{"/assets/tutorial.js", "text/javascript; charset=utf-8", "'use strict'"},
		{"/assets/icon.svg", "image/svg+xml", "<svg"},
	} {
		got := d.get(t, tc.path)
		mediaType := got.Header.Get("Content-Type")
		if got.StatusCode != 200 || mediaType != tc.mediaType || !strings.Contains(got.body, tc.want) {
			t.Errorf("GET %s = %d, %s; want 200, %s, with %q in it",
				tc.path, got.StatusCode, mediaType, tc.mediaType, tc.want)
		}
	}
}

func TestProbes(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute) // probes make no calls
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
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

func TestPagesLinkToDelayServer(t *testing.T) {
	for _, tc := range []struct {
		url      string
		embedded bool
		want     string
	}{
		{"", false, ""},
		{"http://localhost:3001", false, `<a href="http://localhost:3001" data-local>delay-server</a>`},
		{"http://127.0.0.1:43210", true, `<a href="http://127.0.0.1:43210" data-embedded>delay-server</a>`},
		{"https://delay.example.com", false, `<a href="https://delay.example.com">delay-server</a>`},
	} {
		o := options()
		o.DelayServerLink, o.Embedded = tc.url, tc.embedded
		d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
		for _, path := range []string{"/", "/tutorial", "/sweep"} {
			body := d.get(t, path).body
			if !strings.Contains(body, tc.want) || tc.want == "" && strings.Contains(body, ">delay-server</a>") {
				t.Errorf("link %s: GET %s: want %q in the page", tc.url, path, tc.want)
			}
		}
	}
}
