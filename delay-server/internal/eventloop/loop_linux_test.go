package eventloop

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newConfig returns a configuration whose journal calls ended for each ended request.
func newConfig(ended func(journal.Wait)) Config {
	c := clock.New()
	planner := plan.New(plan.Limits{MaxDelay: time.Hour, MaxInFlight: 100, MaxBody: 1 << 30})
	return Config{
		Engine: &flow.Engine{
			Clock: c, Journal: journal.New(100, c.Now, ended),
			Pools: new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
			Header: func(http.Header, string) {},
			Full:   func(err error) *problem.Problem { return problem.TooManyInFlight.New("%v", err) },
		},
		Log: slog.New(slog.DiscardHandler), Limit: gate.NewShares(1<<20, 1<<20),
		Find:        func(r *plan.Request) (*plan.Template, error) { return planner.Find(*r) },
		Problem:     func(err error) *problem.Problem { return problem.InvalidParameter.New("%v", err) },
		ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
	}
}

// stoppedLoop is a loop that does not run: the test calls its steps. ended has the
// outcomes of its requests.
type stoppedLoop struct {
	*loop
	ended []journal.Outcome
}

func newStoppedLoop(t testing.TB, change ...func(*Config)) *stoppedLoop {
	t.Helper()
	s := new(stoppedLoop)
	config := newConfig(func(w journal.Wait) { s.ended = append(s.ended, w.Outcome) })
	for _, f := range change {
		f(&config)
	}
	ln := &Listener{
		config: config, handed: make(chan net.Conn, 1), http1: make(chan net.Conn, 1),
		closed: make(chan struct{}), ended: make(chan struct{}),
	}
	ln.reserve.fd = -1
	l, err := newLoop(ln)
	if err != nil {
		t.Fatal(err)
	}
	l.now = time.Now()
	s.loop, ln.loops = l, []*loop{l}
	t.Cleanup(func() {
		for _, c := range l.conns {
			if c != nil {
				l.close(c)
			}
		}
		if n, w := config.Limit.Inside(), config.Engine.Journal.Waiting(); n != 0 || w != 0 || l.open != 0 {
			t.Errorf("at the end: %d requests in flight, %d waiting, %d connections open; want none", n, w, l.open)
		}
		l.end()
	})
	return s
}

// inFlight returns the number of requests that MAX_IN_FLIGHT counts.
func (s *stoppedLoop) inFlight() int { return s.listener.config.Limit.Inside() }

func (s *stoppedLoop) engine() *flow.Engine { return s.listener.config.Engine }

// client returns a client's connection on which sent was sent, and the server's
// descriptor of it.
func client(t testing.TB, sent string) (conn *net.TCPConn, fd int) {
	t.Helper()
	ln := wiretest.Listen(t)
	c := wiretest.Dial(t, ln.Addr().String())
	c.Send(sent)
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	raw, err := server.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if fd, err = dup(raw); err != nil {
		t.Fatal(err)
	}
	if sent != "" { // wait until it arrives
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil {
			t.Fatal(err)
		}
	}
	return c.TCPConn, fd
}

// serveNew adds a connection on which sent was sent, and serves it once.
func (s *stoppedLoop) serveNew(t testing.TB, sent string) (*net.TCPConn, *conn) {
	t.Helper()
	other, fd := client(t, sent)
	s.add(fd, netip.Addr{})
	c := s.conns[fd]
	s.serve(c, unix.EPOLLIN, onEvent)
	return other, c
}

// sendMore sends more on a connection, and serves it once.
func (s *stoppedLoop) sendMore(t *testing.T, other *net.TCPConn, c *conn, sent string) {
	t.Helper()
	if _, err := io.WriteString(other, sent); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: c.fd, Events: unix.POLLIN}}, -1); err != nil {
		t.Fatal(err)
	}
	s.serve(c, unix.EPOLLIN, onEvent)
}

// received returns what a client received, and whether the connection ended.
func received(c *net.TCPConn) (text string, ended bool) {
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	b, err := io.ReadAll(c)
	return string(b), !os.IsTimeout(err)
}

var noDelay = reqHead("GET /delay/0 HTTP/1.1", "")

