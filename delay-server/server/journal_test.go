package server

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// protocols returns a server and a client for each way that requests come.
func protocols(t *testing.T, test func(t *testing.T, s steering, client *http.Client, base, protocol string)) {
	t.Helper()
	bothWays(t, func(t *testing.T, config Config) {
		for name, newClient := range map[string]func(testing.TB) *http.Client{
			"HTTP/1.1": newClient, "HTTP/2.0": newH2CClient,
		} {
			t.Run(name, func(t *testing.T) {
				_, base, _ := start(t, config, io.Discard)
				test(t, steer(t, base), newClient(t), base, name)
			})
		}
	})
	t.Run("TLS", func(t *testing.T) {
		config := DefaultConfig()
		config.TLSHosts, config.TLSDir = []string{"localhost"}, t.TempDir()
		_, base, secure, _ := serveTLS(t, config, io.Discard)
		test(t, steer(t, base), newTLSClient(t, base, http1), secure, "HTTP/1.1")
	})
}

// send sends a request of a run with the user agent "test", and returns its status.
func send(t testing.TB, client *http.Client, method, url string, headers ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "test")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// The journal records what a client did, over each protocol.
func TestJournalOfAClient(t *testing.T) {
	protocols(t, func(t *testing.T, s steering, c *http.Client, base, protocol string) {
		send(t, c, "GET", base+"/healthz")
		send(t, c, "GET", base+"/status/503?run=r", "Idempotency-Key", "k", "Cookie", "a=b")
		send(t, c, "GET", base+"/status/503?retry_after=3s&run=r", "Idempotency-Key", "k")
		send(t, c, "POST", base+"/delay/1?run=r")
		send(t, c, "GET", base+"/delay/1?status=1&run=r")
		send(t, c, "GET", base+"/delay/abc", "X-Run-Id", "r")
		send(t, c, "GET", base+"/delay/abc?run=a+b")
		send(t, c, "GET", base+"/delay/2?attempts=503&attempts_key=header:X-Key&run=r")
		send(t, c, "GET", base+"/hold/h?timeout=1ms&run=r")
		send(t, c, "POST", base+"/delay/0?fault=reset&run=r")
		c.CloseIdleConnections()
		send(t, c, "GET", base+"/delay/0?run=r", "User-Agent", "other", "Idempotency-Key", strings.Repeat("k", 201))
		agent := map[string]string{"User-Agent": "test"}
		both := map[string]string{"User-Agent": "test", "Idempotency-Key": "k"}
		long := map[string]string{"User-Agent": "test", "Idempotency-Key": strings.Repeat("k", 197) + "…"}
		want := []client.Wait{
			{Method: "GET", Path: "/status/503", Query: "run=r", Outcome: "answered", Status: 503, Attempt: 1,
				Connection: 1, Reused: true, Headers: both, RetryAfter: time.Second},
			{Method: "GET", Path: "/status/503", Query: "retry_after=3s&run=r", Outcome: "answered", Status: 503,
				Attempt: 2, Connection: 1, Reused: true, Headers: both, RetryAfter: 3 * time.Second},
			{Method: "POST", Path: "/delay/1", Query: "run=r", Outcome: "answered", Status: 200, Attempt: 1,
				Connection: 1, Reused: true, Headers: agent, Asked: time.Millisecond},
			{Method: "GET", Path: "/delay/1", Query: "status=1&run=r", Outcome: "rejected", Status: 400,
				Problem: problem.InvalidParameter, Connection: 1, Reused: true, Headers: agent},
			{Method: "GET", Path: "/delay/abc", Outcome: "rejected", Status: 400, Problem: problem.InvalidDelay,
				Connection: 1, Reused: true, Headers: agent},
			{Method: "GET", Path: "/delay/2", Query: "attempts=503&attempts_key=header:X-Key&run=r",
				Outcome: "rejected", Status: 400, Problem: problem.InvalidHeader, Connection: 1, Reused: true,
				Headers: agent},
			{Method: "GET", Path: "/hold/h", Query: "timeout=1ms&run=r", Outcome: "timed_out", Status: 504, Attempt: 1,
				Problem: problem.HoldTimeout, Connection: 1, Reused: true, Headers: agent},
			{Method: "POST", Path: "/delay/0", Query: "fault=reset&run=r", Outcome: "faulted", Fault: "reset",
				Attempt: 1, Connection: 1, Reused: true, Headers: agent},
			{Method: "GET", Path: "/delay/0", Query: "run=r", Outcome: "answered", Status: 200, Attempt: 1,
				Connection: 2, Headers: long},
		}
		got := s.settled("r").Waits
		for i, w := range got {
			if i > 0 && (w.Gap == nil || *w.Gap < 0 || *w.Gap != w.Start-got[i-1].End) {
				t.Errorf("request %d has the gap %v, want %v", i, w.Gap, w.Start-got[i-1].End)
			}
			if w.Protocol != protocol || w.Client != "127.0.0.1" {
				t.Errorf("request %d is %s from %s, want %s from 127.0.0.1", i, w.Protocol, w.Client, protocol)
			}
			w.Protocol, w.Client, w.Gap, w.Start, w.End, w.Queued, w.Waited = "", "", nil, 0, 0, 0, 0
			if i < len(want) && !reflect.DeepEqual(w, want[i]) {
				t.Errorf("request %d:\n got %+v\nwant %+v", i, w, want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %d requests, want %d", len(got), len(want))
		}
	})
}

// With FLASH_COMPAT an invalid delay is recorded, though its answer is no problem.
func TestJournalWithFlashCompat(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.FlashCompat = true
		_, base, _ := start(t, config, io.Discard)
		c, s := newClient(t), steer(t, base)
		send(t, c, "GET", base+"/delay/abc?run=r")
		send(t, c, "GET", base+"/delay/abc/url/example.com", "X-Run-Id", "r")
		send(t, c, "GET", base+"/delay/1?status=1&run=r")
		send(t, c, "GET", base+"/delay/0?run=r")
		want := []string{"rejected 500 ", "rejected 500 ", "rejected 400 invalid-parameter", "answered 200 "}
		run := s.settled("r")
		var got []string
		for _, w := range run.Waits {
			got = append(got, fmt.Sprintf("%s %d %s", w.Outcome, w.Status, w.Problem.Name()))
		}
		if !slices.Equal(got, want) || run.PeakInFlight != 1 {
			t.Errorf("got %q, peak %d, want %q, 1", got, run.PeakInFlight, want)
		}
	})
}

