package delaytest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

const (
	ms    = time.Millisecond
	flaky = "/delay/0?attempts=503,503,503,200"
)

// call sends a request to a path of the server after each wait, one after another.
func call(client *http.Client, srv *delaytest.Server, path string, sleep func(time.Duration), waits ...time.Duration) {
	for _, wait := range waits {
		if wait > 0 {
			sleep(wait)
		}
		<-get(client, srv.URL+path)
	}
}

// A behaviour is how a client under test behaves.
type behaviour func(*delaytest.Server, *delaytest.Run)

// calls sends the requests of [call] in the bubble's time.
func calls(path string, waits ...time.Duration) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		call(run.HTTPClient(), srv, path, time.Sleep, waits...)
	}
}

// hedge sends a request, and another after the time. The first is cancelled when the
// second has been answered, or else waits for its answer.
func hedge(after time.Duration, cancelled bool) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		url := srv.URL + "/delay/0?attempts=200@1s,200"
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		loser := make(chan error)
		go func() {
			_, err := fetch(ctx, run.HTTPClient(), url)
			loser <- err
		}()
		time.Sleep(after)
		<-get(run.HTTPClient(), url)
		if cancelled {
			cancel()
		}
		<-loser
	}
}

// giveUp sends a request with a timeout.
func giveUp(after time.Duration) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		client := run.HTTPClient()
		client.Timeout = after
		<-get(client, srv.DelayURL(10*time.Second))
	}
}

// connect sends n requests in a row, with keep-alive or without.
func connect(n int, keepAlive bool) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		for range n {
			_, _ = fetch(context.Background(), run.HTTPClient(), srv.DelayURL(0))
			if !keepAlive {
				srv.HTTPClient().CloseIdleConnections()
			}
		}
	}
}

// sendKeys sends a request with each key as its Idempotency-Key.
func sendKeys(keys ...string) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		for _, key := range keys {
			req, _ := http.NewRequest(http.MethodPost, srv.DelayURL(0), nil)
			req.Header.Set("Idempotency-Key", key)
			if res, err := run.HTTPClient().Do(req); err == nil {
				res.Body.Close()
			}
		}
	}
}

// overlap sends n requests that are in flight at once, and then one more.
func overlap(n int) behaviour {
	return func(srv *delaytest.Server, run *delaytest.Run) {
		var answers []<-chan answer
		for range n {
			answers = append(answers, get(srv.HTTPClient(), run.BarrierURL("all", n)))
		}
		for _, a := range answers {
			<-a
		}
		<-get(run.HTTPClient(), srv.DelayURL(0))
	}
}

type assertion func(testing.TB, *delaytest.Run) bool

// with returns an assertion with its argument.
func with[T any](assert func(testing.TB, *delaytest.Run, T) bool, arg T) assertion {
	return func(t testing.TB, run *delaytest.Run) bool { return assert(t, run, arg) }
}

