package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// raw sends a request over a new connection and returns everything received, and the
// error with which the connection ended.
func raw(t *testing.T, base, target string) (string, error) {
	t.Helper()
	conn := wiretest.Dial(t, base)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	var got bytes.Buffer
	_, err := io.Copy(&got, conn)
	return got.String(), err
}

func TestFaultsOverASocket(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for _, tc := range []struct {
		fault string
		end   error // nil if the connection is closed in order
		check func(got string) bool
	}{
		{"reset", syscall.ECONNRESET, func(got string) bool { return got == "" }},
		{"empty", nil, func(got string) bool { return got == "" }},
		{"garbage", nil, func(got string) bool { return len(got) > 10 && !strings.HasPrefix(got, "HTTP") }},
		{"truncate", nil, func(got string) bool {
			return strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") &&
				strings.Contains(got, "Content-Length: 67\r\n") && strings.HasSuffix(got, `"Mock res`)
		}},
		{"truncate&size=100000", nil, func(got string) bool {
			_, body, _ := strings.Cut(got, "\r\n\r\n")
			return strings.Contains(got, "Content-Length: 100000\r\n") && len(body) == 50000
		}},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			begin := time.Now()
			got, err := raw(t, base, "/delay/20?fault="+tc.fault)
			if took := time.Since(begin); took < 20*time.Millisecond {
				t.Errorf("it took %v, want 20ms or more", took)
			}
			if !errors.Is(err, tc.end) || !tc.check(got) {
				t.Errorf("fault=%s: got %d bytes %.300q, error %v, want error %v", tc.fault, len(got), got, err, tc.end)
			}
		})
	}
}

func TestFaultsWithGoClient(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	for name, client := range map[string]*http.Client{"HTTP/1.1": newClient(t), "HTTP/2": newH2CClient(t)} {
		for _, fault := range []string{"reset", "empty", "garbage", "truncate"} {
			t.Run(name+" "+fault, func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/delay/1?fault="+fault, nil)
				if err != nil {
					t.Fatal(err)
				}
				reply, err := client.Do(req)
				if err == nil {
					_, err = io.ReadAll(reply.Body)
					reply.Body.Close()
				}
				if err == nil {
					t.Errorf("fault=%s: got status %d and a complete body, want an error", fault, reply.StatusCode)
				}
				// Other requests still succeed.
				if reply, _ := do(t, client, "GET", base+"/delay/0", nil); reply.StatusCode != 200 {
					t.Errorf("after fault=%s: status %d, want 200", fault, reply.StatusCode)
				}
			})
		}
	}
	wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
	_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
	if strings.Contains(metrics, `delay_server_waits_total{outcome="faulted"} 0`) {
		t.Errorf("the metrics count no faults:\n%s", grep(metrics, "waits_total"))
	}
}

// The exit statuses are documented in the manual of curl.
func TestFaultsWithCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("curl is not installed")
	}
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for _, tc := range []struct {
		fault, meaning string
		status         int
	}{
		{"reset", "failure in receiving network data", 56},
		{"empty", "nothing was returned from the server", 52},
		{"garbage", "HTTP/0.9 is not allowed", 1},
		{"truncate", "partial file", 18},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			url := base + "/delay/1?fault=" + tc.fault
			err := exec.CommandContext(t.Context(), curl, "-sS", "-o", "/dev/null", url).Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != tc.status {
				t.Errorf("curl of fault=%s: %v, want exit status %d (%s)", tc.fault, err, tc.status, tc.meaning)
			}
		})
	}
}

func TestHangEndsWithTheClientOrAfterMaxDelay(t *testing.T) {
	config := DefaultConfig()
	config.MaxDelay = 300 * time.Millisecond
	_, base, _ := start(t, config, io.Discard)
	begin := time.Now()
	got, err := raw(t, base, "/delay/0?fault=hang")
	if took := time.Since(begin); got != "" || err != nil || took < config.MaxDelay {
		t.Errorf("got %q, %v after %v, want nothing after %v", got, err, took, config.MaxDelay)
	}

	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	hanging := askUntil(t, ctx, newClient(t), 1, base+"/delay/0?fault=hang")
	wiretest.Eventually(t, "one waits", func() bool { return srv.engine.Journal.Waiting() == 1 })
	leave()
	if got := <-hanging; got.err == nil {
		t.Error("a hanging request was answered")
	}
	wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
}

func TestBodyDelayAndRate(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for _, tc := range []struct {
		name, query string
		length      int64
		body        time.Duration // minimum time from the headers to the end of the body
	}{
		{"body_delay", "body_delay=50", 67, 50 * time.Millisecond},
		{"rate", "size=10000&rate=100", 10_000, 100 * time.Millisecond},
		{"both", "size=1000&rate=10&body_delay=50", 1000, 150 * time.Millisecond},
		{"rate of a small body", "rate=1", 67, 67 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			begin := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/delay/10?"+tc.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := newClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			headers := time.Since(begin)
			n, err := io.Copy(io.Discard, reply.Body)
			whole := time.Since(begin)
			if err != nil || n != tc.length || reply.ContentLength != tc.length {
				t.Errorf("got %d bytes of %d, %v, want %d", n, reply.ContentLength, err, tc.length)
			}
			if headers < 10*time.Millisecond || whole < 10*time.Millisecond+tc.body {
				t.Errorf("headers after %v, body after %v, want at least 10ms and %v",
					headers, whole, 10*time.Millisecond+tc.body)
			}
			head, body := do(t, newClient(t), "HEAD", base+"/delay/10?"+tc.query, nil)
			if body != "" || head.ContentLength != tc.length {
				t.Errorf("HEAD: length %d, body %q, want %d and none", head.ContentLength, body, tc.length)
			}
		})
	}
}

// The headers arrive before body_delay is over. The test ends the request itself.
func TestHeadersArriveBeforeBodyDelay(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/delay/0?body_delay=10m", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if n := srv.engine.Journal.Waiting(); n != 1 {
		t.Errorf("%d requests wait during body_delay, want 1", n)
	}
	leave()
	wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
}

// WRITE_TIMEOUT limits the sending of each part, not the pauses between parts.
func TestBodyMayTakeLongerThanWriteTimeout(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.WriteTimeout = 500 * time.Millisecond // longer than a busy machine stalls
	_, base, _ := start(t, config, io.Discard)
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply, body := do(t, newClient(t), "GET", base+"/delay/0?size=2&rate=0.001", nil)
			if reply.StatusCode != 200 || body != "01" {
				t.Errorf("got %d %q, want 200 and two bytes", reply.StatusCode, body)
			}
		})
	}
}

func TestClientThatDoesNotReadIsDisconnected(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.WriteTimeout = time.Second // long enough to see the request wait
	srv, base, _ := start(t, config, io.Discard)
	conn := wiretest.Dial(t, base)
	fmt.Fprint(conn, "GET /delay/0?size=100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
	wiretest.Eventually(t, "the response is being sent", func() bool { return srv.engine.Journal.Waiting() == 1 })
	wiretest.Eventually(t, "the connection is closed", func() bool { return srv.engine.Journal.Waiting() == 0 })
}
