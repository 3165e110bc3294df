package eventloop

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/journal"
)

// reqHead returns the head of a request with this request line, GET /delay/0 by default,
// this header, and Host.
func reqHead(line, header string) string {
	if line == "" {
		line = "GET /delay/0 HTTP/1.1"
	}
	return line + "\r\n" + header + "Host: a\r\n\r\n"
}

// want has the fields of a parsed request.
type want struct {
	method, path, query, run, trace, origin string
	body                                    int64
	close                                   bool
}

func (w want) orDefault() want {
	if w.method == "" {
		w.method = "GET"
	}
	if w.path == "" {
		w.path = "/delay/0"
	}
	return w
}

func fieldsOf(r *request) want {
	return want{r.Method, r.Path, r.Query, r.RunID, r.Traceparent, r.origin, r.body, r.close}
}

var parsedHeads = []struct {
	name, in string
	want     want
}{
	{"minimal", reqHead("", ""), want{}},
	{"of curl", reqHead("", "User-Agent: curl/8.5.0\r\nAccept: */*\r\n"), want{}},
	{"any path", reqHead("GET /status/200,503:2/ HTTP/1.1", ""), want{path: "/status/200,503:2/"}},
	{"a percent-encoded path", reqHead("GET /delay/%30 HTTP/1.1", ""), want{path: "/delay/%30"}},
	{"two leading slashes", reqHead("GET //delay/0 HTTP/1.1", ""), want{path: "//delay/0"}},
	{"a query", reqHead("GET /delay/0?a=b&c HTTP/1.1", ""), want{query: "a=b&c"}},
	{"an empty query", reqHead("GET /delay/0? HTTP/1.1", ""), want{}},
	{"a question mark in a query", reqHead("GET /delay/0?a?b HTTP/1.1", ""), want{query: "a?b"}},
	{"HEAD", reqHead("HEAD /delay/0 HTTP/1.1", ""), want{method: "HEAD"}},
	{"a lower-case method", reqHead("get /delay/0 HTTP/1.1", ""), want{method: "get"}},
	{"any method", reqHead("DELETE /delay/0 HTTP/1.1", ""), want{method: "DELETE"}},
	{"a run", reqHead("", "x-run-id: a b\r\n"), want{run: "a b"}},
	{"the first of two runs", reqHead("", "X-Run-Id: a\r\nX-Run-Id: b\r\n"), want{run: "a"}},
	{"a trace", reqHead("", "traceparent: 00-1-2-3\r\n"), want{trace: "00-1-2-3"}},
	{"an origin", reqHead("", "Origin: http://a\r\n"), want{origin: "http://a"}},
	{"an empty run is the first of two", reqHead("", "X-Run-Id:\r\nX-Run-Id: a\r\n"), want{}},
	{"an empty origin is the first of two", reqHead("", "Origin:\r\nOrigin: a\r\n"), want{}},
	{"an empty trace is the first of two", reqHead("", "Traceparent:\r\nTraceparent: a\r\n"), want{}},
	{"a body", reqHead("POST /delay/0 HTTP/1.1", "Content-Length: 12\r\n") + "hello, world",
		want{method: "POST", body: 12}},
	{"an empty body", reqHead("", "content-length: 0\r\n"), want{}},
	{"a length with leading zeros", reqHead("", "Content-Length: 0012\r\n"), want{body: 12}},
	{"the longest body", reqHead("", "Content-Length: 1048576\r\n"), want{body: maxBody}},
	{"keep-alive", reqHead("", "Connection: Keep-Alive\r\n"), want{}},
	{"names in any case", reqHead("", "CONNECTION: keep-alive\r\nACCEPT: */*\r\n"), want{}},
	{"no space after the colon", reqHead("", "Connection:close\r\nAccept:*/*\r\n"), want{close: true}},
	{"spaces and tabs around a value", reqHead("", "X-Run-Id: \t a \t\r\n"), want{run: "a"}},
	{"a tab in a value", reqHead("", "A: b\tc\r\n"), want{}},
	{"an empty value", reqHead("", "A:\r\n"), want{}},
	{"a host with a port", "GET /delay/0 HTTP/1.1\r\nHost: flash.siwalik.in:3000\r\n\r\n", want{}},
	{"an IPv6 host with a port", "GET /delay/0 HTTP/1.1\r\nHost: [fe80::1%25eth0]:3000\r\n\r\n", want{}},
	{"the last request of its connection", reqHead("", "Connection: close\r\n"), want{close: true}},
	{"two Connection headers", reqHead("", "Connection: keep-alive\r\nconnection: Close\r\n"), want{close: true}},
	{"ignored headers", reqHead("", "Keep-Alive: 300\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"), want{}},
	{"any token as a name", reqHead("", "X.y!#$%&'*+^`|~: a\r\n"), want{}},
	{"UTF-8 in a value", reqHead("", "User-Agent: Größe\r\n"), want{}},
	{"names that start like others", reqHead("", "X-Run-Idea: a\r\nOriginal: b\r\nHosts: c\r\n"), want{}},
	{"part of the next request", reqHead("", "") + "POST", want{}},
	{"the longest head", reqHead("", "A: "+strings.Repeat("a", maxHead-len(reqHead("", "A: \r\n")))+"\r\n"), want{}},
}

