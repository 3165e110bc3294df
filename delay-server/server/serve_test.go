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

// logbook is a log that a test reads while the server writes it.
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
		client := newClient(t)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if reply, _ := do(t, client, "GET", base+"/delay/1000", nil); reply.StatusCode != 200 {
					t.Errorf("status %d, want 200", reply.StatusCode)
				}
			})
		}
		wiretest.Eventually(t, "all wait", func() bool { return srv.journal.Waiting() == n })
		stop()
		wg.Wait()
		if got := log.String(); !strings.Contains(got, "draining waiting=200") || !strings.Contains(got, "stopped aborted=0") {
			t.Errorf("the log does not say draining waiting=200 and stopped aborted=0:\n%s", got)
		}
		if reply, err := client.Get(base + "/healthz"); err == nil {
			reply.Body.Close()
			t.Error("a stopped server still accepts")
		}
	})
}

func TestShutdownCutsWhatIsLeftAndSaysHowMany(t *testing.T) {
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
				if reply.StatusCode != 503 || !strings.Contains(body, "shutting down") || !reply.Close {
					t.Errorf("got %d %s, close %v, want 503 and the connection's end", reply.StatusCode, body, reply.Close)
				}
			})
		}
		wiretest.Eventually(t, "all wait", func() bool { return srv.journal.Waiting() == n })
		stop()
		wg.Wait()
		if got := log.String(); !strings.Contains(got, "level=WARN msg=stopped aborted=50") {
			t.Errorf("the log does not say that 50 were cut:\n%s", got)
		}
	})
}

func TestNotReadyWhileDraining(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		client := newClient(t)
		var wg sync.WaitGroup
		wg.Go(func() { do(t, client, "GET", base+"/delay/500", nil) })
		wiretest.Eventually(t, "one waits", func() bool { return srv.journal.Waiting() == 1 })
		wg.Go(stop)
		wiretest.Eventually(t, "it drains", srv.draining.Load)
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "/problems/shutting-down") {
			t.Errorf("GET /readyz while draining: got %d %s, want 503", rec.Code, rec.Body)
		}
		wg.Wait()
	})
}
