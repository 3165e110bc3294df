package eventloop

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// with returns a request that is certain but for what stands in the place of its
// parts.
func with(line, header string) string {
	if line == "" {
		line = "GET /delay/0 HTTP/1.1"
	}
	return line + "\r\n" + header + "Host: a\r\n\r\n"
}

// want is a request as parse reads it.
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

func readAs(r *request) want {
	return want{r.Method, r.Path, r.Query, r.RunID, r.Traceparent, r.origin, r.body, r.close}
}

var parsedHeads = []struct {
	name, in string
	want     want
}{
	{"the least", with("", ""), want{}},
	{"curl's", with("", "User-Agent: curl/8.5.0\r\nAccept: */*\r\n"), want{}},
	{"any path", with("GET /status/200,503:2/ HTTP/1.1", ""), want{path: "/status/200,503:2/"}},
	{"an escape", with("GET /delay/%30 HTTP/1.1", ""), want{path: "/delay/%30"}},
	{"two slashes in front", with("GET //delay/0 HTTP/1.1", ""), want{path: "//delay/0"}},
	{"a query", with("GET /delay/0?a=b&c HTTP/1.1", ""), want{query: "a=b&c"}},
	{"an empty query", with("GET /delay/0? HTTP/1.1", ""), want{}},
	{"a question mark in a query", with("GET /delay/0?a?b HTTP/1.1", ""), want{query: "a?b"}},
	{"HEAD", with("HEAD /delay/0 HTTP/1.1", ""), want{method: "HEAD"}},
	{"a method in small letters", with("get /delay/0 HTTP/1.1", ""), want{method: "get"}},
	{"any method", with("DELETE /delay/0 HTTP/1.1", ""), want{method: "DELETE"}},
	{"a run", with("", "x-run-id: a b\r\n"), want{run: "a b"}},
	{"the first of two runs", with("", "X-Run-Id: a\r\nX-Run-Id: b\r\n"), want{run: "a"}},
	{"a trace", with("", "traceparent: 00-1-2-3\r\n"), want{trace: "00-1-2-3"}},
	{"an origin", with("", "Origin: http://a\r\n"), want{origin: "http://a"}},
	{"an empty run is the first of two", with("", "X-Run-Id:\r\nX-Run-Id: a\r\n"), want{}},
	{"an empty origin is the first of two", with("", "Origin:\r\nOrigin: a\r\n"), want{}},
	{"an empty trace is the first of two", with("", "Traceparent:\r\nTraceparent: a\r\n"), want{}},
	{"a body", with("POST /delay/0 HTTP/1.1", "Content-Length: 12\r\n") + "hello, world", want{method: "POST", body: 12}},
	{"a body of no length", with("", "content-length: 0\r\n"), want{}},
	{"a length with zeros in front", with("", "Content-Length: 0012\r\n"), want{body: 12}},
	{"the longest body", with("", "Content-Length: 1048576\r\n"), want{body: maxBody}},
	{"keep-alive", with("", "Connection: Keep-Alive\r\n"), want{}},
	{"names in any case", with("", "CONNECTION: keep-alive\r\nACCEPT: */*\r\n"), want{}},
	{"no blank behind the colon", with("", "Connection:close\r\nAccept:*/*\r\n"), want{close: true}},
	{"blanks and tabs around a value", with("", "X-Run-Id: \t a \t\r\n"), want{run: "a"}},
	{"a tab in a value", with("", "A: b\tc\r\n"), want{}},
	{"an empty value", with("", "A:\r\n"), want{}},
	{"a host with a port", "GET /delay/0 HTTP/1.1\r\nHost: flash.siwalik.in:3000\r\n\r\n", want{}},
	{"a host that is an IPv6 address with a port", "GET /delay/0 HTTP/1.1\r\nHost: [fe80::1%25eth0]:3000\r\n\r\n", want{}},
	{"the last of its connection", with("", "Connection: close\r\n"), want{close: true}},
	{"options of its connection in two headers", with("", "Connection: keep-alive\r\nconnection: Close\r\n"), want{close: true}},
	{"headers that mean nothing here", with("", "Keep-Alive: 300\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"), want{}},
	{"any token as a name", with("", "X.y!#$%&'*+^`|~: a\r\n"), want{}},
	{"UTF-8 in a value", with("", "User-Agent: Größe\r\n"), want{}},
	{"a name that begins as another", with("", "X-Run-Idea: a\r\nOriginal: b\r\nHosts: c\r\n"), want{}},
	{"what follows is the next request's", with("", "") + "POST", want{}},
	{"the longest head", with("", "A: "+strings.Repeat("a", maxHead-len(with("", "A: \r\n")))+"\r\n"), want{}},
}

