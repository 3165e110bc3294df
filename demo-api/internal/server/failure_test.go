package server_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// broken answers the first good requests and closes the connection of each
// later one.
func broken(good int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n > good {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestFailedCall(t *testing.T) {
	nobody := "http://" + wiretest.ClosedAddr(t)
	for _, tc := range []struct {
		name, url, path string
		status          int
		call, detail    string
	}{
		{"nobody listens", nobody, "/get_data", 502, "r1", "call r1: delay-server cannot be reached: " + nobody + ": connection refused"},
		{"nobody listens, all at once", nobody, "/async_get_data?calls=1", 502, "r1", "connection refused"},
		{"the third breaks", newSlow(t, broken(2)).URL, "/get_data?calls=5", 502, "r3", "call r3: delay-server cannot be reached"},
		{"the third breaks, concurrently in turn", newSlow(t, broken(2)).URL, "/async_get_data?calls=5&limit=1", 502, "r3", "connection closed before the whole answer came"},
		{"the first is too slow", newSlow(t, hang).URL, "/get_data", 504, "r1", "call r1: delay-server is too slow: no answer from"},
		{"all are too slow", newSlow(t, hang).URL, "/async_get_data?calls=1", 504, "r1", "within 100ms (TIMEOUT)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := start(t, options(), tc.url, 100*time.Millisecond)
			got := d.send(t, "GET", tc.path, map[string]string{"X-Run-Id": "run-7"}, nil)
			p := got.problem(t, tc.status)
			if p.Call != tc.call || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("GET %s: call %q, detail %s\nwant call %q, detail … %s …", tc.path, p.Call, p.Detail, tc.call, tc.detail)
			}
			if id := got.Header.Get("X-Run-Id"); id != "run-7" {
				t.Errorf("X-Run-Id: got %q, want run-7", id)
			}
			total := durations(t, got.Header.Get("Server-Timing"))
			if len(total) != 1 || tc.status == 504 && total[0] < 100*time.Millisecond {
				t.Errorf("Server-Timing: got %v, want total alone, of the timeout or more", total)
			}
			if log := d.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "run=run-7") || !strings.Contains(log, "cause=") {
				t.Errorf("log: got %q, want a warning with the run and the cause", log)
			}
		})
	}
}

// The one that fails is answered when all have come: the others wait for long.
func TestFailureCancelsTheOthers(t *testing.T) {
	const calls = 50
	s := newSlow(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == calls {
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
	})
	d := start(t, options(), s.URL, time.Minute)
	p := d.get(t, "/async_get_data?calls=50").problem(t, 502)
	if !regexp.MustCompile(`^r([1-9]|[1-4][0-9]|50)$`).MatchString(p.Call) {
		t.Errorf("call: got %q, want one of r1 to r50", p.Call)
	}
	wiretest.Eventually(t, "the other 49 calls are cancelled", func() bool { return s.seen().over == calls })
	if got := s.seen(); got.come != calls || got.left < calls-1 {
		t.Errorf("got %d calls, %d of them cancelled, want %d, %d", got.come, got.left, calls, calls-1)
	}
}

func TestLeavingClient(t *testing.T) {
	for _, tc := range []struct {
		name, path, body string
		calls            int
	}{
		{"one after another", "/get_data?calls=9", "", 1},
		{"all at once", "/async_get_data?calls=200", "", 200},
		{"three at once", "/async_get_data?calls=9&limit=3", "", 3},
		{"after it sent a body", "/async_get_data?calls=9", "not used", 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSlow(t, hang)
			d := start(t, options(), s.URL, time.Minute)
			ctx, leave := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "GET", d.URL+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() {
				resp, err := d.Client().Do(req)
				if err == nil {
					resp.Body.Close()
				}
				gone <- err
			}()
			wiretest.Eventually(t, "the calls come", func() bool { return s.seen().come == tc.calls })
			leave()
			if err := <-gone; !errors.Is(err, context.Canceled) {
				t.Errorf("the client got %v, want context.Canceled", err)
			}
			wiretest.Eventually(t, "all calls are cancelled", func() bool { return s.seen().over == tc.calls })
			d.Close()
			if got := s.seen(); got.left != tc.calls || got.come != tc.calls {
				t.Errorf("%d calls came, %d cancelled, want %d of each", got.come, got.left, tc.calls)
			}
			if log := d.log.String(); log != "" {
				t.Errorf("log: got %q, want none", log)
			}
		})
	}
}
