package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/wiretest"
)

// timing parses Server-Timing, such as "asked;dur=5, waited;dur=5.1" in milliseconds.
func timing(t testing.TB, reply *http.Response) (asked, waited time.Duration) {
	t.Helper()
	var a, w string
	header := reply.Header.Get("Server-Timing")
	if _, err := fmt.Sscanf(header, "asked;dur=%s waited;dur=%s", &a, &w); err != nil {
		t.Fatalf("Server-Timing: %q: %v", header, err)
	}
	read := func(s string) time.Duration {
		d, err := delay.Parse(strings.TrimSuffix(s, ","))
		if err != nil {
			t.Fatalf("Server-Timing: %q: %v", header, err)
		}
		wait, _ := d.Fixed()
		return wait
	}
	return read(a), read(w)
}

func TestAnswersAreNeverEarly(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		for _, tc := range []struct {
			path string
			want time.Duration
		}{
			{"0", 0}, {"0.05", 50 * time.Microsecond}, {"1", time.Millisecond}, {"1.5/", 1500 * time.Microsecond},
			{"7ms", 7 * time.Millisecond}, {"20/url/example.com", 20 * time.Millisecond},
		} {
			for range 20 {
				begin := time.Now()
				reply, _ := do(t, client, "GET", base+"/delay/"+tc.path, nil)
				took := time.Since(begin)
				asked, waited := timing(t, reply)
				if asked != tc.want || waited < asked || took < waited {
					t.Fatalf("GET /delay/%s: asked %v, waited %v, took %v; want %v = asked ≤ waited ≤ took",
						tc.path, asked, waited, took, tc.want)
				}
			}
		}
	})
}

// TestConcurrentDelays checks that 1000 concurrent delays take less than twice as long
// as one. On a busy machine it tries up to three times: a server that delays one
// request for another fails each time.
func TestConcurrentDelays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		newClient func(testing.TB) *http.Client
		eventLoop bool
	}{
		{"HTTP/1.1 EVENT_LOOP=true", newClient, true},
		{"HTTP/1.1 EVENT_LOOP=false", newClient, false},
		{"HTTP/2", newH2CClient, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const n, wait = 1000, 2 * time.Second
			config := DefaultConfig()
			config.EventLoop = tc.eventLoop
			_, base, _ := start(t, config, io.Discard)
			client := tc.newClient(t)
			url := fmt.Sprintf("%s/delay/%d/", base, wait.Milliseconds())
			begin := time.Now()
			do(t, client, "GET", url, nil)
			one := time.Since(begin)
			if one < wait {
				t.Errorf("one request took %v, want at least %v", one, wait)
			}

			for range 3 {
				begin = time.Now()
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						if reply, _ := do(t, client, "GET", url, nil); reply.StatusCode != 200 {
							t.Errorf("status %d", reply.StatusCode)
						}
					})
				}
				wg.Wait()
				all := time.Since(begin)
				t.Logf("one request took %v, %d concurrent requests took %v: %.2f times as long",
					one, n, all, float64(all)/float64(one))
				if all < wait {
					t.Errorf("%d concurrent requests took %v, want at least %v", n, all, wait)
				}
				if all < 2*one {
					return
				}
			}
			t.Errorf("%d concurrent requests took at least twice as long as one, in each of 3 tries", n)
		})
	}
}

func newH2CClient(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestH2C(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		reply, body := do(t, newH2CClient(t), "GET", base+"/delay/5", nil)
		if reply.ProtoMajor != 2 || reply.StatusCode != 200 || !strings.Contains(body, `"5 ms"`) {
			t.Errorf("got %s %d %s, want HTTP/2 200", reply.Proto, reply.StatusCode, body)
		}
	})
}

// TestH2CSplitPreface sends the client preface of HTTP/2 in two parts.
func TestH2CSplitPreface(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		const (
			preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		)
		for at := 1; at < len(preface); at++ {
			conn := wiretest.Dial(t, base)
			fmt.Fprint(conn, preface[:at])
			time.Sleep(time.Millisecond)
			fmt.Fprint(conn, preface[at:]+settings)
			frame := make([]byte, 9)
			if _, err := io.ReadFull(conn, frame); err != nil || frame[3] != 4 {
				t.Errorf("preface split at %d: got %q, %v, want a SETTINGS frame", at, frame, err)
			}
			conn.Close()
		}
	})
}

func TestAllMethodsWaitExceptOptions(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			begin := time.Now()
			reply, body := do(t, client, method, base+"/delay/10", strings.NewReader("a body"))
			took := time.Since(begin)
			want := `{"status":200,"message":"Mock response from Flash","delay":"10 ms"}`
			if method == "HEAD" {
				want = ""
			}
			if reply.StatusCode != 200 || body != want || took < 10*time.Millisecond || reply.ContentLength != 67 {
				t.Errorf("%s: got %d %q, length %d, after %v; want 200 %q, length 67, after at least 10ms",
					method, reply.StatusCode, body, reply.ContentLength, took, want)
			}
		}
		// A delay of ten minutes would time out the test.
		if reply, body := do(t, client, "OPTIONS", base+"/delay/600000", nil); reply.StatusCode != 204 || body != "" {
			t.Errorf("OPTIONS: got %d %q, want 204 at once", reply.StatusCode, body)
		}
	})
}

