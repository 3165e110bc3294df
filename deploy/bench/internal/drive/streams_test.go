//go:build linux

package drive_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"flash.test/deploy/bench/internal/drive"
)

// h2c serves handler over HTTP/2 without TLS.
func h2c(t *testing.T, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(srv.Listener.Addr().String())
}

func TestStreams(t *testing.T) {
	t.Parallel()
	const asked = 30 * ms
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		early   bool
		want    string // in the first error; "" for none
	}{
		{"in time", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(asked)
			io.WriteString(w, "ok")
		}, false, ""},
		{"early", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }, true, ""},
		{"without a body", func(http.ResponseWriter, *http.Request) { time.Sleep(asked) }, false, ""},
		{"another status", func(w http.ResponseWriter,
			r *http.Request) {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}, false, "status 503"},
		{"a short body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "ok")
		}, false, "body of 2 bytes: want 10"},
		{"an aborted reply", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false,
			"stream reset"},
	} {
		s := drive.Streams{Conns: 2, Each: 20, Asked: asked, Waves: 2, Waiting: func() {}}
		tally, waves, err := s.Run(t.Context(), h2c(t, tc.handler), "/wait")
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if len(waves) != 2 || tally.Answers+tally.Errors != 80 || !contains(tally.FirstError, tc.want) ||
			tc.want != "" && tally.Answers > 0 {
			t.Errorf("%s: %d waves, %d answers, %d errors (%s); want 2 of 40 in all, with error %q", tc.name,
				len(waves), tally.Answers, tally.Errors, tally.FirstError, tc.want)
		}
		if tc.early != (tally.Early > 0) || tc.early && tally.Early != tally.Answers {
			t.Errorf("%s: %d of %d answers early", tc.name, tally.Early, tally.Answers)
		}
	}
}

func TestStreamsNeedHTTP2(t *testing.T) {
	t.Parallel()
	s := drive.Streams{Conns: 1, Each: 1, Waves: 1, Waiting: func() {}}
	if _, _, err := s.Run(t.Context(), after(t, 0), "/wait"); err == nil {
		t.Error("Streams of a server without HTTP/2: no error")
	}
	addr := h2c(t, func(http.ResponseWriter, *http.Request) {})
	s.Each = 1000
	if _, _, err := s.Run(t.Context(), addr, "/wait"); err == nil || !strings.Contains(err.Error(), "want 1000") {
		t.Errorf("Streams of a server that allows 250 a connection: %v", err)
	}
}
