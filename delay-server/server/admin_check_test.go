package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// retry sends three requests of the run on the frozen clock. Two fail. It waits for the
// gaps before the second and the third.
func retry(t *testing.T, s steering, base, run string, gaps ...time.Duration) {
	t.Helper()
	c := newClient(t)
	for i := range 3 {
		if i > 0 {
			s.advance(gaps[i-1])
		}
		do(t, c, "GET", base+"/delay/0?fail_first=2&run="+run, nil)
		s.settled(run)
	}
}

func TestCheckRun(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	retry(t, s, base, "good", 100*time.Millisecond, 200*time.Millisecond)
	retry(t, s, base, "bad", 100*time.Millisecond, 20*time.Millisecond)
	checks := []string{"attempts=3", "backoff=100ms,2", "within=0", "order=sequential", "peak=1"}
	v, err := s.api.Check(t.Context(), "good", checks...)
	if !succeeded(t, v, err).OK || len(v.Checks) != 4 || !strings.HasPrefix(v.Waterfall, "run good: 3 requests") {
		t.Errorf("a good client: got %+v", v)
	}
	v, err = s.api.Check(t.Context(), "bad", checks...)
	want := client.CheckResult{
		Check: "backoff", Want: "100 ms, then × 2", Got: "100 ms, 20 ms",
		Detail: "attempt 3 came 20 ms after attempt 2 had ended; it must wait 200 ms or more",
	}
	if succeeded(t, v, err).OK || !v.Checks[0].OK || v.Checks[1] != want || !v.Checks[2].OK ||
		!strings.HasPrefix(v.Waterfall, "run bad: 3 requests") ||
		!strings.Contains(v.Waterfall, "gap 20 ms, want 200 ms or more") {
		t.Errorf("a bad client: got %+v, want %+v", v, want)
	}
	for _, tc := range []struct {
		path   string
		status int
		begins string
	}{
		{"runs/good/check?attempts=3", 200, `{"ok":true,"checks":[{"check":"attempts","ok":true,"want":"3","got":"3",` +
			`"detail":""}],"waterfall":"run good: `},
		{"runs/good/check?attempts=4", 422,
			`{"ok":false,"checks":[{"check":"attempts","ok":false,"want":"4","got":"3",`},
		{"check?run_prefix=goo&attempts=3", 200, `{"ok":true,`},
	} {
		reply, text := do(t, newClient(t), "GET", base+"/admin/"+tc.path, nil)
		if reply.StatusCode != tc.status || !strings.HasPrefix(text, tc.begins) {
			t.Errorf("GET %s: got %d %s, want %d %s", tc.path, reply.StatusCode, text, tc.status, tc.begins)
		}
	}
}

func TestCheckRuns(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	for i, gap := range []time.Duration{100, 150, 220} {
		retry(t, s, base, "load-"+strconv.Itoa(i), gap*time.Millisecond, 2*gap*time.Millisecond)
	}
	retry(t, s, base, "other", time.Millisecond, time.Millisecond)
	v, err := s.api.CheckRuns(t.Context(), "load-", "attempts=3", "backoff=100ms,2")
	if !succeeded(t, v, err).OK || !strings.HasPrefix(v.Waterfall, "run load-0: ") ||
		!strings.HasSuffix(v.Checks[1].Got, "thundering herd: 33% of 3 first retries within 10 ms") {
		t.Errorf("got %+v, want the runs with the prefix to pass", v)
	}
	v, err = s.api.CheckRuns(t.Context(), "load-", "backoff=100ms,2", "within=50ms")
	if succeeded(t, v, err).OK || !strings.HasPrefix(v.Waterfall, "run load-1: ") ||
		!strings.HasPrefix(v.Checks[0].Detail, "run load-1: attempt 3 came 300 ms after") {
		t.Errorf("got %+v, want the run that is late shown", v)
	}
}

func TestCheckWaitsUntilSettled(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	c := newClient(t)
	ask(t, c, 1, base+"/delay/1m?run=r")
	s.waiting("r", 1)
	for _, path := range []string{"runs/r/check?", "check?run_prefix=r&"} {
		wantFailedCheck(t, base+"/admin/"+path+"attempts=1&timeout=1ms", "1 request in flight",
			`run "r": 1 of 1 requests still wait after 1ms`, "run r: 1 request, ")
	}
	first := ask(t, c, 1, base+"/admin/runs/r/check?attempts=1&settled=true")
	second := ask(t, c, 1, base+"/admin/check?run_prefix=r&attempts=1&settled=true")
	s.advance(time.Minute)
	wantAll(t, first, 1, 200, `"ok":true`)
	wantAll(t, second, 1, 200, `"ok":true`)
}

