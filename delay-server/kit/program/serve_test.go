package program_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/kit/program"
)

// pipes is a listener without sockets, for testing/synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// Each connection has a number, and each request on it but the first reuses it.
func TestConnectionOf(t *testing.T) {
	var numbers atomic.Uint64
	next := func() uint64 { return numbers.Add(1) }
	seen := make(chan string, 10)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unasked" {
			return
		}
		number, reused := program.ConnectionOf(unwrapper{w}, next)
		again, _ := program.ConnectionOf(w, next)
		seen <- fmt.Sprint(number, again, " ", reused)
	})
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(protocol, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error)
			go func() {
				served <- program.HTTP{
					Handler: handler, Log: slog.New(slog.DiscardHandler), Waiting: func() int { return 0 },
					NotReady: func() {}, Draining: func() {}, ShutdownTimeout: time.Second,
				}.Serve(ctx, ln)
			}()
			numbers.Store(0)
			for _, paths := range [][]string{{"/", "/"}, {"/unasked", "/"}} {
				transport := &http.Transport{Protocols: new(http.Protocols)}
				transport.Protocols.SetHTTP1(protocol == "HTTP/1.1")
				transport.Protocols.SetUnencryptedHTTP2(protocol == "HTTP/2")
				for _, path := range paths {
					res, err := (&http.Client{Transport: transport}).Get("http://" + ln.Addr().String() + path)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				transport.CloseIdleConnections()
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
			for _, want := range []string{"1 1 false", "1 1 true", "2 2 true"} {
				if got := <-seen; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	if number, reused := program.ConnectionOf(httptest.NewRecorder(), next); number != 0 || reused {
		t.Errorf("of another server: %d, %v, want 0, false", number, reused)
	}
}

type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// get sends a request over a new connection. It returns 0 if the listener is closed.
func (p *pipes) get(t *testing.T) (status int) {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	select {
	case p.conns <- server:
	case <-p.closed:
		return 0
	}
	if _, err := client.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	reply, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	return reply.StatusCode
}

// shutdown is a server in a synctest bubble whose context is done.
type shutdown struct {
	*pipes
	log               strings.Builder
	ready             bool
	draining, stopped time.Duration // since the context was done
	err               error
	ended             chan struct{}
}

func beginShutdown(t *testing.T, delay time.Duration) *shutdown {
	s := &shutdown{pipes: newPipes(), ready: true, ended: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	start := time.Now()
	srv := program.HTTP{
		Handler:         http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		Log:             slog.New(slog.NewTextHandler(&s.log, nil)),
		ShutdownDelay:   delay,
		ShutdownTimeout: time.Minute,
		Waiting:         func() int { return 3 },
		NotReady:        func() { s.ready = false },
		Draining:        func() { s.draining = time.Since(start) },
		ShutdownCause:   errors.New("shutdown"),
	}
	go func() {
		defer close(s.ended)
		s.err = srv.Serve(ctx, s.pipes)
		s.stopped = time.Since(start)
	}()
	synctest.Wait()
	stop()
	synctest.Wait()
	return s
}

func TestShutdownDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := beginShutdown(t, 5*time.Second)
		time.Sleep(5*time.Second - time.Nanosecond)
		if s.ready || s.get(t) != http.StatusOK {
			t.Errorf("just before the end of SHUTDOWN_DELAY: ready %v, want not ready, and still serving", s.ready)
		}
		<-s.ended
		if s.err != nil || s.draining != 5*time.Second || s.get(t) != 0 {
			t.Errorf("it drained after %v and ended with %v, want 5s and nil", s.draining, s.err)
		}
	})
}

func TestShutdownDelayEndsWhenAcceptingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := beginShutdown(t, time.Hour)
		s.Close()
		<-s.ended
		if !errors.Is(s.err, net.ErrClosed) || s.stopped > time.Minute {
			t.Errorf("it ended after %v with %v, want at once with the listener's error", s.stopped, s.err)
		}
	})
}

func TestDrainingIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := beginShutdown(t, 0)
		<-s.ended
		until := time.Now().Add(time.Minute - s.stopped).Format(time.TimeOnly)
		want := `msg=draining waiting=3 timeout=1m0s until=` + until + ` hint="press Ctrl-C again to quit at once"`
		if got := s.log.String(); !strings.Contains(got, want) {
			t.Errorf("log: got\n%s\nwant %s", got, want)
		}
	})
}
