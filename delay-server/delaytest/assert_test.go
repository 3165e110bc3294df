package delaytest_test

import (
	"net/http"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// overlapping has n requests of a run in flight at once.
func overlapping(t testing.TB, srv *delaytest.Server, n int) *delaytest.Run {
	run := srv.Run("all")
	var answers []<-chan answer
	for range n {
		answers = append(answers, get(srv.HTTPClient(), run.BarrierURL("all", n)))
	}
	for _, a := range answers {
		wantStatus(t, a, http.StatusOK)
	}
	return run
}

// inTurn has n requests of a run in flight, one after the other.
func inTurn(t testing.TB, srv *delaytest.Server, n int) *delaytest.Run {
	run := srv.Run("turns")
	for range n {
		wantStatus(t, get(run.HTTPClient(), srv.DelayURL(time.Millisecond)), http.StatusOK)
	}
	return run
}

func TestAssertions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		assert func(testing.TB, *delaytest.Server) bool
		want   string // "" for no failure
	}{
		{"three at once are three", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, overlapping(t, s, 3), 3)
		}, ""},
		{"three at once are not two", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, overlapping(t, s, 3), 2)
		}, `^delaytest: run "all": want 2 requests in flight at once, got 3\nrun all: 3 requests, peak in flight 3\n(?s:.*)(GET /barrier/all .*\|.*\| .* answered\n){3}`},
		{"nor four", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, overlapping(t, s, 3), 4)
		}, `^delaytest: run "all": want 4 requests in flight at once, got 3\nrun all: 3 requests, peak in flight 3\n`},
		{"three in turn are not at once", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, inTurn(t, s, 3), 3)
		}, `^delaytest: run "turns": want 3 requests in flight at once, got 1\nrun turns: 3 requests, peak in flight 1\n`},
		{"two in turn are in turn", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, inTurn(t, s, 2))
		}, ""},
		{"two at once are not in turn", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, overlapping(t, s, 2))
		}, `^delaytest: run "all": want one request in flight at a time, got 2\nrun all: 2 requests, peak in flight 2\n`},
		{"one alone proves nothing", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, inTurn(t, s, 1))
		}, `^delaytest: run "turns": want two requests or more, got 1: they would prove nothing of their order\nrun turns: 1 request, peak in flight 1\n`},
		{"of none there is no picture", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, s.Run("nobody"))
		}, `^delaytest: .*404 Not Found: run "nobody" is not known[^\n]*$`},
		{"one that still waits is shown", func(t testing.TB, s *delaytest.Server) bool {
			run := s.Run("late")
			get(s.HTTPClient(), run.HoldURL("h"))
			run.Await(1)
			return delaytest.AssertConcurrent(t, run, 1)
		}, `^delaytest: .*504 Gateway Timeout: run "late": 1 of 1 requests still wait after 9s\nrun late: 1 request, peak in flight 1, 1 still waiting\n`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ok bool
			got := recorded(t, func(r testing.TB) { ok = tc.assert(r, delaytest.NewInMemoryServer(r)) })
			if ok != (tc.want == "") {
				t.Errorf("got %v, with failures %q", ok, got)
			}
			if tc.want != "" {
				wantFailure(t, got, tc.want)
			} else if len(got) > 0 {
				t.Errorf("got failures %q, want none", got)
			}
		})
	}
}
