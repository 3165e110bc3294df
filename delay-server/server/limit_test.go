package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

// limited sends a GET and returns its status, with Retry-After and the headers of its
// limit.
func limited(t testing.TB, client *http.Client, url string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	reply, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer reply.Body.Close()
	text := fmt.Sprint(reply.StatusCode)
	for _, name := range []string{"Retry-After", "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit",
		"X-RateLimit-Remaining"} {
		if value := reply.Header.Get(name); value != "" {
			text += " " + value
		}
	}
	return text
}

// A client that waits as long as Retry-After says is admitted, and one that waits less by
// a nanosecond is not if the time is whole seconds.
func TestRetryAfterOfALimitIsTrue(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		for _, tc := range []struct {
			query string
			burst int // requests admitted at once
			after int // Retry-After
			exact bool
		}{
			{"limit=1/s", 1, 1, true},
			{"limit=0.5/s&burst=3", 3, 2, true},
			{"limit=100/m", 1, 1, false},
			{"limit=3/h", 1, 1200, true},
			{"limit=7/h&burst=2", 2, 515, false},
			{"limit=3/m&limit_window=fixed", 3, 60, true},
			{"limit=2/s&limit_window=fixed", 2, 1, true},
		} {
			t.Run(tc.query, func(t *testing.T) {
				base, s := frozen(t, config)
				client, url := newClient(t), base+"/delay/0?"+tc.query
				for range tc.burst {
					if got := limited(t, client, url); got != "200" {
						t.Errorf("one of the first %d requests: got %s, want 200", tc.burst, got)
					}
				}
				if got, want := limited(t, client, url), fmt.Sprint("429 ", tc.after); got != want {
					t.Errorf("the next request: got %s, want %s", got, want)
				}
				wait := time.Duration(tc.after) * time.Second
				if tc.exact {
					s.advance(wait - 1)
					if got := limited(t, client, url); got != "429 1" {
						t.Errorf("a nanosecond too early: got %s, want 429 1", got)
					}
					wait = 1
				}
				s.advance(wait)
				if got := limited(t, client, url); got != "200" {
					t.Errorf("after Retry-After: got %s, want 200", got)
				}
			})
		}
	})
}

func TestLimitHeadersOfAnswers(t *testing.T) {
	scenario, _ := withScenario(t, `routes:
  - {path: /draft, limit: {rate: 0.5/s, burst: 2, key: "header:X-Api-Key", headers: draft}, body: a}
  - {path: /fixed, limit: {rate: 2/m, window: fixed, headers: x}, pool: {name: p, workers: 1}, body: a}
`)
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, eventLoop(scenario, config.EventLoop))
		client := newClient(t)
		for i, tc := range []struct {
			path, header string
			advance      time.Duration
			want         string
		}{
			{"/draft", "X-Api-Key: a", 0, `200 "default";r=1;t=2 "default";q=1;w=2`},
			{"/draft", "X-Api-Key: a", 0, `200 "default";r=0;t=2 "default";q=1;w=2`},
			{"/draft", "X-Api-Key: a", 0, `429 2 "default";r=0;t=2 "default";q=1;w=2`},
			{"/draft", "X-Api-Key: b", 0, `200 "default";r=1;t=2 "default";q=1;w=2`},
			{"/draft", "X-A: b", 0, `200 "default";r=1;t=2 "default";q=1;w=2`},
			{"/draft", "X-Api-Key: a", 500 * time.Millisecond, `429 2 "default";r=0;t=2 "default";q=1;w=2`},
			{"/draft", "X-Api-Key: a", 1500 * time.Millisecond, `200 "default";r=0;t=2 "default";q=1;w=2`},
			{"/fixed", "X-A: b", 0, "200 2 1"},
			{"/fixed", "X-A: b", 40 * time.Second, "200 2 0"},
			{"/fixed", "X-A: b", 0, "429 20 2 0"},
			{"/fixed", "X-A: b", 20 * time.Second, "200 2 1"},
		} {
			if tc.advance > 0 {
				s.advance(tc.advance)
			}
			if got := limited(t, client, base+tc.path, tc.header); got != tc.want {
				t.Errorf("request %d, %s with %s: got %s, want %s", i+1, tc.path, tc.header, got, tc.want)
			}
		}
	})
}

