package server

import (
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
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
		!strings.HasPrefix(v.Waterfall, "run bad: 3 requests") {
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
		reply, text := do(t, c, "GET", base+"/admin/"+path+"peak=1&timeout=1ms", nil)
		wantProblem(t, path, reply, text, problem.WaitTimeout)
	}
	first := ask(t, c, 1, base+"/admin/runs/r/check?peak=1")
	second := ask(t, c, 1, base+"/admin/check?run_prefix=r&peak=1")
	s.advance(time.Minute)
	wantAll(t, first, 1, 200, `"ok":true`)
	wantAll(t, second, 1, 200, `"ok":true`)
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
		{"an unknown run", "runs/none/check?attempts=1", problem.RunNotFound},
		{"no run with the prefix", "check?run_prefix=none&attempts=1", problem.RunNotFound},
		{"no prefix", "check?attempts=1", problem.InvalidParameter},
		{"an invalid name", "runs/%20/check?attempts=1", problem.InvalidParameter},
		{"no check", "runs/r/check", problem.InvalidParameter},
		{"an invalid check", "runs/r/check?attempts=0", problem.InvalidParameter},
		{"an invalid timeout", "runs/r/check?attempts=1&timeout=0", problem.InvalidParameter},
		{"an unknown check", "runs/r/check?attempt=1", problem.UnknownParameter},
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
