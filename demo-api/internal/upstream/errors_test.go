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

// rawServer returns the URL of a server that reads a request from each connection,
// writes response and closes it.
func rawServer(t *testing.T, response string) string {
	t.Helper()
	return "http://" + wiretest.Serve(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, response)
	})
}

func untrustedServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestUnreachable(t *testing.T) {
	const cut = "connection closed before the end of the response"
	plain := strings.Replace(rawServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), "http:", "https:", 1)
	for _, tc := range []struct{ name, base, reason string }{
		{"a closed port", "http://" + wiretest.ClosedAddr(t), "connection refused"},
		{"no response", rawServer(t, ""), cut},
		{"half a body", rawServer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), cut},
		{"another protocol", rawServer(t, "220 mail.example.com ESMTP\r\n"), "invalid response"},
		{"a server without TLS", plain, "the server does not speak TLS"},
		{"a self-signed certificate", untrustedServer(t), "the certificate is not trusted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := upstream.New(tc.base, 10*time.Second, 1)
			defer c.Close()
			_, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
			want := "delay-server cannot be reached: " + tc.base + ": " + tc.reason
			if !errors.Is(err, upstream.ErrUnreachable) || err.Error() != want {
				t.Errorf("Get = %v\nwant %s", err, want)
			}
			var detail *upstream.Error
			if !errors.As(err, &detail) || detail.Cause == nil {
				t.Errorf("Get = %#v, want an *Error with a cause", err)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for _, tc := range []struct {
		name  string
		start func(http.ResponseWriter)
	}{
		{"no response", func(http.ResponseWriter) {}},
		{"half a response", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			w.(http.Flusher).Flush()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, timeout, func(w http.ResponseWriter, r *http.Request) {
				tc.start(w)
				<-r.Context().Done()
			})
			start := time.Now()
			_, err := c.Get(t.Context(), upstream.Request{Delay: "1000", RunID: "run"})
			if took := time.Since(start); took < timeout {
				t.Errorf("took %v, want the timeout, %v, or more", took, timeout)
			}
			if !errors.Is(err, upstream.ErrTimeout) || !strings.HasSuffix(err.Error(), "within 50ms (TIMEOUT)") {
				t.Errorf("Get = %v, want ErrTimeout with the timeout and its setting", err)
			}
		})
	}
}