func TestClientCancelsWait(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		for name, newClient := range clients {
			for method, body := range map[string]string{"GET": "", "POST": "a body"} {
				t.Run(name+" "+method, func(t *testing.T) {
					srv, base, _ := start(t, config, io.Discard)
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error, 1)
					go func() {
						url := base + "/delay/600000"
						req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
						if err != nil {
							done <- err
							return
						}
						_, err = newClient(t).Do(req)
						done <- err
					}()
					wiretest.Eventually(t, "a request waits", func() bool { return srv.engine.Journal.Waiting() == 1 })
					cancel()
					if err := <-done; !errors.Is(err, context.Canceled) {
						t.Fatalf("got %v, want %v", err, context.Canceled)
					}
					wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
					_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
					if !strings.Contains(metrics, `delay_server_waits_total{outcome="client_closed"} 1`) {
						t.Errorf("want client_closed in the metrics, got:\n%s", grep(metrics, "delay_server_waits"))
					}
				})
			}
		}
	})
}

// grep returns the lines of text that contain word.
func grep(text, word string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		config.MaxInFlight = 2
		srv, base, _ := start(t, config, io.Discard)
		srv.engine.Clock.Freeze()
		client := newClient(t)
		var wg sync.WaitGroup
		for range config.MaxInFlight {
			wg.Go(func() {
				if reply, _ := do(t, client, "GET", base+"/delay/1000", nil); reply.StatusCode != 200 {
					t.Errorf("request within the limit: status %d, want 200", reply.StatusCode)
				}
			})
		}
		awaitTimed(t, srv, config.MaxInFlight)
		reply, body := do(t, client, "GET", base+"/delay/0", nil)
		if reply.Header.Get("Retry-After") != "1" || !strings.Contains(body, "/problems/too-many-in-flight") {
			t.Errorf("third request: got %d %s, Retry-After %q, want problem too-many-in-flight, 1",
				reply.StatusCode, body, reply.Header.Get("Retry-After"))
		}
		advance(t, srv, time.Second)
		wg.Wait()
		if reply, _ := do(t, client, "GET", base+"/delay/0", nil); reply.StatusCode != 200 {
			t.Errorf("request after the others: got %d, want 200", reply.StatusCode)
		}
		_, metrics := do(t, client, "GET", base+"/metrics", nil)
		for _, want := range []string{
			`delay_server_waits_total{outcome="answered"} 3`, `delay_server_waits_total{outcome="refused"} 1`,
			"delay_server_waiting 0",
			`delay_server_overshoot_seconds_bucket{le="5e-05"}`, "delay_server_overshoot_seconds_count 3",
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server"))
			}
		}
	})
}

func TestIgnoredParameters(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	var many strings.Builder
	for i := range 30 {
		fmt.Fprintf(&many, "&p%02d=1", i)
	}
	for _, tc := range []struct{ name, query, want string }{
		{"none", "", ""},
		{"cache buster", "?_=17", "_"},
		{"sorted", "?zeta&alpha=1", "alpha, zeta"},
		{"line break", "?a%0d%0aX-Evil:1", `"a\r\nX-Evil:1"`},
		{"comma", "?a%2cb", `"a,b"`},
		{"another script", "?%c3%a9", `"\u00e9"`},
		{"many", "?" + many.String(), "10 more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, _ := do(t, client, "GET", base+"/delay/0"+tc.query, nil)
			got := reply.Header.Get("X-Ignored-Parameters")
			if tc.name == "many" && strings.HasSuffix(got, tc.want) {
				return
			}
			if got != tc.want || reply.Header.Get("X-Evil") != "" {
				t.Errorf("GET /delay/0%s: got %q, want %q", tc.query, got, tc.want)
			}
		})
	}
}

// TestReadTimeoutEndsWithBody checks that a read deadline does not end the wait that
// follows the body.
func TestReadTimeoutEndsWithBody(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.ReadTimeout = time.Second // longer than a busy machine takes to read the body
	_, base, _ := start(t, config, io.Discard)
	reply, _ := do(t, newClient(t), "POST", base+"/delay/2s", strings.NewReader("a body"))
	if reply.StatusCode != 200 {
		t.Errorf("got %d, want 200", reply.StatusCode)
	}
}

func TestBodyTimeout(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.ReadTimeout = time.Second // longer than a busy machine takes to read the header
	_, base, _ := start(t, config, io.Discard)
	conn := wiretest.Dial(t, base)
	fmt.Fprint(conn, "POST /delay/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if reply, body := conn.Receive("POST"); !strings.Contains(body, `"type":"/problems/body-timeout"`) {
		t.Errorf("got %d %s, want problem body-timeout", reply.StatusCode, body)
	}
}

// TestIncompleteBody checks that an incomplete body delays the reply by at most
// READ_TIMEOUT, even on endpoints that ignore the body.
func TestIncompleteBody(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.ReadTimeout = time.Second // longer than a busy machine takes to read the header
	_, base, _ := start(t, config, io.Discard)
	for _, tc := range []struct{ request, want string }{
		{"POST /delay/abc", "400"}, {"POST /delay/0?sise=1", "400"}, {"POST /nothing", "404"}, {"POST /healthz", "405"},
		{"GET /healthz", "200"}, {"OPTIONS /delay/0", "204"}, {"POST /delay/0", "408"},
	} {
		t.Run(tc.request, func(t *testing.T) {
			t.Parallel()
			conn := wiretest.Dial(t, base)
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", tc.request)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tc.want+" ") {
				t.Errorf("%s: got %q, %v, want %s", tc.request, line, err, tc.want)
			}
		})
	}
}