// wantFailedCheck checks that the only check of a request fails.
func wantFailedCheck(t *testing.T, url, got, detail, waterfall string) {
	t.Helper()
	reply, text := do(t, newClient(t), "GET", url, nil)
	var v client.Verdict
	if err := json.Unmarshal([]byte(text), &v); err != nil || reply.StatusCode != 422 || v.OK || len(v.Checks) != 1 {
		t.Fatalf("GET %s: got %d %s (%v), want a verdict of one check", url, reply.StatusCode, text, err)
	}
	if c := v.Checks[0]; c.OK || c.Want == "" || c.Got != got || !strings.HasPrefix(c.Detail, detail) {
		t.Errorf("GET %s: got %+v, want %q and %q", url, c, got, detail)
	}
	if !strings.HasPrefix(v.Waterfall, waterfall) || (waterfall == "") != (v.Waterfall == "") {
		t.Errorf("GET %s: got waterfall %q, want %q", url, v.Waterfall, waterfall)
	}
}

// A run without requests is no run that passes, also if it is forgotten meanwhile.
func TestCheckOfAnUnknownRun(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	s, c := steer(t, base), newClient(t)
	wantFailedCheck(t, base+"/admin/runs/none/check?attempts=1", "no request", `run "none" not found`, "")
	wantFailedCheck(t, base+"/admin/check?run_prefix=none&attempts=1", "no run", `no run begins with "none"`, "")
	ask(t, c, 1, base+"/delay/1m?run=r")
	s.waiting("r", 1)
	checked := ask(t, c, 1, base+"/admin/runs/r/check?attempts=1")
	ofPrefix := ask(t, c, 1, base+"/admin/check?run_prefix=r&attempts=1")
	shown := ask(t, c, 1, base+"/admin/runs/r?settled=true")
	wiretest.Eventually(t, "all wait", func() bool { return srv.admin.Waiting() == 3 })
	if err := s.api.ForgetRun(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	wantAll(t, checked, 1, 422, `run \"r\" not found`)
	wantAll(t, ofPrefix, 1, 422, `no run begins with`)
	wantAll(t, shown, 1, 404, `run \"r\" not found`)
}

// Requests that were rejected were never in flight: they say nothing about concurrency.
func TestCheckOfRejectedRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		c := newClient(t)
		for range 3 {
			send(t, c, "GET", base+"/delay/oops?run=r")
		}
		for _, check := range []string{"peak=1", "peak_at_most=2", "order=sequential"} {
			v, err := s.api.Check(t.Context(), "r", check)
			if succeeded(t, v, err).OK || !strings.HasSuffix(v.Checks[0].Got, "0 requests, 3 never in flight") {
				t.Errorf("%s: got %+v, want it to fail", check, v)
			}
		}
	})
}

// Runs that the journal dropped may begin with the prefix.
func TestCheckRunsWithoutDroppedOnes(t *testing.T) {
	config := DefaultConfig()
	config.JournalSize = 1
	base, s := frozen(t, config)
	c := newClient(t)
	get := func(run string) {
		send(t, c, "GET", base+"/delay/0?run="+run)
		s.settled(run)
	}
	get("load-1")
	get("load-2")
	wantFailedCheck(t, base+"/admin/check?run_prefix=load-&attempts=1", "1 run and dropped ones",
		`the journal dropped 1 run, whose names may begin with "load-"; raise JOURNAL_SIZE=1, or delete all`,
		"run load-2: ")
	wantFailedCheck(t, base+"/admin/check?run_prefix=load-1&attempts=1", "no run", `no run begins with "load-1"`, "")
	if err := s.api.ForgetRuns(t.Context()); err != nil {
		t.Fatal(err)
	}
	get("load-3")
	v, err := s.api.CheckRuns(t.Context(), "load-", "attempts=1")
	if !succeeded(t, v, err).OK {
		t.Errorf("after all were forgotten: got %+v, want it to hold", v)
	}
}

func TestCheckErrors(t *testing.T) {
	config := DefaultConfig()
	config.JournalSize = 1
	_, base, _ := start(t, config, io.Discard)
	c := newClient(t)
	do(t, c, "GET", base+"/delay/0?run=r", nil)
	for _, tc := range []struct {
		name, path string
		kind       problem.Type
	}{
		{"no prefix", "check?attempts=1", problem.InvalidParameter},
		{"an invalid name", "runs/%20/check?attempts=1", problem.InvalidParameter},
		{"no check", "runs/r/check", problem.InvalidParameter},
		{"an invalid check", "runs/r/check?attempts=0", problem.InvalidParameter},
		{"an invalid timeout", "runs/r/check?attempts=1&timeout=0", problem.InvalidParameter},
		{"an unknown check", "runs/r/check?attempt=1", problem.UnknownParameter},
		{"a check that does not wait", "runs/r/check?attempts=1&settled=false", problem.InvalidParameter},
		{"a typing error", "runs/r/check?atempts=1", problem.UnknownParameter},
		{"a prefix for one run", "runs/r/check?attempts=1&run_prefix=r", problem.UnknownParameter},
		{"a condition", "runs/r/check?attempts=1&waiting=1", problem.UnknownParameter},
		{"a check twice", "runs/r/check?attempts=1&attempts=2", problem.RepeatedParameter},
		{"contradictory checks", "runs/r/check?peak=3&peak_at_most=2", problem.ConflictingParameters},
	} {
		reply, text := do(t, c, "GET", base+"/admin/"+tc.path, nil)
		wantProblem(t, tc.name, reply, text, tc.kind)
	}
	do(t, c, "GET", base+"/delay/0?run=r", nil)
	reply, text := do(t, c, "GET", base+"/admin/runs/r/check?attempts=2", nil)
	if reply.StatusCode != 422 || !strings.Contains(text, "the journal dropped requests of this run") {
		t.Errorf("a run with a dropped request: got %d %s, want 422", reply.StatusCode, text)
	}
}

