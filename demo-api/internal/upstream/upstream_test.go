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

// client returns a client of a server that answers with handler.
func client(t *testing.T, timeout time.Duration, handler http.HandlerFunc) *upstream.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c := upstream.New(srv.URL, timeout, 10)
	t.Cleanup(c.Close)
	return c
}

func TestStatusWhateverItIs(t *testing.T) {
	for _, tc := range []struct {
		name     string
		status   int
		location string
		body     string
	}{
		{"success", 200, "", `{"status":200}`},
		{"no body", 204, "", ""},
		{"an error of the client's", 404, "", "nothing"},
		{"an error of the server's", 503, "", "busy"},
		{"a status that nobody knows", 599, "", ""},
		{"a redirect is not followed", 302, "/elsewhere", ""},
		{"a redirect to nowhere", 302, "http://[::bad", ""},
		{"a body beyond what is read", 200, "", strings.Repeat("x", 3<<20)},
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

// An answer beyond what is read is ended, not left to be sent to nobody.
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
		{"the tutorial's path", "", "1000", "/delay/1000/"},
		{"a slash at the end of the base", "/", "1000", "/delay/1000/"},
		{"a base with a path", "/flash", "1.5s", "/flash/delay/1.5s/"},
		{"not ASCII", "", "5µs", "/delay/5%C2%B5s/"},
		{"what would be another path", "", "../admin?x=1#y", "/delay/..%2Fadmin%3Fx=1%23y/"},
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
				t.Errorf("Get(%q) asked %s %s, want GET %s", tc.delay, got.Method, got.RequestURI, tc.want)
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

// No request is answered before all have come: they are in flight together.
func TestThousandConnectionsAreReused(t *testing.T) {
	const calls, rounds = 1000, 2
	var (
		come, connections atomic.Int64
		barriers          [rounds]chan struct{}
	)
	for i := range barriers {
		barriers[i] = make(chan struct{})
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := come.Add(1)
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
				if status, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"}); status != 200 || err != nil {
					t.Errorf("round %d: Get = %d, %v, want 200", round, status, err)
				}
			})
		}
		all.Wait()
		if n := connections.Load(); n != calls {
			t.Errorf("after round %d: %d connections in all, want %d", round, n, calls)
		}
	}
}

// The other tests ask 127.0.0.1, which no proxy setting is applied to.
func TestNoProxyFromEnvironment(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	c := upstream.New("http://delay-server.invalid", time.Second, 1)
	defer c.Close()
	status, err := c.Get(t.Context(), upstream.Request{Delay: "0", RunID: "run"})
	if n := asked.Load(); n != 0 {
		t.Errorf("Get = %d, %v, with %d requests at the proxy, want none", status, err, n)
	}
}

func TestLeave(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	c := client(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := c.Get(ctx, upstream.Request{Delay: "1000", RunID: "run"})
	if !errors.Is(err, context.Canceled) || errors.Is(err, upstream.ErrUnreachable) || errors.Is(err, upstream.ErrTooSlow) {
		t.Errorf("Get, cancelled: got %v, want context.Canceled and no failure of the upstream's", err)
	}
	<-ended // the upstream sees it too
}

// A connection that had no request for the time of KeepIdle is closed.
func TestKeepIdle(t *testing.T) {
	for _, tc := range []struct {
		name   string
		keep   time.Duration
		closed bool
	}{
		{"a millisecond", time.Millisecond, true},
		{"an hour, so 90 s", time.Hour, false},
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
					t.Error("the connection is closed, want it kept")
				}
			case <-time.After(wait):
				if tc.closed {
					t.Errorf("the connection is open after %v, want it closed", wait)
				}
			}
		})
	}
}