func TestParsed(t *testing.T) {
	for _, tc := range parsedHeads {
		var r request
		n, is := r.parse([]byte(tc.in))
		end := strings.Index(tc.in, "\r\n\r\n") + 4
		if got, want := readAs(&r), tc.want.orDefault(); is != parsed || n != end || got != want || r.ProtoMajor != 1 {
			t.Errorf("%s: parse(%.80q) = %d, %v, and reads %+v; want %d, certain, %+v", tc.name, tc.in, n, is, got, end, want)
		}
	}
}

var unsupportedHeads = []struct{ name, in string }{
	{"absolute form", with("GET http://a/delay/0 HTTP/1.1", "")},
	{"OPTIONS", with("OPTIONS /delay/0 HTTP/1.1", "")},
	{"OPTIONS of the server", with("OPTIONS * HTTP/1.1", "")},
	{"CONNECT", with("CONNECT a:1 HTTP/1.1", "")},
	{"CONNECT with a path", with("CONNECT /delay/0 HTTP/1.1", "")},
	{"TRACE", with("TRACE /delay/0 HTTP/1.1", "")},
	{"two blanks", with("GET /delay/0  HTTP/1.1", "")},
	{"a blank in front", with(" GET /delay/0 HTTP/1.1", "")},
	{"a method that is none", with("G@T /delay/0 HTTP/1.1", "")},
	{"HTTP/1.0", with("GET /delay/0 HTTP/1.0", "")},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"no version", with("GET /delay/0", "")},
	{"no target", with("GET  HTTP/1.1", "")},
	{"eight bits in the target", with("GET /delay/\xff HTTP/1.1", "")},
	{"a bare LF behind the request line", strings.Replace(with("", ""), "\r\n", "\n", 1)},
	{"bare LFs", strings.ReplaceAll(with("", ""), "\r\n", "\n")},
	{"a bare LF at the end", strings.TrimSuffix(with("", ""), "\r\n") + "\n"},
	{"a bare CR", with("", "A: b\rc\r\n")},
	{"an empty line in front", "\r\n" + with("", "")},
	{"a folded header", with("", "A: b\r\n c\r\n")},
	{"a header without a colon", with("", "A\r\n")},
	{"a header without a name", with("", ": a\r\n")},
	{"a blank before the colon", with("", "A : b\r\n")},
	{"NUL in a value", with("", "A: \x00\r\n")},
	{"DEL in a value", with("", "A: \x7f\r\n")},
	{"eight bits in a name", with("", "\xff: a\r\n")},
	{"no host", "GET /delay/0 HTTP/1.1\r\n\r\n"},
	{"an empty host", "GET /delay/0 HTTP/1.1\r\nHost: \r\n\r\n"},
	{"two hosts", with("", "Host: a\r\n")},
	{"a host that is none", "GET /delay/0 HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{"a list of options of the connection", with("", "Connection: keep-alive, close\r\n")},
	{"another option of the connection", with("", "Connection: upgrade\r\n")},
	{"two lengths", with("", "Content-Length: 1\r\nContent-Length: 1\r\n")},
	{"a list of lengths", with("", "Content-Length: 1, 1\r\n")},
	{"a length with a sign", with("", "Content-Length: +1\r\n")},
	{"an empty length", with("", "Content-Length:\r\n")},
	{"a body that is too long", with("", "Content-Length: 1048577\r\n")},
	{"a length of many digits", with("", "Content-Length: 18446744073709551617\r\n")},
	{"a chunked body", with("", "Transfer-Encoding: chunked\r\n")},
	{"a trailer", with("", "Trailer: A\r\n")},
	{"an upgrade", with("", "Upgrade: h2c\r\n")},
	{"settings of an upgrade", with("", "HTTP2-Settings: a\r\n")},
	{"an expectation", with("", "Expect: 100-continue\r\n")},
	{"a head that is too long", with("", "A: "+strings.Repeat("a", maxHead+1-len(with("", "A: \r\n")))+"\r\n")},
	{"a line that is too long", "GET /" + strings.Repeat("a", maxHead)},
	{"many headers", "GET /delay/0 HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", maxHead/6)},
}

func TestUnsupported(t *testing.T) {
	for _, tc := range unsupportedHeads {
		var r request
		if n, is := r.parse([]byte(tc.in)); is != unsupported || n != 0 {
			t.Errorf("%s: parse(%.80q) = %d, %v, want it left to net/http", tc.name, tc.in, n, is)
		}
	}
}

