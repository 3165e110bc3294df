package delayserver

import (
	"net"
	"net/http"
	"net/http/httptest"
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
