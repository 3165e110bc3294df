package delaytest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"flash.test/delay-server/client"
)

// AssertChecks waits until the run has settled and reports whether all checks hold. If
// not, it fails the test, says what each failed check wanted and got, and prints the
// waterfall with the place marked. Checks are written as in a request to
// /admin/runs/{id}/check, such as "attempts=4" or "order=sequential".
func AssertChecks(t testing.TB, run *Run, checks ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), run.server.Timeout)
	defer cancel()
	verdict, err := run.server.client.Check(ctx, run.ID, checks...)
	if err != nil {
		t.Errorf("delaytest: %v", err)
		return false
	}
	if !verdict.OK {
		t.Errorf("delaytest: run %q: %s", run.ID, explain(verdict))
	}
	return verdict.OK
}

// AssertChecksOfRuns is [AssertChecks] for all runs of the server whose IDs begin with
// prefix. It judges a random back-off, which takes many runs:
//
//	delaytest.AssertChecksOfRuns(t, srv, "load-", "backoff=100ms,2", "jitter=full")
func AssertChecksOfRuns(t testing.TB, srv *Server, prefix string, checks ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), srv.Timeout)
	defer cancel()
	verdict, err := srv.client.CheckRuns(ctx, prefix, checks...)
	if err != nil {
		t.Errorf("delaytest: %v", err)
		return false
	}
	if !verdict.OK {
		t.Errorf("delaytest: runs %q: %s", prefix, explain(verdict))
	}
	return verdict.OK
}

// explain says what is wrong with each check that failed, and shows the waterfall.
func explain(v client.Verdict) string {
	var b strings.Builder
	for _, c := range v.Checks {
		if !c.OK {
			fmt.Fprintf(&b, "%s: %s\n  want %s\n  got  %s\n", c.Check, c.Detail, c.Want, c.Got)
		}
	}
	return b.String() + v.Waterfall
}

// AssertProblem reports whether res is a problem of type want. If not, it fails
// the test and prints the reply. It reads res.Body, which the caller closes.
//
//	delaytest.AssertProblem(t, res, client.ProblemPoolFull)
func AssertProblem(t testing.TB, res *http.Response, want client.ProblemType) bool {
	t.Helper()
	got, err := client.ReadProblem(res)
	if err != nil {
		t.Errorf("delaytest: want problem %s, got: %v", want.Name(), err)
		return false
	}
	if got.Type != want {
		t.Errorf("delaytest: want problem %s, got %s: %s", want.Name(), got.Type.Name(), got.Detail)
		return false
	}
	return true
}
