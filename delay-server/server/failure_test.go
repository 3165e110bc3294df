package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// broken is a connection that takes no body.
type broken struct {
	*httptest.ResponseRecorder
	err error
}

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// An error that nobody knows is the server's own: a client that left is no excuse for it.
func TestAnErrorOfTheServersOwnIsAFailure(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	unknown := errors.New("no space left on device")
	for _, tc := range []struct {
		name, path, outcome string
		ctx                 context.Context
		write               error // nil for a connection that works
		status              int   // 0 for a connection that is ended
		logged              string
	}{
		{"nothing sent", "/delay/0?fault=reset", "failed", t.Context(), nil, 500, "feature not supported"},
		{"a cause of its own", "/delay/1m", "failed", late, nil, 500, "context deadline exceeded"},
		{"the headers sent", "/delay/0", "failed", t.Context(), unknown, 0, unknown.Error()},
		{"the headers sent, in parts", "/delay/0?body_delay=1", "failed", t.Context(), unknown, 0, unknown.Error()},
		{"the client left", "/delay/1m", "client_closed", gone, nil, 0, ""},
		{"a broken pipe", "/delay/0?zz", "client_closed", t.Context(), syscall.EPIPE, 0, ""},
		{"a reset", "/delay/0?body_delay=1", "client_closed", t.Context(), syscall.ECONNRESET, 0, ""},
		{"it did not read", "/delay/0?zz", "client_closed", t.Context(), os.ErrDeadlineExceeded, 0, ""},
		{"a page", "/doc", "", t.Context(), unknown, 0, unknown.Error()},
		{"a page, the client left", "/doc", "", t.Context(), syscall.EPIPE, 0, ""},
		{"the admin API", "/admin/runs", "", t.Context(), unknown, 0, unknown.Error()},
		{"the admin API, waiting", "/admin/runs/r?waiting=1", "", late, nil, 500, "context deadline exceeded"},
		{"the admin API, the client left", "/admin/runs/r?waiting=1", "", gone, nil, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log logbook
			srv, err := New(DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			record := httptest.NewRecorder()
			var w http.ResponseWriter = record
			if tc.write != nil {
				w = broken{record, tc.write}
			}
			if ended := ends(srv, w, httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "http://localhost"+tc.path, nil)); ended != (tc.status == 0) {
				t.Errorf("ended the connection: %v, want %v", ended, tc.status == 0)
			}
			if tc.status != 0 && record.Code != tc.status {
				t.Errorf("status %d, want %d", record.Code, tc.status)
			}
			path, _, _ := strings.Cut(tc.path, "?")
			if got := log.String(); strings.Contains(got, "level=ERROR") != (tc.logged != "") || !strings.Contains(got, tc.logged) || tc.logged != "" && !strings.Contains(got, "path="+path) {
				t.Errorf("log:\n%s\nwant an error with path=%s and %q, or none for \"\"", got, path, tc.logged)
			}
			if tc.outcome == "" {
				return
			}
			metrics := httptest.NewRecorder()
			srv.Handler().ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
			if want := `waits_total{outcome="` + tc.outcome + `"} 1`; !strings.Contains(metrics.Body.String(), want) {
				t.Errorf("metrics:\n%s\nwant %s", grep(metrics.Body.String(), "waits_total"), want)
			}
		})
	}
}

// ends reports whether the server ends the connection.
func ends(srv *Server, w http.ResponseWriter, r *http.Request) (ended bool) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			ended = true
		} else if p != nil {
			panic(p)
		}
	}()
	srv.Handler().ServeHTTP(w, r)
	return false
}
