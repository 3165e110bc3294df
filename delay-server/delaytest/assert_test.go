package delaytest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"
)

// runConcurrently makes n concurrent requests in run "concurrent".
func runConcurrently(t testing.TB, srv *delaytest.Server, n int) *delaytest.Run {
	run := srv.Run("concurrent")
	var answers []<-chan answer
	for range n {
		answers = append(answers, get(srv.HTTPClient(), run.BarrierURL("all", n)))
	}
	for _, a := range answers {
		wantStatus(t, a, http.StatusOK)
	}
	return run
}

// runSequentially makes n sequential requests in run "sequential".
func runSequentially(t testing.TB, srv *delaytest.Server, n int) *delaytest.Run {
	run := srv.Run("sequential")
	for range n {
		wantStatus(t, get(run.HTTPClient(), srv.DelayURL(time.Millisecond)), http.StatusOK)
	}
	return run
}

func TestRunAssertions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		assert func(testing.TB, *delaytest.Server) bool
		want   string // pattern of the failure, or "" for success
	}{
		{"3 concurrent, want 3", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, runConcurrently(t, s, 3), 3)
		}, ""},
		{"3 concurrent, want 2", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, runConcurrently(t, s, 3), 2)
		}, `^delaytest: run "concurrent": peak: 3 requests were in flight .*\n  want 2\n  got  3\n` +
			`run concurrent: 3 requests, peak in flight 3\n(?s:.*)(GET /barrier/all .*\|.*\| .* 200\n(  < .*\n)?){3}`},
		{"3 concurrent, want 4", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, runConcurrently(t, s, 3), 4)
		}, `^delaytest: run "concurrent": peak: never more than 3 .*\n` +
			`  want 4\n  got  3\nrun concurrent: 3 requests`},
		{"3 sequential, want 3", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertConcurrent(t, runSequentially(t, s, 3), 3)
		}, `^delaytest: run "sequential": peak: never more than 1 .*\n` +
			`  want 3\n  got  1\nrun sequential: 3 requests`},
		{"2 sequential", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, runSequentially(t, s, 2))
		}, ""},
		{"2 concurrent, want sequential", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, runConcurrently(t, s, 2))
		}, `^delaytest: run "concurrent": order: up to 2 .*\n` +
			`  want sequential\n  got  concurrent\nrun concurrent: 2 requests`},
		{"1 request, want sequential", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, runSequentially(t, s, 1))
		}, `^delaytest: run "sequential": order: .*; send two or more\n` +
			`  want sequential\n  got  1 request\nrun sequential: 1 request,`},
		{"no requests: no waterfall", func(t testing.TB, s *delaytest.Server) bool {
			return delaytest.AssertSequential(t, s.Run("none"))
		}, `^delaytest: run "none": order: run "none" not found: [^\n]*\n  want sequential\n  got  no request\n$`},
		{"a request that still waits", func(t testing.TB, s *delaytest.Server) bool {
			run := s.Run("late")
			get(s.HTTPClient(), run.HoldURL("h"))
			run.Await(1)
			return delaytest.AssertConcurrent(t, run, 1)
		}, `^delaytest: run "late": peak: .* after 9s\n  want 1\n  got  1 request in flight\n` +
			`run late: 1 request, peak in flight 1, 1 still waiting\n`},
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

func TestAssertProblem(t *testing.T) {
	full := func(w http.ResponseWriter) { _ = problem.PoolFull.New(`pool "db" is full`).Write(w) }
	for _, tc := range []struct {
		name  string
		reply func(http.ResponseWriter)
		typ   client.ProblemType
		want  string // pattern of the failure, or "" for success
	}{
		{"same type", full, client.ProblemPoolFull, ""},
		{"another type", full, client.ProblemPoolMismatch,
			`^delaytest: want problem pool-mismatch, got pool-full: pool "db" is full$`},
		{"another reply", func(http.ResponseWriter) {}, client.ProblemPoolFull,
			`^delaytest: want problem pool-full, got: reply is not a problem document: 200 OK`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			tc.reply(rec)
			var ok bool
			got := recorded(t, func(r testing.TB) { ok = delaytest.AssertProblem(r, rec.Result(), tc.typ) })
			if ok != (tc.want == "") || ok != (len(got) == 0) {
				t.Errorf("got %v, with failures %q", ok, got)
			}
			if tc.want != "" {
				wantFailure(t, got, tc.want)
			}
		})
	}
}
