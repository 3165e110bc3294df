package wiretest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// outcome records what a helper does to its test.
type outcome struct {
	testing.TB
	got string
}

func (o *outcome) Skipf(format string, args ...any)  { o.got = "skip: " + fmt.Sprintf(format, args...) }
func (o *outcome) Fatalf(format string, args ...any) { o.got = "fail: " + fmt.Sprintf(format, args...) }

func TestRequireClient(t *testing.T) {
	const missing = "install node: no-such-command: exec:"
	for _, tc := range []struct {
		name, command string
		require, ci   string
		want          string // prefix
	}{
		{"installed", "true", "1", "true", ""},
		{"missing", "no-such-command", "", "", "skip: " + missing},
		{"fails", "false", "", "", "skip: install node: false: exit status 1"},
		{"required", "no-such-command", "1", "", "fail: REQUIRE_CLIENTS=1 or CI=true: " + missing},
		{"in CI", "no-such-command", "", "true", "fail: REQUIRE_CLIENTS=1 or CI=true: " + missing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("REQUIRE_CLIENTS", tc.require)
			t.Setenv("CI", tc.ci)
			o := &outcome{TB: t}
			wiretest.RequireClient(o, "node", tc.command)
			if !strings.HasPrefix(o.got, tc.want) || tc.want == "" && o.got != "" {
				t.Errorf("got %q, want %q", o.got, tc.want)
			}
		})
	}
}
