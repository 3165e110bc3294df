package plan_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
)

// attempt plans r and returns the number of its attempt.
func attempt(t testing.TB, p *plan.Planner, r plan.Request) int {
	t.Helper()
	template, err := p.Find(r)
	if err != nil {
		t.Fatal(err)
	}
	planned, err := template.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	return planned.Attempt
}

// ofRun returns a GET of the path in the run.
func ofRun(run, path string) plan.Request {
	return plan.Request{Method: http.MethodGet, Path: path, RunID: run, ProtoMajor: 1}
}

func TestAttemptsAreCountedByRunMethodAndPath(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, RedirectHosts: plan.HostList{"*"}})
	for _, tc := range []struct {
		name               string
		method, target     string
		runID, traceparent string
		want               int
	}{
		{name: "the first", method: "GET", target: "/delay/0", runID: "a", want: 1},
		{name: "the second", method: "GET", target: "/delay/0", runID: "a", want: 2},
		{name: "another query", method: "GET", target: "/delay/0?status=404&seed=7", runID: "a", want: 3},
		{name: "another method", method: "POST", target: "/delay/0", runID: "a", want: 1},
		{name: "another path", method: "GET", target: "/delay/1", runID: "a", want: 1},
		{name: "an escape of the path", method: "GET", target: "/delay/%31", runID: "a", want: 2},
		{name: "another run", method: "GET", target: "/delay/0", runID: "b", want: 1},
		{name: "the run in the query", method: "GET", target: "/delay/0?run=b", want: 2},
		{name: "a trace", method: "GET", target: "/delay/0", traceparent: trace, want: 1},
		{name: "the trace again", method: "GET", target: "/delay/0", traceparent: trace, want: 2},
		{name: "no run", method: "GET", target: "/delay/0", want: 0},
		{name: "no run, with a seed", method: "GET", target: "/delay/0?seed=7", want: 0},
		{name: "another endpoint", method: "GET", target: "/status/404", runID: "a", want: 1},
		{name: "a redirect", method: "GET", target: "/delay/0/url/example.com?a=b", runID: "a", want: 1},
		{name: "a redirect with another query", method: "GET", target: "/delay/0/url/example.com", runID: "a", want: 2},
	} {
		r := request(t, tc.target)
		r.Method, r.RunID, r.Traceparent = tc.method, tc.runID, tc.traceparent
		if got := attempt(t, p, r); got != tc.want {
			t.Errorf("%s: %s %s is attempt %d, want %d", tc.name, tc.method, tc.target, got, tc.want)
		}
	}
}

// A run with many paths forgets paths that it no longer uses, but no other run.
func TestManyPathsOfARun(t *testing.T) {
	p := planner()
	attempt(t, p, ofRun("quiet", "/delay/0"))
	for i := range 50_000 {
		attempt(t, p, ofRun("loud", fmt.Sprintf("/delay/0.%d1", i)))
		if i%1000 == 0 {
			if got := attempt(t, p, ofRun("loud", "/delay/0")); got != 1+i/1000 {
				t.Fatalf("a path in use, after %d others: attempt %d, want %d", i, got, 1+i/1000)
			}
		}
	}
	if got := attempt(t, p, ofRun("quiet", "/delay/0")); got != 2 {
		t.Errorf("the other run: attempt %d, want 2", got)
	}
	if got := attempt(t, p, ofRun("loud", "/delay/0.11")); got != 1 {
		t.Errorf("a path that was not used for long: attempt %d, want 1", got)
	}
}

// Counts take bounded memory. The runs that were not used for the longest time go first.
func TestManyRuns(t *testing.T) {
	p := planner()
	attempt(t, p, ofRun("old", "/delay/0"))
	attempt(t, p, ofRun("used", "/delay/0"))
	before := heap()
	for i := range 300_000 {
		attempt(t, p, ofRun(fmt.Sprint(i), "/delay/0"))
		if i%50_000 == 0 {
			attempt(t, p, ofRun("used", "/delay/0"))
		}
	}
	const limit = 25 << 20
	if got := heap() - before; got > limit {
		t.Errorf("the counts of 300,000 runs take %d bytes, want at most %d", got, limit)
	}
	if old, used := attempt(t, p, ofRun("old", "/delay/0")), attempt(t, p, ofRun("used", "/delay/0")); old != 1 ||
		used != 8 {
		t.Errorf("got attempt %d of an old run and attempt %d of a run in use, want 1 and 8", old, used)
	}
	runtime.KeepAlive(p)
}

// BenchmarkForget forgets a run among 100,000 counts, and counts one request of it again.
func BenchmarkForget(b *testing.B) {
	p := planner()
	for i := range 100_000 {
		attempt(b, p, ofRun(fmt.Sprint(i%1000), fmt.Sprintf("/delay/0.%d", i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		run := fmt.Sprint(i % 1000)
		if !p.Forget(run) {
			b.Fatalf("run %s is not known", run)
		}
		attempt(b, p, ofRun(run, "/delay/0"))
	}
}