// A turn serves a limited number of a connection's requests. The next turn continues.
func TestRequestsPerTurnAreLimited(t *testing.T) {
	const n = 10*maxTurnRequests + 3
	s := newStoppedLoop(t)
	s.serveNew(t, strings.Repeat(noDelay, n))
	for turn := 1; ; turn++ {
		if want := min(turn*maxTurnRequests, n); len(s.ended) != want {
			t.Fatalf("after turn %d: %d answered, want %d", turn, len(s.ended), want)
		}
		if len(s.deferred) == 0 {
			break
		}
		s.runDeferred()
	}
	if len(s.ended) != n {
		t.Errorf("at the end: %d answered, want %d", len(s.ended), n)
	}
}

// A turn resumes at least one deferred connection, and more within a time slice. Each
// gets its turn.
func TestDeferredConnectionsShareTurns(t *testing.T) {
	const n = 5
	s := newStoppedLoop(t)
	for range n {
		s.serveNew(t, strings.Repeat(noDelay, 3*maxTurnRequests))
	}
	for turn := 1; turn <= n+2; turn++ {
		s.now = time.Now().Add(-time.Hour)
		s.runDeferred()
		want, left := (n+turn)*maxTurnRequests, n-max(0, turn-n) // each needs two more turns
		if len(s.ended) != want || len(s.deferred) != left {
			t.Fatalf("after turn %d without time: %d answered, %d deferred, want %d and %d",
				turn, len(s.ended), len(s.deferred), want, left)
		}
	}
	s.now = time.Now().Add(time.Hour)
	s.runDeferred()
	if want := 3 * n * maxTurnRequests; len(s.ended) != want || len(s.deferred) > 0 {
		t.Errorf("at the end: %d answered, %d deferred, want %d and 0", len(s.ended), len(s.deferred), want)
	}
}

// A turn sends and reads a limited number of bytes. The next turn continues.
func TestBytesPerTurnAreLimited(t *testing.T) {
	const size = 1 << 20
	for name, sent := range map[string]string{
		"sent":           reqHead(fmt.Sprintf("GET /status/200?size=%d HTTP/1.1", size), ""),
		"sent in chunks": reqHead(fmt.Sprintf("GET /bytes/%d HTTP/1.1", size), ""),
		"read": reqHead("POST /delay/0 HTTP/1.1", fmt.Sprintf("Content-Length: %d\r\n", size)) +
			strings.Repeat("a", size),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoppedLoop(t)
			head, body, _ := strings.Cut(sent, "\r\n\r\n")
			other, c := s.serveNew(t, head+"\r\n\r\n")
			reading := make(chan int64)
			go func() {
				_, _ = io.WriteString(other, body)
				n, _ := io.Copy(io.Discard, io.LimitReader(other, 1<<30))
				reading <- n
			}()
			turns := 1
			for ; len(s.ended) == 0; turns++ {
				if limit := maxTurnBytes + 32<<10; s.moved > limit {
					t.Fatalf("turn %d moved %d bytes, want at most %d", turns, s.moved, limit)
				}
				switch {
				case c.deferred:
					s.runDeferred()
				case c.sendBlocked():
					s.serve(c, unix.EPOLLOUT, onEvent)
				default:
					if _, err := unix.Poll([]unix.PollFd{{Fd: c.fd, Events: unix.POLLIN}}, -1); err != nil {
						t.Fatal(err)
					}
					s.serve(c, unix.EPOLLIN, onEvent)
				}
			}
			if minTurns := size / (maxTurnBytes + 32<<10); turns < minTurns {
				t.Errorf("got %d turns, want at least %d", turns, minTurns)
			}
			for c.sendBlocked() {
				s.serve(c, unix.EPOLLOUT, onEvent)
			}
			s.close(c)
			if n := <-reading; body == "" && n < size {
				t.Errorf("the client received %d bytes, want %d", n, size)
			}
		})
	}
}

