package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// served is a Server that serves a listener.
type served struct {
	*server.Server
	url   string
	log   *logBuffer
	stop  func()     // starts the shutdown
	ended chan error // receives the result of Serve
}

// serve serves a Server with the delay-server at slowURL.
func serve(t *testing.T, o server.Options, slowURL string) served {
	t.Helper()
	ln := wiretest.Listen(t)
	client := upstream.New(slowURL, time.Minute, o.MaxCalls)
	s := served{url: "http://" + ln.Addr().String(), log: new(logBuffer), ended: make(chan error, 1)}
	s.Server = server.New(o, client, nil, slog.New(slog.NewTextHandler(s.log, nil)))
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ended <- s.Serve(ctx, ln)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		client.Close()
	})
	return s
}

// transport returns a transport of HTTP/1.1, or of HTTP/2 without TLS.
func transport(t *testing.T, http2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	tr := &http.Transport{Protocols: protocols}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// result is a reply or an error.
type result struct {
	reply reply
	err   error
}

// sendAsync makes a request in another goroutine.
func sendAsync(ctx context.Context, t *testing.T, tr *http.Transport, url string, body io.Reader) <-chan result {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url, body)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan result, 1)
	go func() {
		resp, err := tr.RoundTrip(req)
		if err != nil {
			got <- result{err: err}
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		got <- result{reply{Response: resp, body: line(body)}, err}
	}()
	return got
}

func TestProtocols(t *testing.T) {
	for _, tc := range []struct {
		name  string
		http2 bool
		proto string
	}{{"HTTP/1.1", false, "HTTP/1.1"}, {"HTTP/2 without TLS", true, "HTTP/2.0"}} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n > 2 {
					hang(n, w, r)
				}
			})
			d := serve(t, options(), s.URL)
			tr := transport(t, tc.http2)
			got := <-sendAsync(t.Context(), t, tr, d.url+"/async_get_data", nil)
			if got.err != nil || got.reply.Proto != tc.proto || got.reply.body != `{"r1":200,"r2":200}` {
				t.Errorf("got %+v, want the answer over %s", got, tc.proto)
			}
			ctx, leave := context.WithCancel(t.Context())
			second := sendAsync(ctx, t, tr, d.url+"/async_get_data?calls=5", nil)
			wiretest.Eventually(t, "the calls start", func() bool { return s.received().started == 7 })
			leave()
			if got := <-second; got.err == nil {
				t.Errorf("the request that was cancelled got %+v, want an error", got)
			}
			wiretest.Eventually(t, "its calls are cancelled", func() bool { return s.received().cancelled == 5 })
		})
	}
}

func TestDrain(t *testing.T) {
	release := make(chan struct{})
	s := newFake(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	d := serve(t, options(), s.URL)
	tr := transport(t, false)
	waiting := sendAsync(t.Context(), t, tr, d.url+"/async_get_data", nil)
	wiretest.Eventually(t, "the calls start", func() bool { return s.received().started == 2 })
	if got := ready(d); got.Code != 200 {
		t.Errorf("before the shutdown: GET /readyz = %d, want 200", got.Code)
	}

	d.stop()
	wiretest.Eventually(t, "the listener is closed", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if got := ready(d); got.Code != 503 {
		t.Errorf("during the drain: GET /readyz = %d %s, want 503", got.Code, got.Body)
	}
	select {
	case err := <-d.ended:
		t.Fatalf("Serve returned %v during a request", err)
	default:
	}
	close(release)
	if got := <-waiting; got.err != nil || got.reply.body != `{"r1":200,"r2":200}` {
		t.Errorf("the request in flight got %+v, want its response", got)
	}
	if err := <-d.ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

// ready requests /readyz without the listener, which is closed during the drain.
func ready(d served) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	d.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	return rec
}

func TestShutdownTimeout(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		http2   bool
	}{
		{"after SHUTDOWN_TIMEOUT", 100 * time.Millisecond, false},
		{"at once", 0, false},
		{"HTTP/2", 100 * time.Millisecond, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFake(t, hang)
			o := options()
			o.HTTP.ShutdownTimeout = tc.timeout
			d := serve(t, o, s.URL)
			waiting := sendAsync(t.Context(), t, transport(t, tc.http2), d.url+"/async_get_data", nil)
			wiretest.Eventually(t, "the calls start", func() bool { return s.received().started == 2 })
			start := time.Now()
			d.stop()
			got := <-waiting
			if took := time.Since(start); got.err != nil || took < tc.timeout {
				t.Fatalf("the request in flight got %v after %v, want a 503 after %v", got.err, took, tc.timeout)
			}
			got.reply.problem(t, problem.ShuttingDown)
			if err := <-d.ended; err != nil {
				t.Errorf("Serve = %v, want nil", err)
			}
			wiretest.Eventually(t, "the calls are cancelled", func() bool { return s.received().cancelled == 2 })
			if log := d.log.String(); !strings.Contains(log, "msg=stopped aborted=1") {
				t.Errorf("log: got %q, want the number of requests that were cut", log)
			}
		})
	}
}

func TestServeFails(t *testing.T) {
	ln := wiretest.Listen(t)
	ln.Close()
	err := server.New(options(), panicUpstream{}, nil, slog.New(slog.DiscardHandler)).Serve(t.Context(), ln)
	if err == nil || !strings.HasPrefix(err.Error(), "serve "+ln.Addr().String()+": ") {
		t.Errorf("Serve of a closed listener = %v, want serve %s: …", err, ln.Addr())
	}
}
