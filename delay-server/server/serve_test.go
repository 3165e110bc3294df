package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// A logbook is a log that is safe for concurrent use.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestShutdownLetsWaitingRequestsFinish(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		const n = 200
		var log logbook
		srv, base, stop := start(t, config, &log)
		srv.engine.Clock.Freeze()
		client := newClient(t)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if reply, _ := do(t, client, "GET", base+"/delay/1000", nil); reply.StatusCode != 200 {
					t.Errorf("status %d, want 200", reply.StatusCode)
				}
			})
		}
		awaitTimed(t, srv, n)
		drain(t, base, stop, &wg)
		advance(t, srv, time.Second)
		wg.Wait()
		for _, want := range []string{"draining waiting=200", "stopped aborted=0"} {
			if got := log.String(); !strings.Contains(got, want) {
				t.Errorf("want %q in the log, got:\n%s", want, got)
			}
		}
		if reply, err := client.Get(base + "/healthz"); err == nil {
			reply.Body.Close()
			t.Error("stopped server accepts connections")
		}
	})
}

func TestShutdownTimeout(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		const n = 50
		config.ShutdownTimeout = 100 * time.Millisecond
		var log logbook
		srv, base, stop := start(t, config, &log)
		client := newClient(t)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				reply, body := do(t, client, "GET", base+"/delay/600000", nil)
				if !strings.Contains(body, `"type":"/problems/shutting-down"`) || !reply.Close {
					t.Errorf("got %d %s, close %v, want problem shutting-down, close true",
						reply.StatusCode, body, reply.Close)
				}
			})
		}
		wiretest.Eventually(t, "all requests wait", func() bool { return srv.engine.Journal.Waiting() == n })
		stop()
		wg.Wait()
		if got := log.String(); !strings.Contains(got, "level=WARN msg=stopped aborted=50") {
			t.Errorf("want aborted=50 in the log, got:\n%s", got)
		}
	})
}

func TestNotReadyWhileDraining(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		srv.engine.Clock.Freeze()
		client := newClient(t)
		var wg sync.WaitGroup
		wg.Go(func() { do(t, client, "GET", base+"/delay/500", nil) })
		awaitTimed(t, srv, 1)
		wg.Go(stop)
		wiretest.Eventually(t, "server is draining", srv.draining.Load)
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "/problems/shutting-down") {
			t.Errorf("GET /readyz while draining: got %d %s, want 503", rec.Code, rec.Body)
		}
		advance(t, srv, 500*time.Millisecond)
		wg.Wait()
	})
}
