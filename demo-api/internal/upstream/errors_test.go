package upstream_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/demo-api/internal/upstream"
)

// peer returns the URL of a listener that reads one request of each connection,
// writes reply and closes it.
func peer(t *testing.T, reply string) string {
	t.Helper()
	return "http://" + wiretest.Serve(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, reply)
	})
}

func untrusted(t *testing.T) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestUnreachable(t *testing.T) {
	const cut = "connection closed before the whole answer came"
	for _, tc := range []struct{ name, base, reason string }{
		{"nobody listens", "http://" + wiretest.ClosedAddr(t), "connection refused"},
		{"closed without an answer", peer(t, ""), cut},
		{"closed within the body", peer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), cut},
		{"another protocol", peer(t, "220 mail.example.com ESMTP\r\n"), "no valid answer"},
		{"TLS asked of what speaks none", strings.Replace(peer(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), "http:", "https:", 1), "it does not speak TLS"},
		{"a certificate of its own", untrusted(t), "its certificate is not trusted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := upstream.New(tc.base, 10*time.Second, 1)
			defer c.Close()
			_, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
			if want := "delay-server cannot be reached: " + tc.base + ": " + tc.reason; err == nil || err.Error() != want {
				t.Errorf("Get = %v\nwant %s", err, want)
			}
			if !errors.Is(err, upstream.ErrUnreachable) || errors.Is(err, upstream.ErrTooSlow) {
				t.Errorf("Get = %v, want ErrUnreachable and not ErrTooSlow", err)
			}
			var detail *upstream.Error
			if !errors.As(err, &detail) || detail.Cause == nil {
				t.Errorf("Get = %#v, want an *Error with its cause", err)
			}
		})
	}
}

func TestTooSlow(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for _, tc := range []struct {
		name  string
		begin func(http.ResponseWriter)
	}{
		{"no answer", func(http.ResponseWriter) {}},
		{"an answer that does not end", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			w.(http.Flusher).Flush()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, timeout, func(w http.ResponseWriter, r *http.Request) {
				tc.begin(w)
				<-r.Context().Done()
			})
			start := time.Now()
			_, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
			if took := time.Since(start); took < timeout {
				t.Errorf("took %v, want the timeout, %v, or more", took, timeout)
			}
			if !errors.Is(err, upstream.ErrTooSlow) || errors.Is(err, upstream.ErrUnreachable) {
				t.Errorf("Get = %v, want ErrTooSlow and not ErrUnreachable", err)
			}
			if err == nil || !strings.HasSuffix(err.Error(), "within 50ms (TIMEOUT)") {
				t.Errorf("Get = %v, want it to say the timeout and its setting", err)
			}
		})
	}
}