// TestAssertionsInABubble checks that each assertion passes for the right client and fails
// for the wrong one. The clients wait in the time of a bubble, which passes at once and
// exactly.
func TestAssertionsInABubble(t *testing.T) {
	const refused = "/delay/0?attempts=429,200&retry_after=2s"
	const second = time.Second
	for _, tc := range []struct {
		name         string
		right, wrong behaviour
		assert       assertion
		want         string // pattern of the failure
	}{
		{"attempts", calls(flaky, 0, ms, ms, ms), calls(flaky, 0, ms, ms),
			with(delaytest.AssertAttempts, 4),
			`attempts: .* stopped after 3 attempts.*\n  want 4\n  got  3\nrun r: 3 requests`},
		{"statuses", calls(flaky, 0, ms, ms, ms), calls("/delay/0?attempts=503,200", 0, ms, ms, ms),
			func(t testing.TB, run *delaytest.Run) bool {
				return delaytest.AssertStatuses(t, run, 503, 503, 503, 200)
			},
			`statuses: attempt 2 got 200 instead of 503.*\n  want 503,503,503,200\n  got  503,200,200,200\n`},
		{"doubled back-off", calls(flaky, 0, 100*ms, 200*ms, 400*ms), calls(flaky, 0, 100*ms, 100*ms, 100*ms),
			with(delaytest.AssertBackoff, delaytest.Backoff{Base: 100 * ms, Factor: 2}),
			`backoff: attempt 3 came 100 ms after .*\n  want 100 ms, then × 2\n  got  100 ms, 100 ms, 100 ms\n` +
				`(?s:.*)GET /delay/0 #3 .* 503\n +< gap 100 ms, want 200 ms or more\n`}, // the place is marked
		{"constant back-off", calls(flaky, 0, 100*ms, 100*ms, 100*ms), calls(flaky, 0, 100*ms, 200*ms, 400*ms),
			with(delaytest.AssertBackoff, delaytest.Backoff{Base: 100 * ms, Factor: 1, Within: 50 * ms}),
			`backoff: attempt 3 came 200 ms after .*\n  want always 100 ms\n  got  100 ms, 200 ms, 400 ms\n`},
		{"back-off to a cap",
			calls(flaky, 0, 1*second, 3*second, 5*second), calls(flaky, 0, 1*second, 3*second, 9*second),
			with(delaytest.AssertBackoff, delaytest.Backoff{Base: second, Factor: 3, Cap: 5 * second}),
			`backoff: attempt 4 came 9000 ms after .*\n  want 1000 ms, then × 3, up to 5000 ms\n`},
		{"back-off with jitter", calls(flaky, 0, 60*ms, 190*ms, 200*ms), calls(flaky, 0, 60*ms, 190*ms, 199*ms),
			with(delaytest.AssertBackoff, delaytest.Backoff{Base: 100 * ms, Factor: 2, Jitter: "equal"}),
			`backoff: attempt 4 came 199 ms after .*\n  want 100 ms, then × 2, jitter equal\n`},
		{"Retry-After", calls(refused, 0, 2*second), calls(refused, 0, second),
			delaytest.AssertHonoursRetryAfter,
			`retry_after: attempt 2 came 1000 ms after .*\n  want honoured\n  got  1000 ms for 2000 ms\n`},
		{"peak", overlap(3), overlap(4),
			with(delaytest.AssertConcurrent, 3), `peak: .*\n  want 3\n  got  4\n`},
		{"peak at most", overlap(3), overlap(4),
			with(delaytest.AssertPeakAtMost, 3), `peak_at_most: .*\n  want 3\n  got  4\n`},
		{"peak at least", overlap(3), overlap(2),
			with(delaytest.AssertPeakAtLeast, 3), `peak_at_least: .*\n  want 3\n  got  2\n`},
		{"hedge too soon", hedge(50*ms, true), hedge(10*ms, true),
			with(delaytest.AssertHedged, 50*ms), `hedged_after: .*\n  want after 50 ms\n  got  after 10 ms\n`},
		{"hedge without cancelling", hedge(50*ms, true), hedge(50*ms, false),
			with(delaytest.AssertHedged, 50*ms),
			`hedged_after: .*; cancel it .*\n  want after 50 ms\n  got  after 50 ms, not cancelled\n`},
		{"timeout", giveUp(2 * second), giveUp(5 * second),
			with(delaytest.AssertGaveUp, 2*second), `gave_up_after: .*\n  want after 2000 ms\n  got  after 5000 ms\n`},
		{"breaker", calls(flaky, 0, ms, 10*second, 10*second, ms), calls(flaky, 0, ms, ms, 10*second),
			func(t testing.TB, run *delaytest.Run) bool { return delaytest.AssertBreaker(t, run, 2, 10*second) },
			`breaker: a request came 1 ms after 2 failures .*\n  want 2 failures .*\n  got  a request after 1 ms\n`},
		{"connections", connect(3, true), connect(3, false),
			with(delaytest.AssertConnectionsAtMost, 1), `connections_at_most: .*\n  want 1\n  got  3\n`},
		{"header", sendKeys("a", "a"), sendKeys("a", "b"),
			with(delaytest.AssertSameHeader, "Idempotency-Key"),
			`same_header: .*\n  want the same Idempotency-Key\n  got  "a", "b"\n`},
		{"many checks", calls(flaky, 0, ms, ms, ms), calls(flaky, 0, ms),
			func(t testing.TB, run *delaytest.Run) bool {
				return delaytest.AssertChecks(t, run, "attempts=4", "order=sequential", "statuses=503,503,503,200")
			},
			`attempts: .*\n  want 4\n  got  2\nstatuses: .*\n  want 503,503,503,200\n  got  503,503\nrun r: `},
		{"no requests", calls(flaky, 0, ms, ms, ms), calls(flaky),
			with(delaytest.AssertAttempts, 4), `attempts: run "r" not found: .*\n  want 4\n  got  no request\n`},
		{"one request is not concurrent", overlap(1), calls(flaky, 0),
			with(delaytest.AssertConcurrent, 1),
			`peak: 1 request cannot be more .*\n  want 1\n  got  1 of 1 request\n`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := failures(t, tc.right, tc.assert); len(got) > 0 {
				t.Errorf("got failures %q, want none", got)
			}
			wantFailure(t, failures(t, tc.wrong, tc.assert), `^delaytest: .*`+tc.want)
		})
	}
}