func TestParsed(t *testing.T) {
	for _, tc := range parsedHeads {
		var r request
		n, result := r.parse([]byte(tc.in))
		end := strings.Index(tc.in, "\r\n\r\n") + 4
		got, want := fieldsOf(&r), tc.want.orDefault()
		if result != parsed || n != end || got != want || r.ProtoMajor != 1 {
			t.Errorf("%s: parse(%.80q) = %d, %v, and %+v; want %d, parsed, %+v",
				tc.name, tc.in, n, result, got, end, want)
		}
	}
}

// TestParseFillsPlanRequest checks that parse sets every field of plan.Request, as the
// reader of net/http's requests must too (package httpflow). A new field that plans
// depend on fails it until parse reads it.
func TestParseFillsPlanRequest(t *testing.T) {
	var r request
	head := reqHead("GET /delay/0?size=1 HTTP/1.1", "X-Run-Id: a\r\nTraceparent: b\r\n")
	if _, result := r.parse([]byte(head)); result != parsed {
		t.Fatalf("parse = %v, want parsed", result)
	}
	for f, v := range reflect.ValueOf(r.Request).Fields() {
		if v.IsZero() && f.Name != "Client" { // the connection knows it
			t.Errorf("plan.Request.%s is not set", f.Name)
		}
	}
}

var unsupportedHeads = []struct{ name, in string }{
	{"absolute form", reqHead("GET http://a/delay/0 HTTP/1.1", "")},
	{"OPTIONS", reqHead("OPTIONS /delay/0 HTTP/1.1", "")},
	{"OPTIONS *", reqHead("OPTIONS * HTTP/1.1", "")},
	{"CONNECT", reqHead("CONNECT a:1 HTTP/1.1", "")},
	{"CONNECT with a path", reqHead("CONNECT /delay/0 HTTP/1.1", "")},
	{"TRACE", reqHead("TRACE /delay/0 HTTP/1.1", "")},
	{"two spaces", reqHead("GET /delay/0  HTTP/1.1", "")},
	{"a leading space", reqHead(" GET /delay/0 HTTP/1.1", "")},
	{"an invalid method", reqHead("G@T /delay/0 HTTP/1.1", "")},
	{"HTTP/1.0", reqHead("GET /delay/0 HTTP/1.0", "")},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"no version", reqHead("GET /delay/0", "")},
	{"no target", reqHead("GET  HTTP/1.1", "")},
	{"a byte over 0x7f in the target", reqHead("GET /delay/\xff HTTP/1.1", "")},
	{"a bare LF after the request line", strings.Replace(reqHead("", ""), "\r\n", "\n", 1)},
	{"bare LFs", strings.ReplaceAll(reqHead("", ""), "\r\n", "\n")},
	{"a bare LF at the end", strings.TrimSuffix(reqHead("", ""), "\r\n") + "\n"},
	{"a bare CR", reqHead("", "A: b\rc\r\n")},
	{"a leading empty line", "\r\n" + reqHead("", "")},
	{"a folded header", reqHead("", "A: b\r\n c\r\n")},
	{"a header without a colon", reqHead("", "A\r\n")},
	{"a header without a name", reqHead("", ": a\r\n")},
	{"a space before the colon", reqHead("", "A : b\r\n")},
	{"NUL in a value", reqHead("", "A: \x00\r\n")},
	{"DEL in a value", reqHead("", "A: \x7f\r\n")},
	{"a byte over 0x7f in a name", reqHead("", "\xff: a\r\n")},
	{"no host", "GET /delay/0 HTTP/1.1\r\n\r\n"},
	{"an empty host", "GET /delay/0 HTTP/1.1\r\nHost: \r\n\r\n"},
	{"two hosts", reqHead("", "Host: a\r\n")},
	{"an invalid host", "GET /delay/0 HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{"a list of connection options", reqHead("", "Connection: keep-alive, close\r\n")},
	{"another connection option", reqHead("", "Connection: upgrade\r\n")},
	{"two lengths", reqHead("", "Content-Length: 1\r\nContent-Length: 1\r\n")},
	{"a list of lengths", reqHead("", "Content-Length: 1, 1\r\n")},
	{"a length with a sign", reqHead("", "Content-Length: +1\r\n")},
	{"an empty length", reqHead("", "Content-Length:\r\n")},
	{"a body that is too large", reqHead("", "Content-Length: 1048577\r\n")},
	{"a length with many digits", reqHead("", "Content-Length: 18446744073709551617\r\n")},
	{"a chunked body", reqHead("", "Transfer-Encoding: chunked\r\n")},
	{"a trailer", reqHead("", "Trailer: A\r\n")},
	{"an upgrade", reqHead("", "Upgrade: h2c\r\n")},
	{"settings of an HTTP/2 upgrade", reqHead("", "HTTP2-Settings: a\r\n")},
	{"an expectation", reqHead("", "Expect: 100-continue\r\n")},
	{"a head that is too long", reqHead("", "A: "+strings.Repeat("a", maxHead+1-len(reqHead("", "A: \r\n")))+"\r\n")},
	{"a line that is too long", "GET /" + strings.Repeat("a", maxHead)},
	{"many headers", "GET /delay/0 HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", maxHead/6)},
}

