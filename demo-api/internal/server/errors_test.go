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

// failing is a slow service whose calls end with err.
type failing struct{ err error }

func (f failing) Get(context.Context, upstream.Request) (int, error) { return http.StatusOK, f.err }
func (f failing) Peak(context.Context, string) (int, error)          { return 1, nil }

// closed is a connection whose writes end with err.
type closed struct {
	http.ResponseWriter
	err error
}

func (c closed) Write([]byte) (int, error) { return 0, c.err }

func TestAnErrorOfTheServersOwnIsLogged(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	unknown := errors.New("no space left on device")
	for _, tc := range []struct {
		name        string
		ctx         context.Context
		call, write error
		status      int
		logged      bool
	}{
		{"of a call", t.Context(), unknown, nil, 500, true},
		{"a deadline of its own", t.Context(), context.DeadlineExceeded, nil, 500, true},
		{"of an answer that has begun", t.Context(), nil, unknown, 200, true},
		{"a broken pipe", t.Context(), nil, syscall.EPIPE, 200, false},
		{"the client left", gone, context.Canceled, nil, 499, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, record := new(logged), httptest.NewRecorder()
			var w http.ResponseWriter = record
			if tc.write != nil {
				w = closed{record, tc.write}
			}
			handler := server.New(options(), failing{tc.call}, database(t, time.Minute), slog.New(slog.NewTextHandler(log, nil))).Handler()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "/get_data?calls=1", nil))
			if record.Code != tc.status {
				t.Errorf("status %d, want %d", record.Code, tc.status)
			}
			if got := log.String(); strings.Contains(got, `level=ERROR msg="request failed" method=GET path=/get_data error=`) != tc.logged {
				t.Errorf("log: got %q, want an error with the path: %v", got, tc.logged)
			}
		})
	}
}