// failures returns the failures of an assertion in a bubble. It returns none if the
// assertion returned true.
func failures(t *testing.T, client behaviour, assert assertion) []string {
	var ok bool
	got := recorded(t, func(r testing.TB) {
		srv := delaytest.NewInMemoryServer(r)
		run := srv.Run("r")
		client(srv, run)
		ok = assert(r, run)
	})
	if ok != (len(got) == 0) {
		t.Errorf("got %v with failures %q", ok, got)
	}
	return got
}

func TestAMisspeltCheck(t *testing.T) {
	got := failures(t, overlap(2), func(t testing.TB, run *delaytest.Run) bool {
		return delaytest.AssertChecks(t, run, "atempts=4")
	})
	wantFailure(t, got, `^delaytest: .* 400 Bad Request: .*atempts.*attempts`)
}

func TestAssertChecksOfRuns(t *testing.T) {
	for _, tc := range []struct {
		prefix string
		want   string // pattern of the failure, or "" for success
	}{
		{"load-", ""},
		{"lo", `^delaytest: runs "lo": attempts: run lost: .*\n  want 2\n  got  1\nrun lost: 1 request`},
		{"x", `^delaytest: runs "x": attempts: no run begins with "x".*\n  want 2\n  got  no run\n`},
	} {
		got := recorded(t, func(r testing.TB) {
			srv := delaytest.NewInMemoryServer(r)
			for id, waits := range map[string][]time.Duration{"load-1": {0, ms}, "load-2": {0, ms}, "lost": {0}} {
				calls("/delay/0?attempts=503,200", waits...)(srv, srv.Run(id))
			}
			if delaytest.AssertChecksOfRuns(r, srv, tc.prefix, "attempts=2") != (tc.want == "") {
				t.Errorf("prefix %q: got the wrong result", tc.prefix)
			}
		})
		if tc.want != "" {
			wantFailure(t, got, tc.want)
		} else if len(got) > 0 {
			t.Errorf("prefix %q: got failures %q, want none", tc.prefix, got)
		}
	}
}

// Full jitter is judged by the gaps of many runs.
func TestFullJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tc := range []struct {
		name string
		wait func() time.Duration
		want string // pattern of the failure, or "" for success
	}{
		{"from 0 to 100 ms", func() time.Duration { return time.Duration(rng.Float64() * float64(100*ms)) }, ""},
		{"always 50 ms", func() time.Duration { return 50 * ms }, `^delaytest: runs "load-": backoff: `},
	} {
		got := recorded(t, func(r testing.TB) {
			srv := delaytest.NewInMemoryServer(r)
			for i := range 200 {
				calls("/delay/0?attempts=500,200", 0, tc.wait())(srv, srv.Run(fmt.Sprint("load-", i)))
			}
			delaytest.AssertChecksOfRuns(r, srv, "load-", "backoff=100ms,2", "jitter=full")
		})
		if tc.want != "" {
			wantFailure(t, got, tc.want)
		} else if len(got) > 0 {
			t.Errorf("%s: got failures %q, want none", tc.name, got)
		}
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
		{"wrong", []time.Duration{0, 30 * time.Second, 30 * time.Second, 30 * time.Second},
			"backoff: attempt 3 came 30000 ms after"},
	} {
		run := srv.Run(tc.run)
		call(run.HTTPClient(), srv, flaky, clock.Advance, tc.waits...)
		r := &recorder{TB: t}
		exact := delaytest.Backoff{Base: 30 * time.Second, Factor: 2, Within: time.Nanosecond}
		ok := delaytest.AssertBackoff(r, run, exact)
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
		call(run.HTTPClient(), srv, flaky, time.Sleep, tc.waits...)
		r := &recorder{TB: t}
		ok := delaytest.AssertBackoff(r, run, delaytest.Backoff{Base: 20 * ms, Factor: 2, Within: 10 * time.Second})
		if ok != (tc.want == "") || len(r.failures) > 0 && !strings.Contains(r.failures[0], tc.want) {
			t.Errorf("run %s: got %v and failures %q", tc.run, ok, r.failures)
		}
	}
}