func TestUnsupported(t *testing.T) {
	for _, tc := range unsupportedHeads {
		var r request
		if n, result := r.parse([]byte(tc.in)); result != unsupported || n != 0 {
			t.Errorf("%s: parse(%.80q) = %d, %v, want unsupported", tc.name, tc.in, n, result)
		}
	}
}

// A prefix of a supported head is incomplete. A prefix of an unsupported head is never
// parsed, and once it is unsupported it stays so.
func TestPrefixesAreIncomplete(t *testing.T) {
	for _, tc := range parsedHeads {
		end := strings.Index(tc.in, "\r\n\r\n") + 4
		for i := range end {
			if n, result := new(request).parse([]byte(tc.in[:i])); result != incomplete || n != 0 {
				t.Fatalf("%s: the first %d of %d bytes are %v, want incomplete", tc.name, i, end, result)
			}
		}
	}
	for _, tc := range unsupportedHeads {
		was := incomplete
		for i := range len(tc.in) {
			switch _, result := new(request).parse([]byte(tc.in[:i])); {
			case result == parsed:
				t.Fatalf("%s: the first %d of %d bytes are parsed", tc.name, i, len(tc.in))
			case was == unsupported && result != unsupported:
				t.Fatalf("%s: the first %d bytes are unsupported, but incomplete with one more", tc.name, i-1)
			default:
				was = result
			}
		}
	}
}

// A clone does not change with the read buffer. It has a query and the header fields that
// the journal records only if it is of a run.
func TestCloneIsACopy(t *testing.T) {
	e := &flow.Engine{Journal: journal.New(1, time.Now, nil)}
	e.Journal.Headers = []string{"Accept", "X-A", "X-B"}
	for _, run := range []string{"", "r"} {
		b := []byte(reqHead("POST /delay/0?a HTTP/1.1",
			"Content-Length: 1\r\nOrigin: http://a\r\nx-a: \t1 \r\nX-C: 2\r\n"))
		var r request
		if _, result := r.parse(b); result != parsed {
			t.Fatal(result)
		}
		r.planned.Run = run
		c := r.clone(e)
		clear(b)
		if c.Method != "POST" || c.Path != "/delay/0" || c.origin != "http://a" || c.body != 1 {
			t.Errorf("the clone is %+v", c)
		}
		if run == "" {
			if c.Query != "" || c.Headers != nil {
				t.Errorf("without a run, the clone has the query %q and the header %v", c.Query, c.Headers)
			}
			continue
		}
		got := []string{c.Query, c.Headers.Get("X-A"), c.Headers.Get("X-B"), c.Headers.Get("X-C")}
		if want := []string{"a", "1", "", ""}; !slices.Equal(got, want) {
			t.Errorf("the clone's query, X-A, X-B and X-C are %q, want %q", got, want)
		}
	}
}