// A client that gives up has ended when it did, with the status that it has seen.
func TestJournalOfAClientThatGivesUp(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		for _, tc := range []struct {
			run, path string
			status    int
		}{{"waiting", "/delay/1m?", 0}, {"reading", "/delay/0?size=10&body_delay=1m&", 200}} {
			conn := wiretest.Dial(t, base)
			fmt.Fprintf(conn, "GET %srun=%s HTTP/1.1\r\nHost: h\r\n\r\n", tc.path, tc.run)
			s.waiting(tc.run, 1)
			s.timed(1)
			s.advance(2 * time.Second)
			_ = conn.Close()
			w := s.settled(tc.run).Waits[0]
			if w.Outcome != "client_closed" || w.End != 2*time.Second || w.Status != tc.status {
				t.Errorf("%s: %s after %v with status %d, want client_closed after 2s with %d",
					tc.run, w.Outcome, w.End, w.Status, tc.status)
			}
		}
	})
}

// A request whose body does not arrive in time is rejected when the time has passed.
func TestJournalOfABodyTimeout(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.ReadTimeout = 20 * time.Millisecond
		_, base, _ := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		fmt.Fprint(conn, "POST /delay/1?run=r HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nContent-Length: 2\r\n\r\nx")
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 408 ") {
			t.Fatalf("got %q, %v, want 408", text, err)
		}
		run := steer(t, base).settled("r")
		w := run.Waits[0]
		if w.Outcome != "rejected" || w.Status != 408 || w.Problem != problem.BodyTimeout || w.Attempt != 1 ||
			w.Headers["User-Agent"] != "a" || w.End < config.ReadTimeout || run.PeakInFlight != 0 {
			t.Errorf("the request is %+v, peak %d; want it rejected with 408 after %v", w, run.PeakInFlight,
				config.ReadTimeout)
		}
	})
}

func TestJournalWithoutHeaders(t *testing.T) {
	config := DefaultConfig()
	config.JournalHeaders = []string{"none"}
	_, base, _ := start(t, config, io.Discard)
	send(t, newClient(t), "GET", base+"/delay/0?run=r", "Idempotency-Key", "k")
	if w := steer(t, base).settled("r").Waits[0]; w.Headers != nil {
		t.Errorf("with JOURNAL_HEADERS=none the header fields are %v", w.Headers)
	}
}
