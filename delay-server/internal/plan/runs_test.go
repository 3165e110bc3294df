package plan_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// TestRunOfARoute checks that a scenario's route finds the run of a request as an endpoint
// does, though it ignores all other parameters.
func TestRunOfARoute(t *testing.T) {
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	route, errs := planner().Prepare("/a", nil)
	if errs != nil {
		t.Fatal(errs)
	}
	for _, tc := range []struct {
		name, header, query, traceparent string
		want                             string
		problem                          problem.Type
	}{
		{"none", "", "status=500&status=x", "", "", ""},
		{"the parameter", "", "a=1&run=monday", "", "monday", ""},
		{"an escaped parameter", "", "r%75n=a%2Fb", "", "a/b", ""},
		{"the header has priority", "a", "run=b", "", "a", ""},
		{"the header makes the query the application's", "a", "run=1&run=a+b&run=%zz", "", "a", ""},
		{"the parameter, rather than the trace", "", "run=b", traceparent, "b", ""},
		{"an empty parameter", "", "run=", traceparent, "4bf92f3577b34da6a3ce929d0e0e4736", ""},
		{"a parameter that ends in run", "", "rerun=b&runs=c", "", "", ""},
		{"an invalid parameter", "", "run=a+b", "", "", problem.InvalidParameter},
		{"a long parameter", "", "run=" + strings.Repeat("x", 201), "", "", problem.InvalidParameter},
		{"a repeated parameter", "", "run=a&x&run=a", "", "", problem.RepeatedParameter},
		{"a malformed parameter", "", "run=%zz", "", "", problem.MalformedQuery},
		{"another malformed parameter", "", "%zz=%zz&run=a", "", "a", ""},
		{"an invalid header", "a b", "run=a", "", "", problem.InvalidHeader},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := plan.Request{Method: "GET", Path: "/a", Query: tc.query, RunID: tc.header, Traceparent: tc.traceparent}
			planned, err := route.Plan(r)
			if planned.Run != tc.want || (tc.problem != "") != (err != nil) ||
				err != nil && !errors.Is(err, tc.problem) {
				t.Errorf("Plan: got run %q, error %v, want %q, %q", planned.Run, err, tc.want, tc.problem)
			}
			run, err := plan.RunOf(&r)
			if run != tc.want && tc.problem == "" || (tc.problem != "") != (err != nil) {
				t.Errorf("RunOf: got run %q, error %v, want %q, %q", run, err, tc.want, tc.problem)
			}
		})
	}
}

// The counts of runs must not keep requests in memory: their paths and headers may be
// long.
func TestCountsKeepNoRequest(t *testing.T) {
	const requests = 500
	long := strings.Repeat("0", 8000)
	for _, tc := range []struct {
		name   string
		target func(i int) string
		header func(i int) string // a part of it is the run
	}{
		{"paths", func(i int) string { return fmt.Sprintf("/delay/0.%s%d?fail_first=1&run=N", long, i) }, nil},
		{"runs in a query", func(i int) string { return fmt.Sprintf("/delay/0?fail_first=1&run=N%d&zz=%s", i, long) },
			nil},
		{"runs in a header", func(int) string { return "/delay/0?fail_first=1" },
			func(i int) string { return fmt.Sprintf("N%08d%s", i, long)[:9] }},
		{"seeds in a query", func(i int) string { return fmt.Sprintf("/delay/uniform:0,1?seed=%d&zz=%s", i, long) },
			nil},
		{"runs of a seed", func(int) string { return "/delay/uniform:0,1?seed=1" },
			func(i int) string { return fmt.Sprintf("N%08d%s", i, long)[:9] }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planner()
			before := heap()
			for i := range requests {
				r := request(t, tc.target(i))
				if tc.header != nil {
					r.RunID = tc.header(i)
				}
				if _, err := planOf(t, p, r); err != nil {
					t.Fatal(err)
				}
			}
			each := (heap() - before) / requests
			if each > 1000 {
				t.Errorf("%d requests keep %d bytes each, want at most 1000", requests, each)
			}
			runtime.KeepAlive(p)
		})
	}
}

// heap returns the number of reachable bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
