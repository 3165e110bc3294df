//go:build linux

package drive_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"flash.test/deploy/bench/internal/drive"
)

// recording sends each request to got and answers it as answer says.
func recording(t *testing.T, answer string) (addr netip.AddrPort, got chan string) {
	t.Helper()
	got = make(chan string, 100)
	return listen(t, func(conn net.Conn) {
		for r := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			got <- fmt.Sprintf("%s %s %s run=%s trace=%s body=%s", req.Method, req.Host, req.URL,
				req.Header.Get("X-Run-Id"), req.Header.Get("Traceparent"), body)
			io.WriteString(conn, answer)
		}
	}), got
}

func TestRequestsAreSent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		request drive.Request
		want    []string
	}{
		{"plain", drive.Request{Host: "h:1", Path: "/p?q=1"},
			[]string{"GET h:1 /p?q=1 run= trace= body=", "GET h:1 /p?q=1 run= trace= body="}},
		{
			"method, header and body",
			drive.Request{Method: "POST", Host: "h", Path: "/p",
				Header: []string{"X-Run-Id: a", "X: b"}, Body: "one\r\ntwo"},
			[]string{"POST h /p run=a trace= body=one\r\ntwo", "POST h /p run=a trace= body=one\r\ntwo"},
		},
		{
			"a trace of its own each", drive.Request{Host: "h", Path: "/p", Trace: true},
			[]string{
				"GET h /p run= trace=00-00000000000000000000000000000001-00f067aa0ba902b7-01 body=",
				"GET h /p run= trace=00-00000000000000000000000000000002-00f067aa0ba902b7-01 body=",
			},
		},
	} {
		addr, got := recording(t, good)
		tally, err := drive.Sequential(t.Context(), addr, tc.request, 0, 20)
		if err != nil || tally.Errors > 0 {
			t.Fatalf("%s: %v, %d errors (%s)", tc.name, err, tally.Errors, tally.FirstError)
		}
		if first := []string{<-got, <-got}; !slices.Equal(first, tc.want) {
			t.Errorf("%s: sent %q\nwant %q", tc.name, first, tc.want)
		}
		for len(got) > 1 {
			<-got
		}
		if last := <-got; tc.request.Trace &&
			last != "GET h /p run= trace=00-00000000000000000000000000000014-00f067aa0ba902b7-01 body=" {
			t.Errorf("%s: the twentieth is %q", tc.name, last)
		}
	}
}