// Requests may be split anywhere between two packets.
func TestSplitRequests(t *testing.T) {
	sent := reqHead("POST /delay/0?status=201 HTTP/1.1", "Content-Length: 5\r\n") + "hello" +
		reqHead("GET /delay/0?status=202 HTTP/1.1", "Connection: close\r\n")
	var want string
	for i := 1; i < len(sent); i += 1 + i/40 {
		s := newStoppedLoop(t)
		other, c := s.serveNew(t, sent[:i])
		s.sendMore(t, other, c, sent[i:])
		text, ended := received(other)
		if !ended {
			t.Fatalf("split at %d: the connection has not ended", i)
		}
		var lines []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "Date: ") && !strings.HasPrefix(line, "Server-Timing: ") {
				lines = append(lines, line)
			}
		}
		got := strings.Join(lines, "")
		if want == "" {
			want = got
		}
		if got != want || strings.Count(got, "HTTP/1.1 20") != 2 || len(s.ended) != 2 {
			t.Fatalf("split at %d: got %q, want %q", i, got, want)
		}
	}
}

// Requests that were sent before the loop drains are answered, whether or not the loop
// had read them.
func TestDrainingAnswersSentRequests(t *testing.T) {
	for _, tc := range []struct {
		name, sent     string
		waits, answers int
	}{
		{"nothing", "", 0, 0},
		{"a request", noDelay, 0, 1},
		{"a waiting request", reqHead("GET /delay/60000 HTTP/1.1", ""), 1, 0},
		{"part of a request", "GET /delay/0 HT", 0, 0},
		{"the first of two requests", noDelay + noDelay, 0, 1},
	} {
		for when, drain := range map[string]func(*stoppedLoop, int){
			"added before": func(s *stoppedLoop, fd int) { s.add(fd, netip.Addr{}); s.drain() },
			"added after":  func(s *stoppedLoop, fd int) { s.drain(); s.add(fd, netip.Addr{}) },
		} {
			s := newStoppedLoop(t)
			close(s.listener.closed)
			other, fd := client(t, tc.sent)
			drain(s, fd)
			text, ended := received(other)
			answers := strings.Count(text, "\r\nConnection: close\r\n\r\n")
			waits := s.server.queue.Len() == tc.waits && s.open == tc.waits && ended == (tc.waits == 0)
			if !waits || answers != tc.answers {
				t.Errorf("%s, %s: %d waiting, %d open, the client got %q, ended %v; want %d waiting, %d answers",
					tc.name, when, s.server.queue.Len(), s.open, text, ended, tc.waits, tc.answers)
			}
		}
	}
}

// If part of a body has arrived when the loop drains, the loop reads the rest and
// answers.
func TestDrainingReadsTheBody(t *testing.T) {
	s := newStoppedLoop(t)
	other, c := s.serveNew(t, reqHead("POST /delay/0 HTTP/1.1", "Content-Length: 2\r\n")+"a")
	s.drain()
	s.sendMore(t, other, c, "b")
	if text, ended := received(other); !strings.Contains(text, "\r\nConnection: close\r\n") || !ended || s.open != 0 {
		t.Errorf("the client got %q, ended %v, %d open", text, ended, s.open)
	}
}

// Shutdown answers waiting requests, and any that the loop gets later, at once.
func TestShutdownEndsAllWaits(t *testing.T) {
	waits := reqHead("GET /delay/60000 HTTP/1.1", "")
	shut := func(s *stoppedLoop) {
		s.drain()
		s.engine().Shutdown()
		s.forceClose()
	}
	served := func(s *stoppedLoop, fd int) {
		s.add(fd, netip.Addr{})
		s.serveOrClose(s.conns[fd])
		shut(s)
	}
	addedAfter := func(s *stoppedLoop, fd int) { shut(s); s.add(fd, netip.Addr{}) }
	returnedAfter := func(s *stoppedLoop, fd int) { shut(s); s.addReturned(fd, netip.Addr{}, new(handedConn)) }
	deferred := func(s *stoppedLoop, fd int) { served(s, fd); s.runDeferred() }
	partOfBody := reqHead("POST /delay/60000 HTTP/1.1", "Content-Length: 2\r\n") + "a"
	for _, tc := range []struct {
		name, sent string
		answers    int
		serve      func(s *stoppedLoop, fd int)
	}{
		{"waits", waits, 1, served},
		{"waits for a worker", strings.Replace(waits, " HTTP", "?pool=a&workers=1 HTTP", 1), 1, served},
		{"is held", strings.Replace(waits, "/delay/60000", "/hold/a", 1), 1, served},
		{"is added after", waits, 1, addedAfter},
		{"returns after", waits, 1, returnedAfter},
		{"part of a body is added after", partOfBody, 0, addedAfter},
		{"reads a body", partOfBody, 0, served},
		{"is deferred", strings.Repeat(noDelay, maxTurnRequests) + waits, 1, deferred},
	} {
		s := newStoppedLoop(t)
		close(s.listener.closed)
		other, fd := client(t, tc.sent)
		tc.serve(s, fd)
		text, ended := received(other)
		if strings.Count(text, "HTTP/1.1 503 ") != tc.answers || !ended || s.server.queue.Len() != 0 || s.open != 0 {
			t.Errorf("%s: the client got %q, ended %v; %d waiting, %d open; want %d times 503, ended, and none",
				tc.name, text, ended, s.server.queue.Len(), s.open, tc.answers)
		}
		if n := len(s.ended); tc.answers > 0 && (n == 0 || s.ended[n-1] != journal.Shutdown) {
			t.Errorf("%s: the journal has %v, want the last %s", tc.name, s.ended, journal.Shutdown)
		}
	}
}

