package delaytest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

const ms = time.Millisecond

// call sends a request to a path of the server after each wait, one after another.
func call(client *http.Client, srv *delaytest.Server, path string, sleep func(time.Duration), waits ...time.Duration) {
	for _, wait := range waits {
		if wait > 0 {
			sleep(wait)
		}
		<-get(client, srv.URL+path)
	}
}

// calls returns a function that sends the requests of [call] in the bubble's time.
func calls(path string, waits ...time.Duration) func(*delaytest.Server, *delaytest.Run) {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		call(run.HTTPClient(), srv, path, time.Sleep, waits...)
	}
}

// giveUp sends a request with a timeout.
func giveUp(after time.Duration) func(*delaytest.Server, *delaytest.Run) {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		client := run.HTTPClient()
		client.Timeout = after
		<-get(client, srv.DelayURL(10*time.Second))
	}
}

// TestAssertionsInABubble judges clients that wait in the time of a bubble, which passes
// at once and exactly.
func TestAssertionsInABubble(t *testing.T) {
	const flaky = "/delay/0?fail_first=3"
	backoff := func(b delaytest.Backoff) func(testing.TB, *delaytest.Run) bool {
		return func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertBackoff(t, run, b) }
	}
	for _, tc := range []struct {
		name   string
		client func(*delaytest.Server, *delaytest.Run)
		assert func(testing.TB, *delaytest.Run) bool
		want   string // pattern of the failure, or "" for success
	}{
		{"4 attempts", calls(flaky, 0, ms, ms, ms),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertAttempts(t, run, 4) }, ""},
		{"3 attempts, want 4", calls(flaky, 0, ms, ms),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertAttempts(t, run, 4) },
			`attempts: .* stopped after 3 attempts.*\n  want 4\n  got  3\nrun r: 3 requests`},

		{"doubled waits", calls(flaky, 0, 100*ms, 200*ms, 400*ms), backoff(delaytest.Backoff{Base: 100 * ms, Factor: 2}), ""},
		{"doubled waits to the cap", calls(flaky, 0, 100*ms, 150*ms, 150*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 2, Cap: 150 * ms}), ""},
		{"constant waits", calls(flaky, 0, 100*ms, 100*ms, 100*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 1}), ""},
		{"constant waits, want doubled", calls(flaky, 0, 100*ms, 100*ms, 100*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 2}), `backoff: attempt 3 came 100 ms after .*\n  want 100 ms, then × 2\n  got  100 ms, 100 ms, 100 ms\n`},
		{"doubled waits, want constant", calls(flaky, 0, 100*ms, 200*ms, 400*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 1, Within: 50 * ms}), `backoff: attempt 3 came 200 ms after .*\n  want always 100 ms\n  got  100 ms, 200 ms, 400 ms\n`},
		{"waits with equal jitter", calls(flaky, 0, 60*ms, 190*ms, 200*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 2, Jitter: "equal"}), ""},
		{"waits within 20 %", calls(flaky, 0, 80*ms, 240*ms, 400*ms),
			backoff(delaytest.Backoff{Base: 100 * ms, Factor: 2, Jitter: "20%"}), ""},

		{"3 at once of 4, want at most 3", func(srv *delaytest.Server, run *delaytest.Run) {
			overlap(srv, run, 3)
			<-get(run.HTTPClient(), srv.DelayURL(0))
		},
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertPeakAtMost(t, run, 3) }, ""},
		{"3 at once, want at most 2", func(srv *delaytest.Server, run *delaytest.Run) { overlap(srv, run, 3) },
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertPeakAtMost(t, run, 2) },
			`peak_at_most: .*\n  want 2\n  got  3\n`},
		{"3 at once, want at least 3", func(srv *delaytest.Server, run *delaytest.Run) { overlap(srv, run, 3) },
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertPeakAtLeast(t, run, 3) }, ""},
		{"3 at once, want at least 4", func(srv *delaytest.Server, run *delaytest.Run) { overlap(srv, run, 3) },
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertPeakAtLeast(t, run, 4) },
			`peak_at_least: .*\n  want 4\n  got  3\n`},

		{"gives up", giveUp(2 * time.Second),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertGaveUp(t, run, 2*time.Second) }, ""},
		{"gives up later", giveUp(5 * time.Second),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertGaveUp(t, run, 2*time.Second) },
			`gave_up_after: .*\n  want after 2000 ms\n  got  after 5000 ms\n`},

		{"two checks fail", calls(flaky, 0, ms),
			func(t testing.TB, run *delaytest.Run) bool {
				return delaytest.AssertChecks(t, run, "attempts=4", "order=sequential", "peak_at_least=1", "backoff=5ms,2")
			},
			`attempts: .*\n  want 4\n  got  2\nbackoff: .*\n  want 5 ms, .*\n  got  1 ms\nrun r: 2 requests`},
		{"a misspelt check", calls(flaky, 0, ms),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertChecks(t, run, "atempts=4") },
			`400 Bad Request: .*atempts.*attempts`},
		{"no requests", calls(flaky),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertAttempts(t, run, 4) },
			`404 Not Found: run "r" .*`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ok bool
			got := recorded(t, func(r testing.TB) {
				srv := delaytest.NewInMemoryServer(r)
				run := srv.Run("r")
				tc.client(srv, run)
				ok = tc.assert(r, run)
			})
			if ok != (tc.want == "") {
				t.Errorf("got %v, with failures %q", ok, got)
			}
			if tc.want != "" {
				wantFailure(t, got, `^delaytest: .*`+tc.want)
			} else if len(got) > 0 {
				t.Errorf("got failures %q, want none", got)
			}
		})
	}
}

