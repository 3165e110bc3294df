package program_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flash.test/delay-server/program"
)

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, 0},
		{"the starter's", fmt.Errorf("bad settings:\n%w", program.ErrUsage), 2},
		{"any other", errors.New("no space left"), 1},
	} {
		if got := program.Status(tc.err); got != tc.want {
			t.Errorf("%s: Status(%v) = %d, want %d", tc.name, tc.err, got, tc.want)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	answering := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Errorf("asked for %s, want /healthz", r.URL.Path)
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	well, ill := answering(200), answering(503)
	_, port, _ := strings.Cut(well, ":")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := ln.Addr().String()
	ln.Close()
	for _, tc := range []struct{ name, addr, want string }{
		{"well", well, ""},
		{"well, listening on all of IPv4", "0.0.0.0:" + port, ""},
		{"well, listening on all", ":" + port, ""},
		{"ill", ill, "answered 503 Service Unavailable"},
		{"gone", gone, "connection refused"},
		{"no address", "here", "missing port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must not matter
			err := program.Healthcheck(t.Context(), tc.addr)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Healthcheck(%s) = %v, want %q", tc.addr, err, tc.want)
			}
		})
	}
}