// A connection that arrives in the same turn as drain is accepted before the listening
// socket is closed.
func TestDrainingTurnAcceptsFirst(t *testing.T) {
	s := newStoppedLoop(t)
	ln := wiretest.Listen(t)
	if err := s.listen(ln.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	wiretest.Dial(t, ln.Addr().String()).Send(noDelay)
	close(s.listener.closed)
	s.post(s.drain)
	s.turn()
	if len(s.ended) != 1 || len(s.listenFDs) != 0 {
		t.Errorf("%d answered, listening sockets %v, want 1 and none", len(s.ended), s.listenFDs)
	}
}

// A connection is handed to the listener of HTTP/2 only if it may be HTTP/2.
func TestHandsOverByProtocol(t *testing.T) {
	magic := string(preface)
	for _, tc := range []struct {
		name, sent string
		http1      bool
	}{
		{"the preface", magic + "more", false},
		{"only the preface", magic, false},
		{"its first line", magic[:16], false},
		{"another request", "POST / HTTP/1.0\r\n", true},
		{"a page", reqHead("GET / HTTP/1.1", ""), true},
		{"a short malformed request", "x\r\n\r\n", true},
		{"a wrong preface", magic[:len(magic)-4] + "XX\r\n", true},
		{"the preface after a response", noDelay + magic, true},
		{"its first line after a response", noDelay + magic[:16], true},
	} {
		s := newStoppedLoop(t)
		s.serveNew(t, tc.sent)
		want, not := s.listener.handed, s.listener.http1
		if tc.http1 {
			want, not = not, want
		}
		if len(want) != 1 || len(not) != 0 || s.open != 0 {
			t.Errorf("%s: handed to the listener of HTTP/1.1: %v, want %v", tc.name, !tc.http1, tc.http1)
			continue
		}
		conn := <-want
		got, sent := make([]byte, len(tc.sent)), strings.TrimPrefix(tc.sent, noDelay)
		if _, err := io.ReadFull(conn, got[:1]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, got[1:len(sent)]); err != nil || string(got[:len(sent)]) != sent {
			t.Errorf("%s: read %q, %v, want %q", tc.name, got, err, sent)
		}
		_ = conn.Close()
	}
}

// Requests that no waiting endpoint answers are handed over, for one request if its
// length is known.
func TestHandsOverForOneRequest(t *testing.T) {
	post := reqHead("POST /page HTTP/1.1", "Content-Length: 5\r\n")
	invalid := reqHead("POST /delay/x HTTP/1.1", "Content-Length: 1\r\n")
	for _, tc := range []struct {
		name, sent string
		size       int
	}{
		{"a page", reqHead("GET /page HTTP/1.1", "") + noDelay, len(reqHead("GET /page HTTP/1.1", ""))},
		{"a page, with part of a body", post + "he", len(post) + 5},
		{"an invalid request, without its body", invalid, len(invalid) + 1},
		{"what is unsupported", reqHead("GET /delay/0 HTTP/1.1", "Transfer-Encoding: chunked\r\n"), 0},
		{"an upgrade", reqHead("GET /page HTTP/1.1", "Upgrade: a\r\n"), 0},
	} {
		s := newStoppedLoop(t)
		s.serveNew(t, tc.sent)
		conn := (<-s.listener.http1).(*handedConn)
		if conn.size != tc.size || string(conn.read) != tc.sent {
			t.Errorf("%s: handed over for %d bytes of %q, want %d of %q",
				tc.name, conn.size, conn.read, tc.size, tc.sent)
		}
		_ = conn.Close()
	}
}

// After many pages in a row, a connection is handed over for good. A waiting request
// restarts the count.
func TestHandsOverForGood(t *testing.T) {
	page := reqHead("GET /page HTTP/1.1", "")
	for _, tc := range []struct {
		before uint8
		sent   string
		size   int
	}{
		{0, page, len(page)},
		{maxHandedOver - 1, page, len(page)},
		{maxHandedOver, page, 0},
		{maxHandedOver, noDelay + page, len(page)},
	} {
		s := newStoppedLoop(t)
		_, fd := client(t, tc.sent)
		s.addReturned(fd, netip.Addr{}, &handedConn{count: tc.before})
		conn := (<-s.listener.http1).(*handedConn)
		if conn.size != tc.size {
			t.Errorf("after %d hand-overs: handed over for %d bytes of %q, want %d",
				tc.before, conn.size, tc.sent, tc.size)
		}
		_ = conn.Close()
	}
}

// The loop answers invalid requests, which MAX_IN_FLIGHT does not count. The connection
// stays open.
func TestInvalidRequests(t *testing.T) {
	s := newStoppedLoop(t)
	other, _ := s.serveNew(t, reqHead("GET /delay/x HTTP/1.1", "")+
		reqHead("POST /delay/0?status=1 HTTP/1.1", "Content-Length: 2\r\n")+"ab"+
		noDelay+
		reqHead("HEAD /delay/x HTTP/1.1", "Connection: close\r\n"))
	text, ended := received(other)
	var lines []string
	for line := range strings.Lines(text) {
		if _, status, ok := strings.Cut(line, "HTTP/1.1 "); ok { // bodies have no line end
			lines = append(lines, status[:3])
		}
	}
	want := []string{"400", "400", "200", "400"}
	if !slices.Equal(lines, want) || !ended || !strings.HasSuffix(text, "\r\n\r\n") {
		t.Errorf("got %q of %q, ended %v; want %q, ended", lines, text, ended, want)
	}
	const outcomes = "[rejected rejected answered rejected]"
	if got := fmt.Sprint(s.ended); got != outcomes || s.listener.config.Limit.Inside() != 0 {
		t.Errorf("the journal has %s, %d are in flight; want %s, none", got, s.listener.config.Limit.Inside(), outcomes)
	}
}

// A response that the client does not read counts in MAX_IN_FLIGHT until WriteTimeout,
// when the connection is closed.
func TestUnreadResponseCounts(t *testing.T) {
	s := newStoppedLoop(t, func(c *Config) { c.WriteTimeout = time.Hour })
	_, fd := client(t, strings.Repeat(noDelay, 3))
	full := make([]byte, 64<<10)
	for _, err := send(fd, full); err == nil; _, err = send(fd, full) {
	}
	s.add(fd, netip.Addr{})
	s.serve(s.conns[fd], unix.EPOLLIN, onEvent)
	if n := s.inFlight(); n != 1 || s.open != 1 {
		t.Errorf("%d in flight, %d open, want 1 and 1", n, s.open)
	}
	s.now = time.Now().Add(59 * time.Minute)
	s.expire()
	if n := s.inFlight(); n != 1 || s.open != 1 {
		t.Errorf("before WriteTimeout: %d in flight, %d open, want 1 and 1", n, s.open)
	}
	s.now = time.Now().Add(time.Hour)
	s.expire()
	if n := s.inFlight(); n != 0 || s.open != 0 || len(s.ended) != 1 {
		t.Errorf("after WriteTimeout: %d in flight, %d open, %v ended, want 0, 0 and one", n, s.open, s.ended)
	}
}

// Each part of a response has a write deadline, so a client that reads slowly may take
// longer than WriteTimeout for the whole response.
func TestWriteTimeout(t *testing.T) {
	for name, target := range map[string]string{
		"padding":      "/status/200?size=100000000",
		"random bytes": "/bytes/100000000",
		"truncated":    "/status/200?size=200000000&fault=truncate",
		"in a pool":    "/status/200?size=100000000&pool=a&workers=1",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoppedLoop(t, func(c *Config) { c.WriteTimeout = time.Hour })
			other, c := s.serveNew(t, reqHead("GET "+target+" HTTP/1.1", ""))
			fill := func() {
				for !c.sendBlocked() || c.deferred {
					s.runDeferred()
				}
			}
			fill()
			if !c.holdsClock || s.inFlight() != 1 {
				t.Errorf("holds the clock: %v, %d in flight; want true, 1", c.holdsClock, s.inFlight())
			}
			first := c.deadline
			for some := make([]byte, 64<<10); c.deadline == first; { // the client reads in time
				if _, err := other.Read(some); err != nil {
					t.Fatal(err)
				}
				s.serve(c, unix.EPOLLOUT, onEvent)
				fill()
			}
			if c.deadline < first {
				t.Error("the second deadline is before the first")
			}
			s.now = time.Unix(0, c.deadline)
			s.expire()
			want := []journal.Outcome{journal.ClientClosed}
			if s.open != 0 || !slices.Equal(s.ended, want) || len(s.engine().Pools.States()) != 0 {
				t.Errorf("after WriteTimeout: %d open, the journal has %v; want 0, %v", s.open, s.ended, want)
			}
			frozen := s.engine().Clock
			frozen.Freeze()
			s.server.queue.Park()
			if err := frozen.Advance(t.Context(), time.Hour); err != nil {
				t.Errorf("Advance = %v", err)
			}
			s.server.queue.Unpark()
		})
	}
}

func TestTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		timeout    time.Duration
		want       string // the start of the last response
	}{
		{"nothing", "", time.Minute, ""},
		{"part of a request line", "GET /delay", time.Minute, "HTTP/1.1 400 "},
		{"part of a head after a response", noDelay + "GET /delay/0 HTTP/1.1\r\n", time.Minute, "HTTP/1.1 200 "},
		{"idle", noDelay, time.Hour, "HTTP/1.1 200 "},
		{"too few bytes after a response: idle", noDelay + "GET", time.Hour, "HTTP/1.1 200 "},
		{"part of a body", reqHead("POST /delay/0 HTTP/1.1", "Content-Length: 9\r\n") + "hello",
			time.Minute, "HTTP/1.1 408 "},
	} {
		s := newStoppedLoop(t, func(c *Config) { c.IdleTimeout = time.Hour })
		other, _ := s.serveNew(t, tc.sent)
		begun := s.now
		s.now = begun.Add(tc.timeout - 1)
		if s.expire(); s.open != 1 {
			t.Errorf("%s: the connection ended before %v", tc.name, tc.timeout)
			continue
		}
		s.now = begun.Add(tc.timeout)
		s.expire()
		text, ended := received(other)
		last := text[max(0, strings.LastIndex(text, "HTTP/1.1 ")):]
		if s.open != 0 || !ended || !strings.HasPrefix(last, tc.want) || tc.want == "" && text != "" {
			t.Errorf("%s: %d open, the client got %q, ended %v; want %q", tc.name, s.open, text, ended, tc.want)
		}
	}
}