// overlap sends n requests that are in flight at once.
func overlap(srv *delaytest.Server, run *delaytest.Run, n int) {
	var answers []<-chan answer
	for range n {
		answers = append(answers, get(srv.HTTPClient(), run.BarrierURL("all", n)))
	}
	for _, a := range answers {
		<-a
	}
}

// A client whose sleep the test replaces waits on the server's clock.
func TestAssertionsOnTheMovedClock(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	for _, tc := range []struct {
		run   string
		waits []time.Duration
		want  string
	}{
		{"right", []time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute}, ""},
		{"wrong", []time.Duration{0, 30 * time.Second, 30 * time.Second, 30 * time.Second}, "backoff: attempt 3 came 30000 ms after"},
	} {
		run := srv.Run(tc.run)
		call(run.HTTPClient(), srv, "/delay/0?fail_first=3", clock.Advance, tc.waits...)
		r := &recorder{TB: t}
		ok := delaytest.AssertBackoff(r, run, delaytest.Backoff{Base: 30 * time.Second, Factor: 2, Within: time.Nanosecond})
		if ok != (tc.want == "") || len(r.failures) > 0 && !strings.Contains(r.failures[0], tc.want) {
			t.Errorf("run %s: got %v and failures %q", tc.run, ok, r.failures)
		}
	}
}

// Over sockets and in real time a wait may be longer than the client wants, never shorter.
func TestAssertionsInRealTime(t *testing.T) {
	srv := delaytest.NewServer(t)
	for _, tc := range []struct {
		run   string
		waits []time.Duration
		want  string
	}{
		{"right", []time.Duration{0, 20 * ms, 40 * ms, 80 * ms}, ""},
		{"wrong", []time.Duration{0, 0, 0, 0}, "backoff: attempt 2 came "},
	} {
		run := srv.Run(tc.run)
		call(run.HTTPClient(), srv, "/delay/0?fail_first=3", time.Sleep, tc.waits...)
		r := &recorder{TB: t}
		ok := delaytest.AssertBackoff(r, run, delaytest.Backoff{Base: 20 * ms, Factor: 2, Within: 10 * time.Second})
		if ok != (tc.want == "") || len(r.failures) > 0 && !strings.Contains(r.failures[0], tc.want) {
			t.Errorf("run %s: got %v and failures %q", tc.run, ok, r.failures)
		}
	}
}
