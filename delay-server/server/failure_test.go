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

// broken is a connection whose writes fail.
type broken struct {
	*httptest.ResponseRecorder
	err error
}

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// Unknown errors are internal errors, which are logged. Errors of clients that left are
// not.
func TestInternalErrors(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	unknown := errors.New("no space left on device")
	for _, tc := range []struct {
		name, path, outcome string
		ctx                 context.Context
		write               error // of the connection; nil for none
		status              int   // 0 for a closed connection
		logged              string
	}{
		{"nothing sent", "/delay/0?fault=reset", "failed", t.Context(), nil, 500, "feature not supported"},
		{"a deadline of the server", "/delay/1m", "failed", late, nil, 500, "context deadline exceeded"},
		{"headers sent", "/delay/0", "failed", t.Context(), unknown, 0, unknown.Error()},
		{"headers sent, body in parts", "/delay/0?body_delay=1", "failed", t.Context(), unknown, 0, unknown.Error()},
		{"the client left", "/delay/1m", "client_closed", gone, nil, 0, ""},
		{"a broken pipe", "/delay/0?zz", "client_closed", t.Context(), syscall.EPIPE, 0, ""},
		{"a reset", "/delay/0?body_delay=1", "client_closed", t.Context(), syscall.ECONNRESET, 0, ""},
		{"the client did not read", "/delay/0?zz", "client_closed", t.Context(), os.ErrDeadlineExceeded, 0, ""},
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
			r := httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "http://localhost"+tc.path, nil)
			if closed := aborts(srv, w, r); closed != (tc.status == 0) {
				t.Errorf("closed the connection: %v, want %v", closed, tc.status == 0)
			}
			if tc.status != 0 && record.Code != tc.status {
				t.Errorf("status %d, want %d", record.Code, tc.status)
			}
			path, _, _ := strings.Cut(tc.path, "?")
			got, isError := log.String(), tc.logged != ""
			if strings.Contains(got, "level=ERROR") != isError || !strings.Contains(got, tc.logged) {
				t.Errorf("log:\n%s\nwant an error with %q, or none for \"\"", got, tc.logged)
			}
			if isError && !strings.Contains(got, "path="+path) {
				t.Errorf("log:\n%s\nwant path=%s", got, path)
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

// aborts reports whether the handler aborts the connection.
func aborts(srv *Server, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			aborted = true
		} else if p != nil {
			panic(p)
		}
	}()
	srv.Handler().ServeHTTP(w, r)
	return false
}