// A part of a request is incomplete, and what is behind it does not matter: cut
// anywhere, a certain one is incomplete, and another is never certain.
func TestPartsAreIncomplete(t *testing.T) {
	for _, tc := range parsedHeads {
		end := strings.Index(tc.in, "\r\n\r\n") + 4
		for i := range end {
			if n, is := new(request).parse([]byte(tc.in[:i])); is != incomplete || n != 0 {
				t.Fatalf("%s: the first %d of %d bytes are %v, want incomplete", tc.name, i, end, is)
			}
		}
	}
	for _, tc := range unsupportedHeads {
		was := incomplete
		for i := range len(tc.in) {
			switch _, is := new(request).parse([]byte(tc.in[:i])); {
			case is == parsed:
				t.Fatalf("%s: the first %d of %d bytes are certain", tc.name, i, len(tc.in))
			case was == unsupported && is != unsupported:
				t.Fatalf("%s: the first %d bytes are unsupported, and one more makes them incomplete", tc.name, i-1)
			default:
				was = is
			}
		}
	}
}

// A request that is kept while its body comes does not change with the buffer.
func TestACloneIsACopy(t *testing.T) {
	b := []byte(with("POST /delay/0?a HTTP/1.1", "Content-Length: 1\r\nOrigin: http://a\r\n"))
	var r request
	if _, is := r.parse(b); is != parsed {
		t.Fatal(is)
	}
	c := r.clone()
	clear(b)
	if c.Method != "POST" || c.Path != "/delay/0" || c.origin != "http://a" || c.body != 1 {
		t.Errorf("the clone is %+v", c)
	}
}

// FuzzParse holds parse against net/http: what it takes as certain, net/http takes
// as the same request, of as many bytes.
func FuzzParse(f *testing.F) {
	for _, tc := range parsedHeads {
		f.Add([]byte(tc.in))
	}
	for _, tc := range unsupportedHeads {
		f.Add([]byte(tc.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r request
		n, is := r.parse(b)
		if is != parsed {
			if n != 0 {
				t.Errorf("%q: %d bytes are taken of what is not certain", b, n)
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
				return // the server's own look at the path finds that
			}
			t.Fatalf("parse takes %q, and net/http refuses it: %v", b, err)
		}
		if read := len(b) - whole.Len() - from.Buffered(); read != n {
			t.Errorf("%q: parse takes %d bytes, and net/http %d", b, n, read)
		}
		u, err := url.ParseRequestURI(r.Path)
		if err != nil {
			t.Fatalf("%q: net/url refuses the path %q: %v", b, r.Path, err)
		}
		target, _, _ := strings.Cut(req.RequestURI, "?")
		if target != r.Path || req.URL.EscapedPath() != u.EscapedPath() || req.URL.RawQuery != r.Query || req.Method != r.Method || req.Proto != "HTTP/1.1" {
			t.Errorf("%q: parse reads %s %q %q, and net/http %s %q %q %s", b, r.Method, r.Path, r.Query, req.Method, req.URL.EscapedPath(), req.URL.RawQuery, req.Proto)
		}
		if h := req.Header; h.Get("X-Run-Id") != r.RunID || h.Get("Traceparent") != r.Traceparent || h.Get("Origin") != r.origin {
			t.Errorf("%q: parse reads %q %q %q, and net/http %v", b, r.RunID, r.Traceparent, r.origin, h)
		}
		if req.ContentLength != r.body || req.Close != r.close || len(req.TransferEncoding) > 0 || len(req.Trailer) > 0 {
			t.Errorf("%q: parse reads a body of %d, close %v, and net/http of %d, %v, %v, %v", b, r.body, r.close, req.ContentLength, req.Close, req.TransferEncoding, req.Trailer)
		}
		for _, name := range []string{"Expect", "Upgrade", "Http2-Settings"} {
			if len(req.Header[name]) > 0 {
				t.Errorf("%q: has the header %s", b, name)
			}
		}
		// What net/http's server looks at behind ReadRequest.
		if req.Host == "" || !httpguts.ValidHostHeader(req.Host) {
			t.Errorf("%q: the host is %q", b, req.Host)
		}
		for name, values := range req.Header {
			for _, v := range values {
				if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
					t.Errorf("%q: net/http refuses the header %q: %q", b, name, v)
				}
			}
		}
		for _, i := range []int{n - 1, n / 2} {
			if _, is := new(request).parse(b[:i]); is != incomplete {
				t.Errorf("%q: the first %d of %d bytes are %v, want incomplete", b, i, n, is)
			}
		}
	})
}