// A request that is answered before its timeout leaves no timer in the clock's queue,
// where GET /admin/clock would count it.
func TestAnsweredRequestStopsItsTimer(t *testing.T) {
	for _, target := range []string{
		"/hold/a?timeout=60", "/hold/a?timeout=60&fault=reset", "/hold/a?timeout=60&pool=a&workers=1",
	} {
		s := newStoppedLoop(t)
		_, c := s.serveNew(t, get(target))
		if n := s.server.queue.Len(); n != 1 {
			t.Errorf("%s: %d timers set, want 1", target, n)
		}
		if _, err := s.engine().Holds.Release(gate.NameOf("", "a"), gate.Choice{}); err != nil {
			t.Fatal(err)
		}
		s.server.queue.RunDue(batchSize)
		if n := s.server.queue.Len(); n != 0 || c.flow.Running() || len(s.ended) != 1 {
			t.Errorf("%s: %d timers left, in progress %v, the journal has %v; want 0, false, one",
				target, n, c.flow.Running(), s.ended)
		}
	}
}

// A panic closes only the connection that caused it.
func TestPanicClosesOneConnection(t *testing.T) {
	for name, times := range map[string]int{"once": 1, "again while answering": 1 << 30} {
		for _, target := range []string{
			"/delay/0", "/delay/1", "/delay/0?pool=a&workers=1", "/drip?delay=0&duration=0",
		} {
			t.Run(name+target, func(t *testing.T) {
				left := times
				s := newStoppedLoop(t, func(c *Config) {
					c.Engine.Origin = func(origin string) string { return origin }
					c.Engine.Header = func(_ http.Header, origin string) {
						if origin == "panic" && left > 0 {
							left--
							panic("in a flow")
						}
					}
				})
				bystander, c := s.serveNew(t, reqHead("GET /delay/60000 HTTP/1.1", ""))
				victim, _ := s.serveNew(t, reqHead("GET "+target+" HTTP/1.1", "Origin: panic\r\n"))
				for s.open > 1 {
					s.server.queue.RunDue(batchSize)
				}
				if text, ended := received(victim); !ended || strings.Contains(text, " 200 ") {
					t.Errorf("the client got %q, ended %v", text, ended)
				}
				if n, w := s.inFlight(), s.engine().Journal.Waiting(); n != 1 || w != 1 {
					t.Errorf("%d in flight, %d waiting, want the other one", n, w)
				}
				if want := []journal.Outcome{journal.Failed}; !slices.Equal(s.ended, want) {
					t.Errorf("the journal has %v, want %v", s.ended, want)
				}
				if len(s.out) != 0 || len(s.engine().Pools.States()) != 0 {
					t.Errorf("unsent: %q, pools %v; want none", s.out, s.engine().Pools.States())
				}
				if !c.flow.Running() {
					t.Error("the other request has ended")
				}
				c.timer.Owner.Fire(true)
				if text, _ := received(bystander); !strings.HasPrefix(text, "HTTP/1.1 200 ") {
					t.Errorf("the other client got %q", text)
				}
			})
		}
	}
}

