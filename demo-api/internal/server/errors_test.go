package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// failingUpstream is an Upstream whose calls fail with err.
type failingUpstream struct {
	server.Upstream
	err error
}

func (f failingUpstream) Get(context.Context, upstream.Request) (int, error) { return 200, f.err }
func (f failingUpstream) Peak(context.Context, string) (int, error)          { return 1, nil }

// failingWriter is an http.ResponseWriter whose writes fail with err.
type failingWriter struct {
	http.ResponseWriter
	err error
}

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestInternalErrorsAreLogged(t *testing.T) {
	clientGone, leave := context.WithCancel(t.Context())
	leave()
	errDisk := errors.New("no space left on device")
	for _, tc := range []struct {
		name              string
		ctx               context.Context
		callErr, writeErr error
		status            int
		logged            bool
	}{
		{"a call fails", t.Context(), errDisk, nil, 500, true},
		{"a deadline passes", t.Context(), context.DeadlineExceeded, nil, 500, true},
		{"the response fails", t.Context(), nil, errDisk, 200, true},
		{"a broken pipe", t.Context(), nil, syscall.EPIPE, 200, false},
		{"the client left", clientGone, context.Canceled, nil, 499, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, recorder := new(logBuffer), httptest.NewRecorder()
			var w http.ResponseWriter = recorder
			if tc.writeErr != nil {
				w = failingWriter{recorder, tc.writeErr}
			}
			logger := slog.New(slog.NewTextHandler(log, nil))
			calls := failingUpstream{err: tc.callErr}
			handler := server.New(options(), calls, database(t, time.Minute), logger).Handler()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "/get_data?calls=1", nil))
			if recorder.Code != tc.status {
				t.Errorf("status %d, want %d", recorder.Code, tc.status)
			}
			const line = `level=ERROR msg="request failed" method=GET path=/get_data error=`
			if got := log.String(); strings.Contains(got, line) != tc.logged {
				t.Errorf("log: got %q, want an error: %v", got, tc.logged)
			}
		})
	}
}
