package server_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// respondThenClose responds to n requests, and closes the connections of all
// later ones.
func respondThenClose(n int) respondFunc {
	return func(i int, _ http.ResponseWriter, _ *http.Request) {
		if i > n {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestFailedCall(t *testing.T) {
	const failed, timeout = problem.CallFailed, problem.CallTimeout
	closed := "http://" + wiretest.ClosedAddr(t)
	for _, tc := range []struct {
		name, url, path string
		want            problem.Type
		call, detail    string
	}{
		{"connection refused", closed, "/get_data", failed, "r1",
			"call r1: delay-server cannot be reached: " + closed + ": connection refused"},
		{"connection refused, concurrent", closed, "/async_get_data?calls=1", failed, "r1", ""},
		{"the third fails", newFake(t, respondThenClose(2)).URL, "/get_data?calls=5", failed, "r3", "call r3: "},
		{"the third fails, limit=1", newFake(t, respondThenClose(2)).URL,
			"/async_get_data?calls=5&limit=1", failed, "r3", ""},
		{"the first times out", newFake(t, hang).URL, "/get_data", timeout, "r1",
			"call r1: delay-server timed out: no response from"},
		{"a timeout, concurrent", newFake(t, hang).URL, "/async_get_data?calls=1", timeout, "r1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := start(t, options(), tc.url, 100*time.Millisecond)
			got := d.send(t, "GET", tc.path, map[string]string{"X-Run-Id": "run-7"}, nil)
			p := got.problem(t, tc.want)
			if p.Call != tc.call || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("GET %s: call %q, detail %s\nwant call %q, … %s …",
					tc.path, p.Call, p.Detail, tc.call, tc.detail)
			}
			if id := got.Header.Get("X-Run-Id"); id != "run-7" {
				t.Errorf("X-Run-Id: got %q, want run-7", id)
			}
			times := durations(t, got.Header.Get("Server-Timing"))
			if len(times) != 1 || tc.want == timeout && times[0] < 100*time.Millisecond {
				t.Errorf("Server-Timing: got %v, want only the total, at least the timeout", times)
			}
			log := d.log.String()
			for _, want := range []string{"level=WARN", "run=run-7", "cause="} {
				if !strings.Contains(log, want) {
					t.Errorf("log: got %q, want %s in it", log, want)
				}
			}
		})
	}
}

// The failing call fails after all calls have started. The others wait longer.
func TestFailureCancelsOtherCalls(t *testing.T) {
	const calls = 50
	s := newFake(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == calls {
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
	})
	d := start(t, options(), s.URL, time.Minute)
	p := d.get(t, "/async_get_data?calls=50").problem(t, problem.CallFailed)
	if !regexp.MustCompile(`^r([1-9]|[1-4][0-9]|50)$`).MatchString(p.Call) {
		t.Errorf("call: got %q, want one of r1 to r50", p.Call)
	}
	wiretest.Eventually(t, "all calls end", func() bool { return s.received().ended == calls })
	if got := s.received(); got.started != calls || got.cancelled < calls-1 {
		t.Errorf("got %d calls, %d of them cancelled, want %d, %d", got.started, got.cancelled, calls, calls-1)
	}
}

func TestClientThatLeaves(t *testing.T) {
	for _, tc := range []struct {
		name, path, body string
		calls            int
	}{
		{"sequential", "/get_data?calls=9", "", 1},
		{"concurrent", "/async_get_data?calls=200", "", 200},
		{"three at once", "/async_get_data?calls=9&limit=3", "", 3},
		{"after a body", "/async_get_data?calls=9", "not used", 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFake(t, hang)
			d := start(t, options(), s.URL, time.Minute)
			ctx, leave := context.WithCancel(t.Context())
			got := sendAsync(ctx, t, transport(t, false), d.URL+tc.path, strings.NewReader(tc.body))
			wiretest.Eventually(t, "the calls start", func() bool { return s.received().started == tc.calls })
			leave()
			if got := <-got; !errors.Is(got.err, context.Canceled) {
				t.Errorf("the client got %+v, want context.Canceled", got)
			}
			wiretest.Eventually(t, "the calls end", func() bool { return s.received().ended == tc.calls })
			d.Close()
			if got := s.received(); got.cancelled != tc.calls || got.started != tc.calls {
				t.Errorf("%d calls started, %d cancelled, want %d of each", got.started, got.cancelled, tc.calls)
			}
			if log := d.log.String(); log != "" {
				t.Errorf("log: got %q, want none", log)
			}
		})
	}
}
