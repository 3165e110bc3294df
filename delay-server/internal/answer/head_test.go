package answer_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"math/rand/v2"
	"reflect"
)

// headers are headers of a response.
var headers = []struct {
	name   string
	header http.Header
}{
	{"none", http.Header{"Content-Type": {answer.Text}}},
	{"the server's", http.Header{"Content-Type": {answer.JSON}, "Access-Control-Allow-Origin": {"*"},
		"Timing-Allow-Origin": {"*"}, "X-Content-Type-Options": {"nosniff"}}},
	{"around each gap", http.Header{
		"Content-Type": {answer.Text}, "Content-Language": {"en"}, "Content-Lengti": {"1"}, "Content-Length-": {"2"},
		"Server": {"x"}, "Server-Timin": {"3"}, "Server-Timing-": {"4"},
		"Connectio": {"5"}, "Connection-A": {"6"}, "Content-Range": {"bytes 0-4/5"}, "Zz": {"7"}, "!": {"8"},
		"~": {"9"},
	}},
	{"many values", http.Header{
		"Content-Type": {answer.Text}, "Set-Cookie": {"a=b", "c=d", "a=b"}, "Vary": {"Origin", "Accept"},
		"Server-Timing": {"db;dur=3", "cache"}, "X-Empty": {""}, "X-None": nil,
	}},
	{"invalid names and values", http.Header{"Content-Type": {answer.Text}, "X-A": {" a ", "b\r\nc"}, "no name": {"d"},
		"": {"e"}}},
	{"names of the gaps in values", http.Header{"Content-Type": {answer.Text},
		"A": {"Content-Length: 1", "Server-Timing: x", "Connection: close"}}},
	{"a date", http.Header{"Content-Type": {answer.Text}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}},
	{"an upgrade", http.Header{"Content-Type": {answer.Text}, "Connection": {"Upgrade"}, "Upgrade": {"HTTP/2.0"}}},
}

// A head is byte for byte the same as net/http's.
func TestHeadIsAsNetHTTPWritesIt(t *testing.T) {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w,
			r)
	}))
	defer server.Close()
	timing := &answer.Timing{Asked: time.Second, Queued: answer.Omitted, Held: answer.Omitted,
		Waited: 1000210 * time.Microsecond, Real: answer.Omitted}
	for i, status := range []int{200, 204, 205, 206, 299, 304, 404, 418, 426, 503, 599} {
		for j, h := range headers {
			for k, length := range []int64{0, 5, -1} {
				timing := []*answer.Timing{nil, timing}[(i+j+k)%2]
				head := answer.NewHead(status, h.header)
				for _, method := range []string{"GET", "HEAD"} {
					for _, close := range []bool{false, true} {
						length := length
						if method == "HEAD" && length < 0 {
							length = answer.NoLength
						}
						got := string(head.Append([]byte("<"), length, timing, []byte("DATE"), close))
						handler = set(h.header, status, length, timing)
						if close {
							handler = copied(head, length, timing)
						}
						want := "<" + rawHead(t, server.Listener.Addr(), method, close)
						if h.header["Date"] == nil {
							want = dateLine.ReplaceAllString(want, "\nDate: DATE\r")
						}
						if got != want {
							t.Errorf("%s %d, header %s, length %d, timing %v, close %v: got\n%s\nwant\n%s", method,
								status, h.name, length, timing != nil, close, got, want)
						}
					}
				}
			}
		}
	}
}

