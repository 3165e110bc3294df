package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

func TestRefused(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	large, over := strings.Repeat("x", 10<<20), strings.Repeat("x", 1<<20+1)
	for _, tc := range []struct {
		name, method, path string
		body               io.Reader
		status             int
		detail             string
	}{
		{"an unknown path", "GET", "/nothing", nil, 404, `nothing is at "/nothing"; accepted: /, /tutorial, /sweep, /get_data, /async_get_data, /race/events`},
		{"a path below", "GET", "/get_data/more", nil, 404, "accepted: /, /tutorial"},
		{"an escaped slash", "GET", "/get_data%2F", nil, 404, "accepted: /, /tutorial"},
		{"a path escaped twice", "GET", "/get%255Fdata", nil, 404, "accepted: /, /tutorial"},
		{"an unknown asset", "GET", "/assets/index.html", nil, 404, "accepted: /"},
		{"a path out of the assets", "GET", "/assets/..%2Fweb.go", nil, 404, "accepted: /"},
		{"another method", "POST", "/get_data", nil, 405, `method "POST" is not accepted at "/get_data"; accepted: `},
		{"an unknown method", "BREW", "/async_get_data/", nil, 405, `method "BREW"`},
		{"a long URL", "GET", "/get_data?x=" + strings.Repeat("x", 8<<10), nil, 414, "accepted: up to 8192"},
		{"a very long URL", "GET", "/" + strings.Repeat("x", 1_000_000), nil, 414, "the URL is 1000001 bytes long"},
		{"a large body", "GET", "/get_data", strings.NewReader(large), 413, "over 1048576 bytes"},
		{"a body one byte too large", "GET", "/get_data", strings.NewReader(over), 413, "over 1048576 bytes"},
		{"a large body of unknown length", "GET", "/get_data", io.MultiReader(strings.NewReader(large)), 413, "over 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.send(t, tc.method, tc.path, nil, tc.body)
			if p := got.problem(t, tc.status); !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("%s %.50s: %s\nwant … %s …", tc.method, tc.path, p.Detail, tc.detail)
			}
			if allow := got.Header.Get("Allow"); tc.status == 405 && (!strings.Contains(allow, "GET") || !strings.Contains(allow, "HEAD")) {
				t.Errorf("Allow: got %q, want GET and HEAD in it", allow)
			}
			if head := got.Header; head.Get("X-Content-Type-Options") != "nosniff" || head.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: got %v, want nosniff and no-store", head)
			}
		})
	}
}

// What no well-behaved client sends: refused, never a failure of the server's.
func TestHostileRequests(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	for _, tc := range []struct{ name, request, status string }{
		{"no path", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		{"a star", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		{"options of a star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		{"a tunnel", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "404"},
		{"an absolute URL", "GET http://elsewhere/get_data HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		{"two slashes", "GET //get_data HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		{"a bad escape in the path", "GET /get_data%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		{"two run ids", "GET /get_data HTTP/1.1\r\nHost: x\r\nX-Run-Id: a\r\nX-Run-Id: b\r\n\r\n", "400"},
		{"a run id with a control character", "GET /get_data HTTP/1.1\r\nHost: x\r\nX-Run-Id: a\x01\r\n\r\n", "400"},
		{"a body that is no chunks", "GET /get_data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
		{"a large body that is only announced", "GET /get_data HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n", "413"},
		{"one that is announced and asked about", "GET /get_data HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\nExpect: 100-continue\r\n\r\n", "413"},
		{"an expectation", "GET /get_data HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", "417"},
		{"a host that is markup", "GET / HTTP/1.1\r\nHost: <b>\r\n\r\n", "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := wiretest.Dial(t, d.Listener.Addr().String())
			conn.Send(tc.request)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if want := "HTTP/1.1 " + tc.status + " "; err != nil || !strings.HasPrefix(line, want) {
				t.Errorf("%q: got %q, %v, want %s", tc.request, line, err, want)
			}
		})
	}
}

// The deadline of a body ends with the body, and not the wait for the answer.
func TestBodyDoesNotEndTheWait(t *testing.T) {
	o := options()
	o.ReadTimeout = 100 * time.Millisecond
	d := serve(t, o, newSlow(t, answered(300*time.Millisecond)).URL)
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			got := <-ask(t.Context(), t, transport(t, http2), d.url+"/async_get_data", strings.NewReader("not used"))
			if took := time.Since(begin); got.err != nil || got.reply.body != `{"r1":200,"r2":200}` || took < 300*time.Millisecond {
				t.Errorf("got %+v after %v, want the answer after 300ms, though READ_TIMEOUT is 100ms", got, took)
			}
		})
	}
}

func TestBodyThatDoesNotCome(t *testing.T) {
	o := options()
	o.ReadTimeout = 100 * time.Millisecond
	d := start(t, o, newSlow(t, answered(0)).URL, time.Minute)
	body, never := io.Pipe()
	defer never.Close()
	got := d.send(t, "GET", "/get_data", nil, body)
	if p := got.problem(t, 408); !strings.Contains(p.Detail, "READ_TIMEOUT") || got.took < o.ReadTimeout {
		t.Errorf("got %s after %v, want it to name READ_TIMEOUT, after %v", p.Detail, got.took, o.ReadTimeout)
	}
}

type panics struct{ server.Upstream }

func (panics) Get(context.Context, upstream.Request) (int, error) { panic("not today") }

// Nobody reads the body of a request that is answered otherwise.
func TestBodyThatDoesNotComeWhereNoneIsRead(t *testing.T) {
	o := options()
	o.ReadTimeout = 100 * time.Millisecond
	d := start(t, o, newSlow(t, answered(0)).URL, time.Minute)
	for path, want := range map[string]int{"/nothing": 404, "/get_data": 405} {
		body, never := io.Pipe()
		defer never.Close()
		d.send(t, "POST", path, nil, body).problem(t, want)
	}
}

func TestPanic(t *testing.T) {
	d := startWith(t, options(), panics{}, nil)
	p := d.get(t, "/get_data").problem(t, 500)
	if strings.Contains(p.Detail, "not today") {
		t.Errorf("detail: %s, want nothing of the inside", p.Detail)
	}
	if log := d.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "not today") || !strings.Contains(log, "guard_test.go") {
		t.Errorf("log: got %q, want an error with the panic and its stack", log)
	}
	if got := d.get(t, "/healthz"); got.StatusCode != http.StatusOK {
		t.Errorf("afterwards: GET /healthz = %d, want 200", got.StatusCode)
	}
}

func TestEscapesOfUnreservedCharactersAreTheCharacters(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	for _, path := range []string{"/get%5Fdata", "/%61sync_get_data/", "/tutori%61l", "/%68ealthz", "/assets/style%2Ecss"} {
		if got := d.get(t, path); got.StatusCode != 200 {
			t.Errorf("GET %s: got %d, want 200", path, got.StatusCode)
		}
	}
}
