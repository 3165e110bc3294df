package delayserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFirstReady(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer srv.Close()
	unready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer unready.Close()
	for _, tc := range []struct {
		name  string
		srv   *httptest.Server
		hosts []string
		want  string
	}{
		{"loopback", srv, []string{"127.0.0.1", "127.0.0.2"}, "127.0.0.1"},
		{"gateway, nothing on loopback", srv, []string{"127.0.0.2", "127.0.0.1"}, "127.0.0.1"},
		{"no host", srv, []string{"127.0.0.2", "127.0.0.3"}, ""},
		{"server not ready", unready, []string{"127.0.0.1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, port, err := net.SplitHostPort(tc.srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got := firstReady(t.Context(), tc.hosts, port); got != tc.want {
				t.Errorf("firstReady(%v) = %q, want %q", tc.hosts, got, tc.want)
			}
		})
	}
}

func TestAdvise(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"no image of the reaper",
			errors.New("create container: reaper: new reaper: run container: no such host"),
			"testcontainers/ryuk): create"},
		{"context canceled", fmt.Errorf("reaper: %w", context.Canceled), "reaper: context canceled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := advise(t.Context(), "flash-delay-server", tc.err)
			if !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.want) {
				t.Errorf("advise(%v) = %v, want a wrapping error with %q", tc.err, got, tc.want)
			}
		})
	}
}