// A head with added fields is the same as a new head of all fields.
func TestHeadWith(t *testing.T) {
	timing := &answer.Timing{Waited: time.Second}
	names := []string{"A", "Content-Language", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
	for _, h := range headers {
		head, all := answer.NewHead(200, h.header), h.header.Clone()
		before := string(head.Append(nil, 5, timing, []byte("DATE"), false))
		var fields []answer.Field
		for _, name := range names {
			if _, has := h.header[http.CanonicalHeaderKey(name)]; !has {
				fields = append(fields, answer.Field{Name: name, Value: "of " + name})
				all.Set(name, "of "+name)
			}
		}
		rand.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		added, fresh := head.With(fields[0]).With(fields[1:]...), answer.NewHead(200, all)
		for _, close := range []bool{false, true} {
			for _, length := range []int64{5, -1} {
				got := string(added.Append(nil, length, timing, []byte("DATE"), close))
				if want := string(fresh.Append(nil, length, timing, []byte("DATE"), close)); got != want {
					t.Errorf("header %s, added %v, close %v: got\n%s\nwant\n%s", h.name, fields, close, got, want)
				}
				copied, wantCopied := http.Header{}, http.Header{}
				added.CopyTo(copied, length, timing)
				fresh.CopyTo(wantCopied, length, timing)
				if !reflect.DeepEqual(copied, wantCopied) {
					t.Errorf("header %s, added %v: copied %v, want %v", h.name, fields, copied, wantCopied)
				}
			}
		}
		if got := string(head.Append(nil, 5, timing, []byte("DATE"), false)); got != before {
			t.Errorf("header %s: With changed the head to\n%s", h.name, got)
		}
	}
}

// set returns a handler that answers with the header itself.
func set(header http.Header, status int, length int64, timing *answer.Timing) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if timing != nil {
			w.Header().Set("Server-Timing", string(timing.Append(nil)))
		}
		for name, values := range header {
			w.Header()[name] = append(w.Header()[name], values...)
		}
		if length >= 0 && status != 204 && status != 304 {
			w.Header().Set("Content-Length", fmt.Sprint(length))
		}
		reply(w, status, length)
	}
}

// copied returns a handler that answers with head.CopyTo.
func copied(head *answer.Head, length int64, timing *answer.Timing) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		head.CopyTo(w.Header(), length, timing)
		reply(w, head.Status, length)
	}
}

// reply sends the status and a body of the length. If it is negative, net/http does not
// know the length when it writes the header.
func reply(w http.ResponseWriter, status int, length int64) {
	w.WriteHeader(status)
	if length < 0 {
		_ = http.NewResponseController(w).Flush()
		return
	}
	_, _ = w.Write([]byte("hello")[:length])
}

var dateLine = regexp.MustCompile("\nDate: [^\r]*\r")

// rawHead returns the status line and the header that a server sends.
func rawHead(t *testing.T, addr net.Addr, method string, close bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := method + " / HTTP/1.1\r\nHost: a\r\n"
	if close {
		request += "Connection: close\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	for r := bufio.NewReader(conn); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", head.String(), err)
		}
		head.WriteString(line)
	}
	return head.String()
}

// Changing a copy does not change the head.
func TestCopyToCopies(t *testing.T) {
	header := http.Header{"Vary": make([]string, 1, 2), "Server-Timing": make([]string, 1, 2)}
	head, timing := answer.NewHead(200, header), &answer.Timing{}
	for _, timing := range []*answer.Timing{nil, timing} {
		h := http.Header{}
		head.CopyTo(h, 0, timing)
		h.Add("Vary", "a")
		h.Add("Server-Timing", "b")
		h.Set("Content-Type", "c")
	}
	if got := fmt.Sprint(header["Vary"][:2], header["Server-Timing"][:2], len(header)); got != "[ ] [ ] 2" {
		t.Errorf("the head's header is %s", got)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	head, b := benchmarkHead(), make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() {
		b = head.Append(b[:0], 69, &answer.Timing{Waited: time.Second}, []byte(http.TimeFormat), true)
	}); n != 0 {
		t.Errorf("Append allocates %v times, want none", n)
	}
}

func BenchmarkHead(b *testing.B) {
	b.Run("new", func(b *testing.B) {
		header := benchmarkHead().Header
		b.ReportAllocs()
		for b.Loop() {
			answer.NewHead(200, header)
		}
	})
	b.Run("with", func(b *testing.B) {
		head, field := benchmarkHead(), answer.Field{Name: "RateLimit", Value: `"default";r=4;t=1`}
		b.ReportAllocs()
		for b.Loop() {
			head.With(field)
		}
	})
	b.Run("append", func(b *testing.B) {
		head, date, to := benchmarkHead(), []byte(http.TimeFormat), make([]byte, 0, 1<<10)
		timing := answer.Timing{Asked: time.Second, Queued: answer.Omitted, Held: answer.Omitted,
			Waited: 1000210 * time.Microsecond, Real: answer.Omitted}
		b.ReportAllocs()
		for b.Loop() {
			to = head.Append(to[:0], 69, &timing, date, false)
		}
	})
}

func benchmarkHead() *answer.Head {
	return answer.NewHead(200, http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {"*"}, "Content-Type": {answer.JSON},
		"Timing-Allow-Origin": {"*"}, "X-Content-Type-Options": {"nosniff"},
	})
}
