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

func TestFirstAnswering(t *testing.T) {
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
		{"a gateway, where nothing listens on loopback", srv, []string{"127.0.0.2", "127.0.0.1"}, "127.0.0.1"},
		{"neither", srv, []string{"127.0.0.2", "127.0.0.3"}, ""},
		{"a server that is not ready", unready, []string{"127.0.0.1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, port, err := net.SplitHostPort(tc.srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got := firstAnswering(t.Context(), tc.hosts, port); got != tc.want {
				t.Errorf("firstAnswering(%v) = %q, want %q", tc.hosts, got, tc.want)
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
		{"the reaper's image is missing", errors.New("create container: reaper: new reaper: run container: no such host"), "set TESTCONTAINERS_RYUK_DISABLED=true): create"},
		{"the test is over", fmt.Errorf("reaper: %w", context.Canceled), "reaper: context canceled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := advise(t.Context(), "flash-delay-server", tc.err)
			if !errors.Is(got, tc.err) || !strings.Contains(got.Error(), tc.want) {
				t.Errorf("advise(%v) = %v, want it to wrap that and to have %q", tc.err, got, tc.want)
			}
		})
	}
}