func TestAnswersThatAreAccepted(t *testing.T) {
	t.Parallel()
	head := drive.Request{Method: "HEAD", Host: "h", Path: "/wait"}
	some := drive.Request{Host: "h", Path: "/wait", Statuses: []int{200, 503}}
	drawn := drive.Request{Host: "h", Path: "/wait", Drawn: true}
	const busy = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nok"
	timed := func(value string) string {
		return "HTTP/1.1 200 OK\r\nServer-Timing: " + value + "\r\nContent-Length: 2\r\n\r\nok"
	}
	for _, tc := range []struct {
		name    string
		request drive.Request
		answer  string
		want    string // in the first error; "" for none
	}{
		{"HEAD has no body", head, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", ""},
		{"HEAD with a body", head, good, "2 bytes after"},
		{"HEAD without Content-Length", head, "HTTP/1.1 200 OK\r\n\r\n", "without Content-Length"},
		{"a status that is accepted", some, busy, ""},
		{"the other one", some, good, ""},
		{"another", some, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok", "500 No"},
		{"a status of four digits", some, "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", "2000 OK"},
		{"a drawn wait that is told", drawn, timed("asked;dur=0, waited;dur=0.1"), ""},
		{"alone", drawn, timed("asked;dur=0"), ""},
		{"not told", drawn, good, "Server-Timing"},
		{"no number", drawn, timed("asked;dur=x"), "Server-Timing"},
	} {
		addr := answering(t, func() ([]string, bool) { return []string{tc.answer}, tc.want != "" })
		for _, run := range []func() (*drive.Tally, error){
			func() (*drive.Tally, error) { return drive.Sequential(t.Context(), addr, tc.request, 0, 3) },
			func() (*drive.Tally, error) {
				tally, _, err := drive.Saturate(t.Context(), addr, tc.request, 2, 20*ms)
				return tally, err
			},
		} {
			tally, err := run()
			switch {
			case err != nil:
				t.Errorf("%s: %v", tc.name, err)
			case tc.want == "" && (tally.Errors > 0 || tally.Answers == 0):
				t.Errorf("%s: %d answers, %d errors (%s); want answers alone", tc.name, tally.Answers,
					tally.Errors, tally.FirstError)
			case tc.want != "" && (tally.Answers > 0 || !contains(tally.FirstError, tc.want)):
				t.Errorf("%s: %d answers, %d errors (%s); want errors of %q", tc.name, tally.Answers, tally.Errors,
					tally.FirstError, tc.want)
			}
		}
	}
}

// A drawn wait is read from its answer: whether an answer is early depends on that.
func TestDrawnWaits(t *testing.T) {
	t.Parallel()
	const waited = 20 * ms
	for _, tc := range []struct {
		told  string
		early bool
	}{{"20", false}, {"19.5", false}, {"400.25", true}} {
		addr := answering(t, func() ([]string, bool) {
			time.Sleep(waited)
			return []string{"HTTP/1.1 200 OK\r\nServer-Timing: asked;dur=" + tc.told +
				", waited;dur=20.1\r\nContent-Length: 2\r\n\r\nok"}, false
		})
		for _, l := range loads {
			request := request(addr)
			request.Drawn = true
			tally := l.runWith(t, addr, request, 200*ms)
			if tally.Answers == 0 || tally.Errors > 0 || tc.early != (tally.Early == tally.Answers) ||
				!tc.early && tally.Early > 0 {
				t.Errorf("%s, answered after %v to have been asked for %s ms: %d answers, %d early, %d errors (%s)",
					l.name, waited, tc.told, tally.Answers, tally.Early, tally.Errors, tally.FirstError)
			}
		}
	}
}

// All requests wait when Waiting is called, and an answer before it returns is early.
func TestPark(t *testing.T) {
	t.Parallel()
	const n = 50
	const begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, tc := range []struct {
		name   string
		stream bool
		parts  []string
		early  int64
		want   string // in the first error; "" for none
	}{
		{"no answer", false, nil, 0, ""},
		{"answers", false, []string{good}, n, ""},
		{"streams that begin", true, []string{begun, "4\r\nping\r\n"}, 0, ""},
		{"and go on", true, []string{begun + "4\r\nping\r\n", "4\r\npong\r\n"}, 0, ""},
		{"streams of an error", true, []string{"HTTP/1.1 400 No\r\n\r\nno"}, 0, "400 No"},
	} {
		came, release := make(chan struct{}, n), make(chan struct{})
		addr := answering(t, func() ([]string, bool) {
			came <- struct{}{}
			if tc.parts == nil {
				<-release
			}
			return tc.parts, tc.want != ""
		})
		calls := 0
		p := drive.Park{Conns: n, Asked: time.Minute, Stream: tc.stream, Waiting: func() {
			calls++
			for range n {
				<-came
			}
			time.Sleep(20 * ms) // for answers
		}}
		tally, err := p.Run(t.Context(), addr, request(addr))
		close(release)
		if err != nil {
			t.Fatal(err)
		}
		if calls != 1 || tally.Early != tc.early || tally.Answers != tc.early {
			t.Errorf("%s: Waiting called %d times, %d answers, %d early; want 1, and %d", tc.name, calls,
				tally.Answers, tally.Early, tc.early)
		}
		if (tally.Errors > 0) != (tc.want != "") || !contains(tally.FirstError, tc.want) {
			t.Errorf("%s: %d errors (%s); want %q", tc.name, tally.Errors, tally.FirstError, tc.want)
		}
	}
}