// Get returns what http.Header's Get does.
func TestHeaderValues(t *testing.T) {
	head := reqHead("", "A:1\r\na: 2\r\nX-B: \t \xc2\xa0 b \xc2\xa0 \r\nEmpty:\r\nX-b: c\r\n")
	var r request
	if _, result := r.parse([]byte(head)); result != parsed {
		t.Fatal(result)
	}
	std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "X-B", "Empty", "Missing", "Host", "B", ""} {
		if got, want := r.Get(name), std.Header.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q as net/http", name, got, want)
		}
	}
}

// FuzzParse compares parse with net/http, which must parse the same request from the
// same number of bytes.
func FuzzParse(f *testing.F) {
	for _, tc := range parsedHeads {
		f.Add([]byte(tc.in))
	}
	for _, tc := range unsupportedHeads {
		f.Add([]byte(tc.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		n, result := r.parse(b)
		if result != parsed {
			if n != 0 {
				t.Errorf("%q: parse returns length %d for a head that it did not parse", b, n)
			}
			return
		}
		if n > maxHead || r.body > maxBody {
			t.Errorf("%q: a head of %d bytes, a body of %d", b, n, r.body)
		}
		whole := bytes.NewReader(b)
		from := bufio.NewReader(whole)
		req, err := http.ReadRequest(from)
		if err != nil {
			if _, errPath := url.ParseRequestURI(r.Path); errPath != nil {
				return // the server checks the path
			}
			t.Fatalf("parse accepts %q, but net/http rejects it: %v", b, err)
		}
		if read := len(b) - whole.Len() - from.Buffered(); read != n {
			t.Errorf("%q: parse reads %d bytes, net/http %d", b, n, read)
		}
		u, err := url.ParseRequestURI(r.Path)
		if err != nil {
			t.Fatalf("%q: net/url rejects the path %q: %v", b, r.Path, err)
		}
		target, _, _ := strings.Cut(req.RequestURI, "?")
		if target != r.Path || req.URL.EscapedPath() != u.EscapedPath() || req.URL.RawQuery != r.Query {
			t.Errorf("%q: parse reads %q %q, net/http %q %q",
				b, r.Path, r.Query, req.URL.EscapedPath(), req.URL.RawQuery)
		}
		if req.Method != r.Method || req.Proto != "HTTP/1.1" {
			t.Errorf("%q: parse reads %s, net/http %s %s", b, r.Method, req.Method, req.Proto)
		}
		h := req.Header
		for name := range h {
			if got, want := r.Get(name), h.Get(name); got != want {
				t.Errorf("%q: Get(%q) is %q, net/http's %q", b, name, got, want)
			}
		}
		if h.Get("X-Run-Id") != r.RunID || h.Get("Traceparent") != r.Traceparent || h.Get("Origin") != r.origin {
			t.Errorf("%q: parse reads %q %q %q, net/http %v", b, r.RunID, r.Traceparent, r.origin, h)
		}
		if req.ContentLength != r.body || req.Close != r.close {
			t.Errorf("%q: parse reads length %d, close %v; net/http %d, %v",
				b, r.body, r.close, req.ContentLength, req.Close)
		}
		if len(req.TransferEncoding) > 0 || len(req.Trailer) > 0 {
			t.Errorf("%q: net/http reads encoding %v, trailer %v", b, req.TransferEncoding, req.Trailer)
		}
		for _, name := range []string{"Expect", "Upgrade", "Http2-Settings"} {
			if len(req.Header[name]) > 0 {
				t.Errorf("%q: has the header %s", b, name)
			}
		}
		// net/http's server checks these after ReadRequest.
		if req.Host == "" || !httpguts.ValidHostHeader(req.Host) {
			t.Errorf("%q: the host is %q", b, req.Host)
		}
		for name, values := range req.Header {
			for _, v := range values {
				if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
					t.Errorf("%q: net/http rejects the header %q: %q", b, name, v)
				}
			}
		}
		for _, i := range []int{n - 1, n / 2} {
			if _, result := new(request).parse(b[:i]); result != incomplete {
				t.Errorf("%q: the first %d of %d bytes are %v, want incomplete", b, i, n, result)
			}
		}
	})
}
