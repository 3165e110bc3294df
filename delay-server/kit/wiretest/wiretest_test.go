package wiretest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"flash.test/delay-server/kit/wiretest"
)

func TestConn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path)
	}))
	defer server.Close()

	conn := wiretest.Dial(t, server.URL)
	conn.Send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if r, body := conn.Receive("HEAD"); r.ContentLength != 2 || body != "" {
		t.Errorf("HEAD /a: got %q of length %d, want no body and length 2", body, r.ContentLength)
	}
	if _, body := conn.Receive("GET"); body != "/b" {
		t.Errorf("GET /b: got %q", body)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("after the last response: got %q, %v, want the end", rest, err)
	}
}
