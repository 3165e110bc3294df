//go:build linux

package fastlane

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delay"
)

var telling = newNames([]string{"X-Run-Id"})

// with returns a plain request but for what stands in the place of its parts.
func with(line, header string) string {
	if line == "" {
		line = "GET /delay/0 HTTP/1.1"
	}
	return line + "\r\n" + header + "Host: a\r\n\r\n"
}

var plain = []struct {
	name, in string
	wait     time.Duration
}{
	{"the least", with("", ""), 0},
	{"curl's", with("GET /delay/1000 HTTP/1.1", "User-Agent: curl/8.5.0\r\nAccept: */*\r\n"), time.Second},
	{"a slash behind", with("GET /delay/1000/ HTTP/1.1", ""), time.Second},
	{"a fraction", with("GET /delay/1.5 HTTP/1.1", ""), 1500 * time.Microsecond},
	{"zeros in front", with("GET /delay/007 HTTP/1.1", ""), 7 * time.Millisecond},
	{"finer than a nanosecond, rounded up", with("GET /delay/0.0000001 HTTP/1.1", ""), 1},
	{"keep-alive", with("", "Connection: Keep-Alive\r\n"), 0},
	{"names in any case", with("", "CONNECTION: keep-alive\r\nACCEPT: */*\r\n"), 0},
	{"no blank behind the colon", with("", "Connection:keep-alive\r\nAccept:*/*\r\n"), 0},
	{"a tab in a value", with("", "A: b\tc\r\n"), 0},
	{"an empty value", with("", "A:\r\n"), 0},
	{"a host with a port", "GET /delay/0 HTTP/1.1\r\nHost: flash.siwalik.in:3000\r\n\r\n", 0},
	{"a host that is an IPv6 address", "GET /delay/0 HTTP/1.1\r\nHost: [::1]\r\n\r\n", 0},
	{"a host that is an IPv6 address with a port", "GET /delay/0 HTTP/1.1\r\nHost: [fe80::1%25eth0]:3000\r\n\r\n", 0},
	{"the last of its connection", with("", "Connection: close\r\n"), 0},
	{"options of its connection in two headers", with("", "Connection: keep-alive\r\nconnection: Close\r\n"), 0},
	{"headers that mean nothing here", with("", "Keep-Alive: 300\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"), 0},
	{"any token as a name", with("", "X.y!#$%&'*+^`|~: a\r\n"), 0},
	{"UTF-8 in a value", with("", "User-Agent: Größe\r\n"), 0},
	{"a name that begins as one that tells", with("", "X-Run-Idea: a\r\n"), 0},
	{"what follows is the next request's", with("", "") + "POST", 0},
}

func TestPlain(t *testing.T) {
	for _, tc := range plain {
		r, n, ok := parse([]byte(tc.in), telling)
		end := strings.Index(tc.in, "\r\n\r\n") + 4
		if !ok || r.wait != tc.wait || n != end {
			t.Errorf("%s: parse(%q) = %v, %d, %v, want %v, %d, true", tc.name, tc.in, r.wait, n, ok, tc.wait, end)
		}
	}
}