func TestPanicInFind(t *testing.T) {
	s := newStoppedLoop(t, func(c *Config) {
		c.Find = func(*plan.Request) (*plan.Template, error) { panic("in Find") }
	})
	other, _ := s.serveNew(t, noDelay)
	if text, ended := received(other); !ended || text != "" || s.open != 0 {
		t.Errorf("the client got %q, ended %v, %d open", text, ended, s.open)
	}
}

// A client that closes its connection, or only its sending side, ends its request
// wherever that waits. Like net/http, the loop does not notice if more data arrived
// before.
func TestClientLeaves(t *testing.T) {
	for _, target := range []string{
		"/delay/60000", "/hold/a", "/barrier/a?parties=2", "/drip?duration=60", "/delay/60000?pool=a&workers=1",
	} {
		for name, leave := range map[string]func(*net.TCPConn){
			"closes": func(c *net.TCPConn) { _ = c.Close() },
			"resets": func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
			"ends":   func(c *net.TCPConn) { _ = c.CloseWrite() },
		} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprint(name, target, after), func(t *testing.T) {
					s := newStoppedLoop(t)
					other, c := s.serveNew(t, reqHead("GET "+target+" HTTP/1.1", "")+noDelay)
					if after {
						s.sendMore(t, other, c, noDelay)
					}
					leave(other)
					for range 10 {
						p := []unix.PollFd{{Fd: c.fd, Events: unix.POLLIN | unix.POLLRDHUP}}
						if _, err := unix.Poll(p, -1); err != nil {
							t.Fatal(err)
						}
						s.serve(c, uint32(p[0].Revents), onEvent)
						if s.open == 0 {
							break
						}
					}
					noticed := s.open == 0 && slices.Equal(s.ended, []journal.Outcome{journal.ClientClosed})
					if after && s.open == 0 || !after && !noticed {
						t.Errorf("%d open, the journal has %v", s.open, s.ended)
					}
				})
			}
		}
	}
}
