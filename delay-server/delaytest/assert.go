package delaytest

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"flash.test/delay-server/client"
)

// AssertConcurrent waits until the run has settled and reports whether exactly n
// of its requests were in flight at once at its peak. If not, it fails the test
// and prints the waterfall.
//
// The server notices a client that gives up a moment after the client does. A
// request that follows a cancelled one may count as overlapping it.
func AssertConcurrent(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return assert(t, run, func(got client.Run) string {
		if got.PeakInFlight == n {
			return ""
		}
		return fmt.Sprintf("want %d requests in flight at once, got %d", n, got.PeakInFlight)
	})
}

// AssertSequential waits until the run has settled and reports whether it had at
// least two requests and never two in flight at once. If not, it fails the test
// and prints the waterfall. As for [AssertConcurrent], a cancelled request may
// overlap the next.
func AssertSequential(t testing.TB, run *Run) bool {
	t.Helper()
	return assert(t, run, func(got client.Run) string {
		switch {
		case got.PeakInFlight > 1:
			return fmt.Sprintf("want one request in flight at a time, got %d", got.PeakInFlight)
		case got.Requests < 2:
			return fmt.Sprintf("want at least two requests to compare, got %d", got.Requests)
		}
		return ""
	})
}

// assert fails the test if check returns what is wrong with the settled run.
func assert(t testing.TB, run *Run, check func(client.Run) string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), run.server.Timeout)
	defer cancel()
	got, err := run.settled(ctx)
	if err != nil {
		t.Errorf("delaytest: %v%s", err, run.waterfall())
		return false
	}
	if wrong := check(got); wrong != "" {
		t.Errorf("delaytest: run %q: %s%s", run.ID, wrong, run.waterfall())
		return false
	}
	return true
}

// waterfall returns the run's waterfall after a newline, or "" if there is none.
func (r *Run) waterfall() string {
	ctx, cancel := context.WithTimeout(context.Background(), r.server.Timeout)
	defer cancel()
	text, err := r.server.client.Waterfall(ctx, r.ID)
	if err != nil {
		return ""
	}
	return "\n" + text
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