var notPlain = []struct{ name, in string }{
	{"nothing", ""},
	{"another path", with("GET / HTTP/1.1", "")},
	{"another method", with("HEAD /delay/0 HTTP/1.1", "")},
	{"a method in small letters", with("get /delay/0 HTTP/1.1", "")},
	{"a distribution", with("GET /delay/random HTTP/1.1", "")},
	{"a duration", with("GET /delay/1s HTTP/1.1", "")},
	{"a negative number", with("GET /delay/-1 HTTP/1.1", "")},
	{"no number", with("GET /delay/ HTTP/1.1", "")},
	{"no digit behind the point", with("GET /delay/1. HTTP/1.1", "")},
	{"more than any clock counts", with("GET /delay/99999999999999 HTTP/1.1", "")},
	{"two slashes behind", with("GET /delay/0// HTTP/1.1", "")},
	{"two slashes in front", with("GET //delay/0 HTTP/1.1", "")},
	{"an escape", with("GET /delay/%30 HTTP/1.1", "")},
	{"a query", with("GET /delay/0? HTTP/1.1", "")},
	{"a fragment", with("GET /delay/0#a HTTP/1.1", "")},
	{"absolute form", with("GET http://a/delay/0 HTTP/1.1", "")},
	{"two blanks", with("GET /delay/0  HTTP/1.1", "")},
	{"HTTP/1.0", with("GET /delay/0 HTTP/1.0", "")},
	{"no version", with("GET /delay/0", "")},
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
	{"eight bits in a name", with("", "\xff: a\r\n")},
	{"no host", "GET /delay/0 HTTP/1.1\r\n\r\n"},
	{"an empty host", "GET /delay/0 HTTP/1.1\r\nHost: \r\n\r\n"},
	{"two hosts", with("", "Host: a\r\n")},
	{"a host that is none", "GET /delay/0 HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{"a list of options of the connection", with("", "Connection: keep-alive, close\r\n")},
	{"a body", with("", "Content-Length: 1\r\n") + "a"},
	{"a body of no length", with("", "content-length: 0\r\n")},
	{"a chunked body", with("", "Transfer-Encoding: chunked\r\n")},
	{"an upgrade", with("", "Upgrade: h2c\r\n")},
	{"an expectation", with("", "Expect: 100-continue\r\n")},
	{"a header that tells", with("", "x-run-id: a\r\n")},
	{"a long header", with("", "A: "+strings.Repeat("a", longest)+"\r\n")},
}

func TestNotPlain(t *testing.T) {
	for _, tc := range notPlain {
		if r, n, ok := parse([]byte(tc.in), telling); ok {
			t.Errorf("%s: parse(%.80q) = %v, %d, true, want it left to net/http", tc.name, tc.in, r.wait, n)
		}
	}
}

// A plain request is none until the last of its bytes has come.
func TestNoBeginningIsPlain(t *testing.T) {
	for _, tc := range plain {
		_, n, _ := parse([]byte(tc.in), telling)
		for i := range n {
			if _, _, ok := parse([]byte(tc.in[:i]), telling); ok {
				t.Errorf("%s: the first %d of %d bytes of %q are taken for a request", tc.name, i, n, tc.in)
			}
		}
	}
}

// FuzzParse holds parse against net/http: what the one takes, the other takes
// for the same request, of as many bytes.
func FuzzParse(f *testing.F) {
	for _, tc := range plain {
		f.Add([]byte(tc.in))
	}
	for _, tc := range notPlain {
		f.Add([]byte(tc.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, ok := parse(b, telling)
		if !ok {
			return
		}
		whole := bytes.NewReader(b)
		from := bufio.NewReader(whole)
		req, err := http.ReadRequest(from)
		if err != nil {
			t.Fatalf("parse takes %q, and net/http refuses it: %v", b, err)
		}
		if read := len(b) - whole.Len() - from.Buffered(); read != n {
			t.Errorf("%q: parse takes %d bytes, and net/http %d", b, n, read)
		}
		if req.Method != "GET" || req.RequestURI != string(r.path) || req.URL.Path != string(r.path) || req.URL.RawQuery != "" || req.Proto != "HTTP/1.1" {
			t.Errorf("%q: parse reads the path %q, and net/http %s %q %s", b, r.path, req.Method, req.RequestURI, req.Proto)
		}
		if req.ContentLength != 0 || req.Close != r.last || len(req.TransferEncoding) > 0 || req.Host == "" {
			t.Errorf("%q: net/http reads a body of %d bytes, close %v, host %q", b, req.ContentLength, req.Close, req.Host)
		}
		if len(req.Header["X-Run-Id"]) > 0 || len(req.Header["Expect"]) > 0 || len(req.Header["Upgrade"]) > 0 {
			t.Errorf("%q: has a header that tells", b)
		}
		text := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/delay/"), "/")
		d, err := delay.Parse(text)
		if wait, fixed := d.Fixed(); err != nil || !fixed || wait != r.wait {
			t.Errorf("%q: parse reads a wait of %v, and delay.Parse %v, %v", b, r.wait, wait, err)
		}
		if _, _, ok := parse(b[:n-1], telling); ok {
			t.Errorf("%q: parse takes it before its last byte has come", b)
		}
	})
}