// X-RateLimit-Reset is when a request is admitted again, by the system's clock.
func TestRateLimitReset(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	before := time.Now()
	reply, _ := do(t, newClient(t), "GET", base+"/delay/0?limit=1/h&limit_headers=x", nil)
	var reset int64
	if _, err := fmt.Sscan(reply.Header.Get("X-RateLimit-Reset"), &reset); err != nil {
		t.Fatal(err)
	}
	first, last := before.Add(time.Hour), time.Now().Add(time.Hour+time.Second)
	if at := time.Unix(reset, 0); at.Before(first) || at.After(last) {
		t.Errorf("X-RateLimit-Reset is %v, want %v to %v", at, first, last)
	}
	if got := strings.Join(reply.Header.Values("Access-Control-Expose-Headers"), ", "); !strings.HasSuffix(got,
		", X-Ignored-Parameters, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset") {
		t.Errorf("pages may read %s, want also the headers of the limit", got)
	}
}

// Each of 50 runs that send requests at once has its limit.
func TestLimitsOfManyRuns(t *testing.T) {
	const runs, limit = 50, 4
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		url := fmt.Sprintf("%s/delay/1?limit=%d/h&limit_window=fixed&limit_key=run&run=", base, limit)
		var admitted [runs]atomic.Int64
		var all sync.WaitGroup
		for i := range 3 * limit {
			for key := range runs {
				all.Go(func() {
					if limited(t, client, fmt.Sprint(url, key, "&_=", i)) == "200" {
						admitted[key].Add(1)
					}
				})
			}
		}
		all.Wait()
		for key := range admitted {
			if got := admitted[key].Load(); got != limit {
				t.Errorf("run %d was admitted %d times, want %d", key, got, limit)
			}
		}
	})
}

// A limit counts requests whatever their answer is, and refuses the others.
func TestLimitBeforeFaults(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	const path = "/delay/0?fault=empty&limit=1/h"
	if got, err := raw(t, base, path); got != "" || err != nil {
		t.Errorf("GET %s: got %q, %v, want no answer", path, got, err)
	}
	reply, text := do(t, newClient(t), "GET", base+path, nil)
	wantProblem(t, "the second request", reply, text, problem.RateLimited)
}

// A run with a clock of its own has counts of its own on it. All others share the
// server's clock.
func TestLimitsOnTheClockOfARun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		for _, tc := range []struct{ query, other string }{
			{"limit=1/h", "429 3600"},
			{"limit=1/h&limit_window=fixed", "429 3600"},
			{"limit=1/h&limit_key=run", "200"},
		} {
			base, s := frozen(t, config)
			client := newClient(t)
			get := func(run, want, when string) {
				t.Helper()
				url := fmt.Sprintf("%s/delay/0?%s&run=%s", base, tc.query, run)
				if got := limited(t, client, url); got != want {
					t.Errorf("%s: run %s %s: got %s, want %s", tc.query, run, when, got, want)
				}
			}
			get("a", "200", "at first")
			get("b", tc.other, "after a")
			own := s.ofRun("own")
			own.freeze()
			get("own", "200", "at first")
			get("own", "429 3600", "again")
			own.advance(30 * time.Minute)
			get("own", "429 1800", "after half of the time on its clock")
			own.advance(30 * time.Minute)
			get("own", "200", "after the time on its clock")
			get("a", "429 3600", "while only the other clock moves")
			s.advance(time.Hour)
			get("a", "200", "after the time on the server's clock")
			get("own", "429 3600", "while only the server's clock moves")

			if reply, text := do(t, client, "DELETE", base+"/admin/runs/own", nil); reply.StatusCode != 204 {
				t.Fatalf("DELETE of the run: got %d %s", reply.StatusCode, text)
			}
			own.freeze()
			get("own", "200", "after it was forgotten")
		}
	})
}