// visitor sends requests of a run on a frozen clock.
type visitor struct {
	steering
	client *http.Client
	base   string
}

// get sends a request and waits until it has ended, then moves the clock.
func (v visitor) get(path string, then time.Duration, headers ...string) {
	v.t.Helper()
	send(v.t, v.client, "GET", v.base+path, append([]string{"X-Run-Id", "r"}, headers...)...)
	v.settled("r")
	if then > 0 {
		v.advance(then)
	}
}

// begin sends a request, and returns once this number of requests waits. Calling leave
// makes the client give it up.
func (v visitor) begin(path string, waiting int) (leave func()) {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.t.Context())
	askUntil(v.t, ctx, v.client, 1, v.base+path+"?run=r")
	v.waiting("r", waiting)
	return cancel
}

// What the journal records of real requests is what the checks judge.
func TestChecksOfRequests(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client func(visitor)
		right  string // checks that hold, separated by spaces
		wrong  string // checks that fail
	}{
		{"a script of answers", func(v visitor) {
			for range 4 {
				v.client.CloseIdleConnections() // net/http retries by itself on a kept connection
				v.get("/delay/0?attempts=503,reset,truncate,200", 0)
			}
		}, "attempts=4 statuses=503,reset,truncate,200", "attempts=3 statuses=503,empty,truncate,200"},
		{"Retry-After", func(v visitor) {
			v.get("/delay/0?attempts=503,200&retry_after=2s", 2*time.Second)
			v.get("/delay/0?attempts=503,200&retry_after=2s", 0)
		}, "retry_after=honoured backoff=2s,1 within=0", "backoff=2.001s,1"},
		{"Retry-After ignored", func(v visitor) {
			v.get("/delay/0?attempts=503,200&retry_after=2s", 1999*time.Millisecond)
			v.get("/delay/0?attempts=503,200&retry_after=2s", 0)
		}, "attempts=2", "retry_after=honoured"},
		{"a header", func(v visitor) {
			v.get("/status/503", 0, "Idempotency-Key", "a")
			v.get("/status/503", 0, "Idempotency-Key", "a", "Accept", "b")
		}, "same_header=Idempotency-Key connections_at_most=1", ""},
		{"another header", func(v visitor) {
			v.get("/status/503", 0, "Idempotency-Key", "a")
			v.client.CloseIdleConnections()
			v.get("/status/503", 0, "Idempotency-Key", "b")
		}, "same_header=User-Agent", "same_header=Idempotency-Key connections_at_most=1"},
		{"a hedge", func(v visitor) {
			v.begin("/delay/100", 1)
			v.advance(50 * time.Millisecond)
			leave := v.begin("/delay/100", 2)
			v.advance(50 * time.Millisecond)
			leave()
		}, "hedged_after=50ms within=0 statuses=200,client_closed", "hedged_after=101ms"},
		{"a hedge without a cancel", func(v visitor) {
			v.begin("/delay/100", 1)
			v.advance(50 * time.Millisecond)
			v.begin("/delay/100", 2)
			v.advance(100 * time.Millisecond)
		}, "attempts=2 order=concurrent", "hedged_after=50ms"},
		{"a time-out", func(v visitor) {
			leave := v.begin("/hold/a", 1)
			v.advance(2 * time.Second)
			leave()
		}, "gave_up_after=2s statuses=client_closed within=0", "gave_up_after=3s"},
		{"a breaker", func(v visitor) {
			v.get("/status/503", time.Second)
			v.get("/status/500", 10*time.Second)
			v.get("/status/200", 0)
			v.get("/status/200", 0)
		}, "breaker=2,10s", "breaker=2,11s breaker=3,1s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, config Config) {
				base, s := frozen(t, config)
				v := visitor{s, newClient(t), base}
				tc.client(v)
				got, err := s.api.Check(t.Context(), "r", strings.Fields(tc.right)...)
				if !succeeded(t, got, err).OK {
					t.Errorf("%s: got %+v, want it to hold", tc.right, got)
				}
				for _, check := range strings.Fields(tc.wrong) {
					got, err := s.api.Check(t.Context(), "r", check)
					if succeeded(t, got, err).OK {
						t.Errorf("%s: got %+v, want it to fail", check, got)
					}
				}
			})
		})
	}
}
