package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// kit/httpkit tests the checks; this tests that the server uses them.
func TestRejectedRequests(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	large := strings.NewReader(strings.Repeat("x", httpkit.MaxBody+1))
	for _, tc := range []struct {
		name, method, path string
		body               io.Reader
		want               problem.Type
	}{
		{"an unknown path", "GET", "/nothing", nil, problem.NotFound},
		{"a path below an endpoint", "GET", "/get_data/more", nil, problem.NotFound},
		{"an escaped slash", "GET", "/get_data%2F", nil, problem.NotFound},
		{"a path escaped twice", "GET", "/get%255Fdata", nil, problem.NotFound},
		{"a template is no asset", "GET", "/assets/race.html", nil, problem.NotFound},
		{"a path out of the assets", "GET", "/assets/..%2Fweb.go", nil, problem.NotFound},
		{"an unknown problem", "GET", "/problems/none", nil, problem.NotFound},
		{"another method", "POST", "/get_data", nil, problem.MethodNotAllowed},
		{"an unknown method", "BREW", "/async_get_data/", nil, problem.MethodNotAllowed},
		{"a long URL", "GET", "/get_data?x=" + strings.Repeat("x", httpkit.MaxURL), nil, problem.URLTooLong},
		{"a large body", "GET", "/get_data", large, problem.BodyTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.send(t, tc.method, tc.path, nil, tc.body)
			p := got.problem(t, tc.want)
			if tc.want == problem.NotFound && !strings.Contains(p.Detail, "use /, /tutorial, /sweep, /get_data") {
				t.Errorf("GET %s: %s\nwant it to list the paths", tc.path, p.Detail)
			}
			allow := got.Header.Get("Allow")
			allowsBoth := strings.Contains(allow, "GET") && strings.Contains(allow, "HEAD")
			if tc.want == problem.MethodNotAllowed && !allowsBoth {
				t.Errorf("Allow: got %q, want GET and HEAD in it", allow)
			}
			if h := got.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: got %v, want nosniff and no-store", h)
			}
		})
	}
}

func TestHostileRequests(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"no path", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"a star", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"options of a star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"a tunnel", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 404},
		{"an absolute URL", "GET http://elsewhere/get_data HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"two slashes", "GET //get_data HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"a bad escape in the path", "GET /get_data%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"two run IDs", "GET /get_data HTTP/1.1\r\nHost: x\r\nX-Run-Id: a\r\nX-Run-Id: b\r\n\r\n", 400},
		{"a control character in a header", "GET /get_data HTTP/1.1\r\nHost: x\r\nX-Run-Id: a\x01\r\n\r\n", 400},
		{"a body without chunks", "GET /get_data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"only the length of a large body", "GET /get_data HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n" +
			"Expect: 100-continue\r\n\r\n", 413},
		{"an unknown expectation", "GET /get_data HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417},
		{"markup as host", "GET / HTTP/1.1\r\nHost: <b>\r\n\r\n", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := wiretest.Dial(t, d.URL)
			conn.Send(tc.request)
			if got, body := conn.Receive(http.MethodGet); got.StatusCode != tc.status {
				t.Errorf("%q: got %s %s, want %d", tc.request, got.Status, body, tc.status)
			}
		})
	}
}

// READ_TIMEOUT applies to the body and not to the wait after it.
func TestReadTimeoutDoesNotEndTheWait(t *testing.T) {
	o := options()
	o.HTTP.ReadTimeout = 500 * time.Millisecond // longer than a busy machine takes to read the request
	const wait = time.Second
	d := serve(t, o, newFake(t, respondAfter(wait)).URL)
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			body := strings.NewReader("not used")
			got := <-sendAsync(t.Context(), t, transport(t, http2), d.url+"/async_get_data", body)
			took := time.Since(start)
			if got.err != nil || got.reply.body != `{"r1":200,"r2":200}` || took < wait {
				t.Errorf("got %+v after %v, want the response after %v", got, took, wait)
			}
		})
	}
}

func TestBodyTimeout(t *testing.T) {
	o := options()
	o.HTTP.ReadTimeout = 100 * time.Millisecond
	d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
	for _, tc := range []struct {
		name, method, path string
		want               problem.Type
	}{
		{"a body that is read", "GET", "/get_data", problem.BodyTimeout},
		{"a body that no handler reads", "POST", "/nothing", problem.NotFound},
		{"a body of another method", "POST", "/get_data", problem.MethodNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body, w := io.Pipe()
			defer w.Close()
			got := d.send(t, tc.method, tc.path, nil, body)
			got.problem(t, tc.want)
			if got.took < o.HTTP.ReadTimeout && tc.want == problem.BodyTimeout {
				t.Errorf("%s %s took %v, want %v or more", tc.method, tc.path, got.took, o.HTTP.ReadTimeout)
			}
		})
	}
}

type panicUpstream struct{ server.Upstream }

func (panicUpstream) Get(context.Context, upstream.Request) (int, error) { panic("not today") }

func TestPanic(t *testing.T) {
	d := startWith(t, options(), panicUpstream{}, nil)
	p := d.get(t, "/get_data").problem(t, problem.Internal)
	if strings.Contains(p.Detail, "not today") {
		t.Errorf("detail: %s, want no internal text", p.Detail)
	}
	log := d.log.String()
	for _, want := range []string{"level=ERROR", "not today", "requests_test.go"} {
		if !strings.Contains(log, want) {
			t.Errorf("log: got %q, want %s in it", log, want)
		}
	}
	if got := d.get(t, "/healthz"); got.StatusCode != http.StatusOK {
		t.Errorf("after a panic: GET /healthz = %d, want 200", got.StatusCode)
	}
}

func TestEscapedPaths(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, path := range []string{
		"/get%5Fdata", "/%61sync_get_data/", "/tutori%61l", "/%68ealthz", "/assets/style%2Ecss",
	} {
		if got := d.get(t, path); got.StatusCode != 200 {
			t.Errorf("GET %s: got %d, want 200", path, got.StatusCode)
		}
	}
}
