package delaytest

import (
	"context"
	"fmt"
	"testing"

	"flash.test/delay-server/client"
)

// AssertConcurrent reports whether the run, once it has settled, had n requests
// in flight at once and never more. Where not, the test fails, with a picture. A
// client that gives up is seen to leave a little after its next request can come:
// the two may overlap.
func AssertConcurrent(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return assert(t, run, func(got client.Run) string {
		if got.PeakInFlight == n {
			return ""
		}
		return fmt.Sprintf("want %d requests in flight at once, got %d", n, got.PeakInFlight)
	})
}

// AssertSequential reports whether the run, once it has settled, had two requests
// or more, and never two in flight at once. Where not, the test fails, with a
// picture. It is for clients that wait for each answer: see AssertConcurrent for
// those that give up.
func AssertSequential(t testing.TB, run *Run) bool {
	t.Helper()
	return assert(t, run, func(got client.Run) string {
		switch {
		case got.PeakInFlight > 1:
			return fmt.Sprintf("want one request in flight at a time, got %d", got.PeakInFlight)
		case got.Requests < 2:
			return fmt.Sprintf("want two requests or more, got %d: they would prove nothing of their order", got.Requests)
		}
		return ""
	})
}

// assert fails the test with what is wrong with the settled run, "" for nothing.
func assert(t testing.TB, run *Run, wrong func(client.Run) string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), run.server.Timeout)
	defer cancel()
	got, err := run.settled(ctx)
	if err != nil {
		t.Errorf("delaytest: %v%s", err, run.picture())
		return false
	}
	if what := wrong(got); what != "" {
		t.Errorf("delaytest: run %q: %s%s", run.ID, what, run.picture())
		return false
	}
	return true
}

// picture returns the run as it is now, in lines of their own; "" where the
// server knows of none.
func (r *Run) picture() string {
	ctx, cancel := context.WithTimeout(context.Background(), r.server.Timeout)
	defer cancel()
	text, err := r.server.client.Waterfall(ctx, r.ID)
	if err != nil {
		return ""
	}
	return "\n" + text
}
