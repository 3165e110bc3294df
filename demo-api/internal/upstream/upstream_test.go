package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/demo-api/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client of a server with this handler.
func client(t *testing.T, timeout time.Duration, handler http.HandlerFunc) *upstream.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c := upstream.New(srv.URL, timeout, 10)
	t.Cleanup(c.Close)
	return c
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name     string
		status   int
		location string
		body     string
	}{
		{"success", 200, "", `{"status":200}`},
		{"no body", 204, "", ""},
		{"a client error", 404, "", "nothing"},
		{"a server error", 503, "", "busy"},
		{"an unknown status", 599, "", ""},
		{"a redirect is not followed", 302, "/elsewhere", ""},
		{"an invalid redirect", 302, "http://[::bad", ""},
		{"a long body", 200, "", strings.Repeat("x", 3<<20)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var requests atomic.Int64
			c := client(t, 10*time.Second, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if tc.location != "" {
					w.Header().Set("Location", tc.location)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			status, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
			if status != tc.status || err != nil {
				t.Errorf("Get = %d, %v, want %d", status, err, tc.status)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("got %d requests, want 1", n)
			}
		})
	}
}

// The connection of a long response is closed.
func TestEndlessBody(t *testing.T) {
	ended := make(chan struct{})
	c := client(t, 10*time.Second, func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	if status, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"}); status != 200 || err != nil {
		t.Errorf("Get = %d, %v, want 200", status, err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the upstream is still sending after 20s")
	}
}

func TestRequest(t *testing.T) {
	for _, tc := range []struct{ name, base, delay, want string }{
		{"a number", "", "1000", "/delay/1000/"},
		{"a base with a final slash", "/", "1000", "/delay/1000/"},
		{"a base with a path", "/flash", "1.5s", "/flash/delay/1.5s/"},
		{"not ASCII", "", "5µs", "/delay/5%C2%B5s/"},
		{"a path and a query are escaped", "", "../admin?x=1#y", "/delay/..%2Fadmin%3Fx=1%23y/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got *http.Request
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
			defer srv.Close()
			c := upstream.New(srv.URL+tc.base, time.Minute, 1)
			defer c.Close()
			if _, err := c.Get(t.Context(), upstream.Request{Delay: tc.delay, RunID: "tutorial-1"}); err != nil {
				t.Fatalf("Get(%q) = %v", tc.delay, err)
			}
			if got.Method != "GET" || got.RequestURI != tc.want {
				t.Errorf("Get(%q) requested %s %s, want GET %s", tc.delay, got.Method, got.RequestURI, tc.want)
			}
			if id := got.Header.Get("X-Run-Id"); id != "tutorial-1" {
				t.Errorf("X-Run-Id: got %q, want tutorial-1", id)
			}
			if enc := got.Header.Get("Accept-Encoding"); enc != "" {
				t.Errorf("Accept-Encoding: got %q, want none", enc)
			}
		})
	}
}

// Each round of requests is in flight together: a barrier holds them.
func TestThousandConnectionsAreReused(t *testing.T) {
	const calls, rounds = 1000, 2
	var (
		started, connections atomic.Int64
		barriers             [rounds]chan struct{}
	)
	for i := range barriers {
		barriers[i] = make(chan struct{})
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := started.Add(1)
		barrier := barriers[(n-1)/calls]
		if n%calls == 0 {
			close(barrier)
		}
		select {
		case <-barrier:
			_, _ = io.WriteString(w, `{"status":200}`)
		case <-r.Context().Done():
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := upstream.New(srv.URL, time.Minute, calls)
	defer c.Close()

	for round := range rounds {
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				status, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
				if status != 200 || err != nil {
					t.Errorf("round %d: Get = %d, %v, want 200", round, status, err)
				}
			})
		}
		all.Wait()
		if n := connections.Load(); n != calls {
			t.Errorf("after round %d: %d connections, want %d", round, n, calls)
		}
	}
}

// Proxies never apply to 127.0.0.1, the host of the other tests.
func TestNoProxyFromEnvironment(t *testing.T) {
	var requests atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	c := upstream.New("http://delay-server.invalid", time.Second, 1)
	defer c.Close()
	status, err := c.Get(t.Context(), upstream.Request{Delay: "0", RunID: "run"})
	if n := requests.Load(); n != 0 {
		t.Errorf("Get = %d, %v, with %d requests at the proxy, want none", status, err, n)
	}
}

func TestCancel(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	c := client(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := c.Get(ctx, upstream.Request{Delay: "1000", RunID: "run"})
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*upstream.Error)) {
		t.Errorf("Get, cancelled: got %v, want context.Canceled and no *Error", err)
	}
	<-ended // the request too
}

func TestKeepIdle(t *testing.T) {
	for _, tc := range []struct {
		name   string
		keep   time.Duration
		closed bool
	}{
		{"a millisecond", time.Millisecond, true},
		{"an hour, limited to 90 s", time.Hour, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			closed := make(chan struct{})
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					close(closed)
				}
			}
			srv.Start()
			defer srv.Close()
			c := upstream.New(srv.URL, time.Minute, 1)
			c.KeepIdle(tc.keep)
			if _, err := c.Get(t.Context(), upstream.Request{Delay: "0"}); err != nil {
				t.Fatal(err)
			}
			wait := 10 * time.Second
			if !tc.closed {
				wait = 50 * time.Millisecond
			}
			select {
			case <-closed:
				if !tc.closed {
					t.Error("the connection is closed, want it open")
				}
			case <-time.After(wait):
				if tc.closed {
					t.Errorf("the connection is open after %v, want it closed", wait)
				}
			}
		})
	}
}
