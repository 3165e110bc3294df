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

// newConfig returns a configuration whose journal tells ended of each request that
// has ended.
func newConfig(ended func(journal.Wait)) Config {
	c := clock.New()
	planner := plan.New(plan.Limits{MaxDelay: time.Hour, MaxInFlight: 100, MaxBody: 1 << 30})
	return Config{
		Engine: &flow.Engine{
			Clock: c, Journal: journal.New(100, c.Now, ended), Pools: new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
			Header: func(http.Header, string) {},
			Full:   func(err error) *problem.Problem { return problem.TooManyInFlight.New("%v", err) },
		},
		Log: slog.New(slog.DiscardHandler), Limit: gate.NewShares(1<<20, 1<<20),
		Find:        func(r *plan.Request) (*plan.Template, error) { return planner.Find(*r) },
		Problem:     func(err error) *problem.Problem { return problem.InvalidParameter.New("%v", err) },
		ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
	}
}

// still is a loop that nobody runs, of a listener that has no other, and how its
// requests ended.
type still struct {
	*loop
	ended []journal.Outcome
}

func newStill(t *testing.T, change ...func(*Config)) *still {
	t.Helper()
	s := new(still)
	config := newConfig(func(w journal.Wait) { s.ended = append(s.ended, w.Outcome) })
	for _, f := range change {
		f(&config)
	}
	ln := &Listener{config: config, handed: make(chan net.Conn, 1), http1: make(chan net.Conn, 1), closed: make(chan struct{}), ended: make(chan struct{})}
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
			t.Errorf("at the end %d places are taken, %d wait, %d connections are open", n, w, l.open)
		}
		l.end()
	})
	return s
}

// client returns the client's end of a connection on which this has been sent, and
// the descriptor of the other.
func client(t *testing.T, sent string) (conn *net.TCPConn, fd int) {
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
	if errControl := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); errControl != nil || err != nil {
		t.Fatal(errControl, err)
	}
	if sent != "" { // it has come
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil {
			t.Fatal(err)
		}
	}
	return c.TCPConn, fd
}

// add adds a connection on which this has been sent, and serves it once.
func (s *still) serveNew(t *testing.T, sent string) (*net.TCPConn, *conn) {
	t.Helper()
	other, fd := client(t, sent)
	s.add(fd, netip.Addr{})
	c := s.conns[fd]
	s.serve(c, unix.EPOLLIN, onEvent)
	return other, c
}

// send sends more on a connection, and serves it once.
func (s *still) more(t *testing.T, other *net.TCPConn, c *conn, sent string) {
	t.Helper()
	if _, err := io.WriteString(other, sent); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: c.fd, Events: unix.POLLIN}}, -1); err != nil {
		t.Fatal(err)
	}
	s.serve(c, unix.EPOLLIN, onEvent)
}

// received returns all that has come to a client, and whether the end has.
func received(c *net.TCPConn) (text string, ended bool) {
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	b, err := io.ReadAll(c)
	return string(b), !os.IsTimeout(err)
}

var now = with("GET /delay/0 HTTP/1.1", "")

// A turn has few requests of a client that sends many, and each turn goes on.
func TestATurnServesFewRequestsOfOneConnection(t *testing.T) {
	const n = 10*maxTurnRequests + 3
	s := newStill(t)
	s.serveNew(t, strings.Repeat(now, n))
	for turn := 1; ; turn++ {
		if want := min(turn*maxTurnRequests, n); len(s.ended) != want {
			t.Fatalf("after turn %d: %d are answered, want %d", turn, len(s.ended), want)
		}
		if len(s.deferred) == 0 {
			break
		}
		s.runDeferred()
	}
	if len(s.ended) != n {
		t.Errorf("%d are answered at the end, want %d", len(s.ended), n)
	}
}

// A turn goes on with one connection at the least, and with more for a time slice.
// Each has its turn.
func TestATurnGoesOnForATimeSlice(t *testing.T) {
	const n = 5
	s := newStill(t)
	for range n {
		s.serveNew(t, strings.Repeat(now, 3*maxTurnRequests))
	}
	for turn := 1; turn <= n+2; turn++ {
		s.now = time.Now().Add(-time.Hour)
		s.runDeferred()
		want, left := (n+turn)*maxTurnRequests, n-max(0, turn-n) // each needs two turns more
		if len(s.ended) != want || len(s.deferred) != left {
			t.Fatalf("after turn %d, which has no time: %d are answered, %d postponed, want %d and %d", turn, len(s.ended), len(s.deferred), want, left)
		}
	}
	s.now = time.Now().Add(time.Hour)
	s.runDeferred()
	if want := 3 * n * maxTurnRequests; len(s.ended) != want || len(s.deferred) > 0 {
		t.Errorf("at the end %d are answered, %d postponed, want %d and none", len(s.ended), len(s.deferred), want)
	}
}

// A turn sends and reads a bounded number of bytes, and each turn goes on.
func TestATurnMovesFewBytes(t *testing.T) {
	const size = 1 << 20
	for name, sent := range map[string]string{
		"sent":           with(fmt.Sprintf("GET /status/200?size=%d HTTP/1.1", size), ""),
		"sent in chunks": with(fmt.Sprintf("GET /bytes/%d HTTP/1.1", size), ""),
		"read":           with("POST /delay/0 HTTP/1.1", fmt.Sprintf("Content-Length: %d\r\n", size)) + strings.Repeat("a", size),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStill(t)
			head, body := sent[:strings.Index(sent, "\r\n\r\n")+4], sent[strings.Index(sent, "\r\n\r\n")+4:]
			other, c := s.serveNew(t, head)
			reading := make(chan int64)
			go func() {
				_, _ = io.WriteString(other, body)
				n, _ := io.Copy(io.Discard, io.LimitReader(other, 1<<30))
				reading <- n
			}()
			turns := 1
			for ; len(s.ended) == 0; turns++ {
				if most := maxTurnBytes + 32<<10; s.moved > most {
					t.Fatalf("turn %d moved %d bytes, want %d at the most", turns, s.moved, most)
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
			if least := size / (maxTurnBytes + 32<<10); turns < least {
				t.Errorf("it took %d turns, want %d at the least", turns, least)
			}
			for c.sendBlocked() {
				s.serve(c, unix.EPOLLOUT, onEvent)
			}
			s.close(c)
			if n := <-reading; body == "" && n < size {
				t.Errorf("%d bytes came, want %d", n, size)
			}
		})
	}
}

// Cut anywhere, a request is read as the same, and what is behind it as the next.
func TestARequestComesInParts(t *testing.T) {
	sent := with("POST /delay/0?status=201 HTTP/1.1", "Content-Length: 5\r\n") + "hello" + with("GET /delay/0?status=202 HTTP/1.1", "Connection: close\r\n")
	var want string
	for i := 1; i < len(sent); i += 1 + i/40 {
		s := newStill(t)
		other, c := s.serveNew(t, sent[:i])
		s.more(t, other, c, sent[i:])
		text, ended := received(other)
		if !ended {
			t.Fatalf("cut at %d: the connection has not ended", i)
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
			t.Fatalf("cut at %d: got %q, want %q", i, got, want)
		}
	}
}

// What has been asked for on a connection when the loop drains is answered,
// whether or not the loop had seen it.
func TestDrainingAnswersWhatWasSent(t *testing.T) {
	for _, tc := range []struct {
		name, sent     string
		waits, answers int
	}{
		{"nothing", "", 0, 0},
		{"a request", now, 0, 1},
		{"a request that waits", with("GET /delay/60000 HTTP/1.1", ""), 1, 0},
		{"half a request", "GET /delay/0 HT", 0, 0},
		{"a request that is the first of two", now + now, 0, 1},
	} {
		for when, drain := range map[string]func(*still, int){
			"added before": func(s *still, fd int) { s.add(fd, netip.Addr{}); s.drain() },
			"added after":  func(s *still, fd int) { s.drain(); s.add(fd, netip.Addr{}) },
		} {
			s := newStill(t)
			close(s.listener.closed)
			other, fd := client(t, tc.sent)
			drain(s, fd)
			text, ended := received(other)
			answers := strings.Count(text, "\r\nConnection: close\r\n\r\n")
			if s.queue.Len() != tc.waits || s.open != tc.waits || answers != tc.answers || ended != (tc.waits == 0) {
				t.Errorf("%s, %s: %d wait, %d are open, the client has %q, the end %v; want %d waiting, %d answers", tc.name, when, s.queue.Len(), s.open, text, ended, tc.waits, tc.answers)
			}
		}
	}
}

// A body that has begun to come when the loop drains is read, and its request
// answered.
func TestDrainingReadsABody(t *testing.T) {
	s := newStill(t)
	other, c := s.serveNew(t, with("POST /delay/0 HTTP/1.1", "Content-Length: 2\r\n")+"a")
	s.drain()
	s.more(t, other, c, "b")
	if text, ended := received(other); !strings.Contains(text, "\r\nConnection: close\r\n") || !ended || s.open != 0 {
		t.Errorf("the client has %q, the end %v, %d are open", text, ended, s.open)
	}
}

// A request that waits when the engine shuts down, or comes later, is answered at
// once, however late it comes to the loop.
func TestShutdownHasNobodyWait(t *testing.T) {
	waits := with("GET /delay/60000 HTTP/1.1", "")
	shut := func(s *still) {
		s.drain()
		s.listener.config.Engine.Shutdown()
		s.forceClose()
	}
	for _, tc := range []struct {
		name, sent string
		answers    int
		cut        func(s *still, fd int)
	}{
		{"waits before", waits, 1, func(s *still, fd int) { s.add(fd, netip.Addr{}); s.serveOrClose(s.conns[fd]); shut(s) }},
		{"waits for a worker", strings.Replace(waits, " HTTP", "?pool=a&workers=1 HTTP", 1), 1, func(s *still, fd int) { s.add(fd, netip.Addr{}); s.serveOrClose(s.conns[fd]); shut(s) }},
		{"is held", strings.Replace(waits, "/delay/60000", "/hold/a", 1), 1, func(s *still, fd int) { s.add(fd, netip.Addr{}); s.serveOrClose(s.conns[fd]); shut(s) }},
		{"is added after", waits, 1, func(s *still, fd int) { shut(s); s.add(fd, netip.Addr{}) }},
		{"comes back after", waits, 1, func(s *still, fd int) { shut(s); s.addReturned(fd, netip.Addr{}, new(handedConn)) }},
		{"half a body is added after", with("POST /delay/60000 HTTP/1.1", "Content-Length: 2\r\n") + "a", 0, func(s *still, fd int) { shut(s); s.add(fd, netip.Addr{}) }},
		{"reads a body", with("POST /delay/60000 HTTP/1.1", "Content-Length: 2\r\n") + "a", 0, func(s *still, fd int) { s.add(fd, netip.Addr{}); s.serveOrClose(s.conns[fd]); shut(s) }},
		{"is left to another turn", strings.Repeat(now, maxTurnRequests) + waits, 1, func(s *still, fd int) {
			s.add(fd, netip.Addr{})
			s.serveOrClose(s.conns[fd])
			shut(s)
			s.runDeferred()
		}},
	} {
		s := newStill(t)
		close(s.listener.closed)
		other, fd := client(t, tc.sent)
		tc.cut(s, fd)
		text, ended := received(other)
		if strings.Count(text, "HTTP/1.1 503 ") != tc.answers || !ended || s.queue.Len() != 0 || s.open != 0 {
			t.Errorf("%s: the client has %q, the end %v; %d wait, %d are open; want %d refusals, the end, and none", tc.name, text, ended, s.queue.Len(), s.open, tc.answers)
		}
		if n := len(s.ended); tc.answers > 0 && (n == 0 || s.ended[n-1] != journal.Shutdown) {
			t.Errorf("%s: the journal saw %v, want the last as %s", tc.name, s.ended, journal.Shutdown)
		}
	}
}

// A client that connects in the turn in which the loop is to drain is accepted
// before the listening socket is closed.
func TestTheDrainingTurnAcceptsFirst(t *testing.T) {
	s := newStill(t)
	ln := wiretest.Listen(t)
	if err := s.listen(ln.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	wiretest.Dial(t, ln.Addr().String()).Send(now)
	close(s.listener.closed)
	s.post(s.drain)
	s.turn()
	if len(s.ended) != 1 || len(s.listenFDs) != 0 {
		t.Errorf("%d are answered, the listening sockets are %v, want 1 and none", len(s.ended), s.listenFDs)
	}
}

// A connection goes to the listener of HTTP/2 only where it may be of that.
func TestHandsOverByProtocol(t *testing.T) {
	magic := string(preface)
	for _, tc := range []struct {
		name, sent string
		http1      bool
	}{
		{"the preface", magic + "more", false},
		{"the preface alone", magic, false},
		{"its first line", magic[:16], false},
		{"another request", "POST / HTTP/1.0\r\n", true},
		{"a page", with("GET / HTTP/1.1", ""), true},
		{"a short one that is malformed", "x\r\n\r\n", true},
		{"a preface that goes wrong", magic[:len(magic)-4] + "XX\r\n", true},
		{"the preface behind an answer", now + magic, true},
		{"its first line behind an answer", now + magic[:16], true},
	} {
		s := newStill(t)
		s.serveNew(t, tc.sent)
		want, not := s.listener.handed, s.listener.http1
		if tc.http1 {
			want, not = not, want
		}
		if len(want) != 1 || len(not) != 0 || s.open != 0 {
			t.Errorf("%s: handed over as of HTTP/1.1 alone: %v, want %v", tc.name, !tc.http1, tc.http1)
			continue
		}
		conn := <-want
		got, sent := make([]byte, len(tc.sent)), strings.TrimPrefix(tc.sent, now)
		if _, err := io.ReadFull(conn, got[:1]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, got[1:len(sent)]); err != nil || string(got[:len(sent)]) != sent {
			t.Errorf("%s: read %q, %v, want %q", tc.name, got, err, sent)
		}
		_ = conn.Close()
	}
}

// What no endpoint that waits answers is handed over, and where its end is known,
// for one request.
func TestHandsOverForOneRequest(t *testing.T) {
	post, wrong := with("POST /page HTTP/1.1", "Content-Length: 5\r\n"), with("POST /delay/x HTTP/1.1", "Content-Length: 1\r\n")
	for _, tc := range []struct {
		name, sent string
		size       int
	}{
		{"a page", with("GET /page HTTP/1.1", "") + now, len(with("GET /page HTTP/1.1", ""))},
		{"a page that is asked for with a body", post + "he", len(post) + 5},
		{"an error, whose body is to come", wrong, len(wrong) + 1},
		{"what is unsupported", with("GET /delay/0 HTTP/1.1", "Transfer-Encoding: chunked\r\n"), 0},
		{"an upgrade", with("GET /page HTTP/1.1", "Upgrade: a\r\n"), 0},
	} {
		s := newStill(t)
		s.serveNew(t, tc.sent)
		conn := (<-s.listener.http1).(*handedConn)
		if conn.size != tc.size || string(conn.read) != tc.sent {
			t.Errorf("%s: handed over for %d bytes of %q, want %d of %q", tc.name, conn.size, conn.read, tc.size, tc.sent)
		}
		_ = conn.Close()
	}
}

// A connection that asks for nothing that waits is handed over for life, and counts
// from the start once it asks for something that does.
func TestHandsOverForLife(t *testing.T) {
	page := with("GET /page HTTP/1.1", "")
	for _, tc := range []struct {
		before uint8
		sent   string
		size   int
	}{
		{0, page, len(page)},
		{maxHandedOver - 1, page, len(page)},
		{maxHandedOver, page, 0},
		{maxHandedOver, now + page, len(page)},
	} {
		s := newStill(t)
		_, fd := client(t, tc.sent)
		s.addReturned(fd, netip.Addr{}, &handedConn{count: tc.before})
		conn := (<-s.listener.http1).(*handedConn)
		if conn.size != tc.size {
			t.Errorf("handed over %d times before, and then for %d bytes of %q, want %d", tc.before, conn.size, tc.sent, tc.size)
		}
		_ = conn.Close()
	}
}

// What a plan refuses is answered by the loop, without a place or an end in the
// journal, and the connection goes on.
func TestRefusals(t *testing.T) {
	s := newStill(t)
	other, _ := s.serveNew(t, with("GET /delay/x HTTP/1.1", "")+with("POST /delay/0?status=1 HTTP/1.1", "Content-Length: 2\r\n")+"ab"+now+with("HEAD /delay/x HTTP/1.1", "Connection: close\r\n"))
	text, ended := received(other)
	var lines []string
	for line := range strings.Lines(text) {
		if _, status, ok := strings.Cut(line, "HTTP/1.1 "); ok { // a body has no line end
			lines = append(lines, status[:3])
		}
	}
	if want := []string{"400", "400", "200", "400"}; !slices.Equal(lines, want) || !ended || len(s.ended) != 1 || !strings.HasSuffix(text, "\r\n\r\n") {
		t.Errorf("got %q of %q, the end %v, the journal saw %v, want %q and the end", lines, text, ended, s.ended, want)
	}
}

// A client that does not take its answer keeps a place, up to WriteTimeout; then
// the connection ends.
func TestAnAnswerThatIsNotTakenHoldsAPlace(t *testing.T) {
	s := newStill(t, func(c *Config) { c.WriteTimeout = time.Hour })
	_, fd := client(t, strings.Repeat(now, 3))
	full := make([]byte, 64<<10)
	for _, err := send(fd, full); err == nil; _, err = send(fd, full) {
	}
	s.add(fd, netip.Addr{})
	s.serve(s.conns[fd], unix.EPOLLIN, onEvent)
	places := s.listener.config.Limit
	if n := places.Inside(); n != 1 || s.open != 1 {
		t.Errorf("%d places are taken, %d are open, want 1 and 1", n, s.open)
	}
	s.now = time.Now().Add(59 * time.Minute)
	s.expire()
	if n := places.Inside(); n != 1 || s.open != 1 {
		t.Errorf("before WriteTimeout: %d places are taken, %d are open, want 1 and 1", n, s.open)
	}
	s.now = time.Now().Add(time.Hour)
	s.expire()
	if n := places.Inside(); n != 0 || s.open != 0 || len(s.ended) != 1 {
		t.Errorf("after WriteTimeout: %d places are taken, %d are open, %v ended, want none", n, s.open, s.ended)
	}
}

// Each answer has a write deadline, whatever it is made of, and each part of one:
// a client that reads goes on, whatever all of it takes.
func TestWriteTimeout(t *testing.T) {
	for name, target := range map[string]string{
		"padding": "/status/200?size=100000000", "random bytes": "/bytes/100000000", "truncated": "/status/200?size=200000000&fault=truncate",
		"in a pool": "/status/200?size=100000000&pool=a&workers=1",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStill(t, func(c *Config) { c.WriteTimeout = time.Hour })
			other, c := s.serveNew(t, with("GET "+target+" HTTP/1.1", ""))
			fill := func() {
				for !c.sendBlocked() || c.deferred {
					s.runDeferred()
				}
			}
			fill()
			if !c.holdsClock || s.listener.config.Limit.Inside() != 1 {
				t.Errorf("the clock is held: %v, %d places are taken", c.holdsClock, s.listener.config.Limit.Inside())
			}
			first := c.deadline
			for some := make([]byte, 64<<10); c.deadline == first; { // it reads in time
				if _, err := other.Read(some); err != nil {
					t.Fatal(err)
				}
				s.serve(c, unix.EPOLLOUT, onEvent)
				fill()
			}
			if c.deadline < first {
				t.Error("the deadline of another part is before that of the first")
			}
			s.now = time.Unix(0, c.deadline)
			s.expire()
			if s.open != 0 || !slices.Equal(s.ended, []journal.Outcome{journal.ClientClosed}) || len(s.listener.config.Engine.Pools.States()) != 0 {
				t.Errorf("after WriteTimeout %d are open, the journal saw %v, want none, and %s", s.open, s.ended, journal.ClientClosed)
			}
			frozen := s.listener.config.Engine.Clock
			frozen.Freeze()
			s.queue.Park()
			if err := frozen.Advance(t.Context(), time.Hour); err != nil {
				t.Errorf("Advance = %v", err)
			}
			s.queue.Unpark()
		})
	}
}

// The time for each step of a connection, by its list.
func TestTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		timeout    time.Duration
		want       string // how the last of what is sent begins
	}{
		{"nothing", "", time.Minute, ""},
		{"part of a request line", "GET /delay", time.Minute, "HTTP/1.1 400 "},
		{"a part behind an answer", now + "GET /delay/0 HTTP/1.1\r\n", time.Minute, "HTTP/1.1 200 "},
		{"idle", now, time.Hour, "HTTP/1.1 200 "},
		{"too little behind an answer is idle", now + "GET", time.Hour, "HTTP/1.1 200 "},
		{"part of a body", with("POST /delay/0 HTTP/1.1", "Content-Length: 9\r\n") + "hello", time.Minute, "HTTP/1.1 408 "},
	} {
		s := newStill(t, func(c *Config) { c.IdleTimeout = time.Hour })
		other, _ := s.serveNew(t, tc.sent)
		begun := s.now
		s.now = begun.Add(tc.timeout - 1)
		if s.expire(); s.open != 1 {
			t.Errorf("%s: the connection ends before %v", tc.name, tc.timeout)
			continue
		}
		s.now = begun.Add(tc.timeout)
		s.expire()
		text, ended := received(other)
		if last := text[max(0, strings.LastIndex(text, "HTTP/1.1 ")):]; s.open != 0 || !ended || !strings.HasPrefix(last, tc.want) || tc.want == "" && text != "" {
			t.Errorf("%s: %d are open, the client has %q, the end %v", tc.name, s.open, text, ended)
		}
	}
}

// A request that is answered before its time is up has no timer left, which would
// be waited for, and be counted, on the clock.
func TestNoTimerIsLeft(t *testing.T) {
	for _, target := range []string{"/hold/a?timeout=60", "/hold/a?timeout=60&fault=reset", "/hold/a?timeout=60&pool=a&workers=1"} {
		s := newStill(t)
		_, c := s.serveNew(t, get(target))
		if n := s.queue.Len(); n != 1 {
			t.Errorf("%s: %d timers are set, want 1", target, n)
		}
		if _, err := s.listener.config.Engine.Holds.Release("a", 0); err != nil {
			t.Fatal(err)
		}
		s.queue.RunDue(batchSize)
		if n := s.queue.Len(); n != 0 || c.flow.Running() || len(s.ended) != 1 {
			t.Errorf("%s: %d timers are left, it runs: %v, the journal saw %v", target, n, c.flow.Running(), s.ended)
		}
	}
}

// A panic ends the connection that it was for, and no other.
func TestAPanicEndsOneConnection(t *testing.T) {
	for name, times := range map[string]int{"once": 1, "again in the answer to it": 1 << 30} {
		for _, target := range []string{"/delay/0", "/delay/1", "/delay/0?pool=a&workers=1", "/drip?delay=0&duration=0"} {
			t.Run(name+target, func(t *testing.T) {
				left := times
				s := newStill(t, func(c *Config) {
					c.Engine.Origin = func(origin string) string { return origin }
					c.Engine.Header = func(_ http.Header, origin string) {
						if origin == "panic" && left > 0 {
							left--
							panic("in a flow")
						}
					}
				})
				bystander, c := s.serveNew(t, with("GET /delay/60000 HTTP/1.1", ""))
				victim, _ := s.serveNew(t, with("GET "+target+" HTTP/1.1", "Origin: panic\r\n"))
				for s.open > 1 {
					s.queue.RunDue(batchSize)
				}
				if text, ended := received(victim); !ended || strings.Contains(text, " 200 ") {
					t.Errorf("the client has %q, the end %v", text, ended)
				}
				if n, w := s.listener.config.Limit.Inside(), s.listener.config.Engine.Journal.Waiting(); n != 1 || w != 1 || len(s.ended) != 1 || s.ended[0] != journal.Failed {
					t.Errorf("%d places are taken, %d wait, the journal saw %v; want the other's, and %s", n, w, s.ended, journal.Failed)
				}
				if len(s.out) != 0 || len(s.listener.config.Engine.Pools.States()) != 0 {
					t.Errorf("%q is left to send, and %v", s.out, s.listener.config.Engine.Pools.States())
				}
				if !c.flow.Running() {
					t.Error("the other does not wait any more")
				}
				c.timer.Owner.Fire(true)
				if text, _ := received(bystander); !strings.HasPrefix(text, "HTTP/1.1 200 ") {
					t.Errorf("the other has %q", text)
				}
			})
		}
	}
}

// A panic where a request is looked for ends its connection too.
func TestAPanicInFind(t *testing.T) {
	s := newStill(t, func(c *Config) { c.Find = func(*plan.Request) (*plan.Template, error) { panic("in Find") } })
	other, _ := s.serveNew(t, now)
	if text, ended := received(other); !ended || text != "" || s.open != 0 {
		t.Errorf("the client has %q, the end %v, %d are open", text, ended, s.open)
	}
}

// A client that leaves ends its request, wherever that waits; so does one that only
// ends its sending. Like net/http, the loop does not see that behind bytes that
// come while the request waits.
func TestAClientThatLeaves(t *testing.T) {
	for _, target := range []string{"/delay/60000", "/hold/a", "/barrier/a?parties=2", "/drip?duration=60", "/delay/60000?pool=a&workers=1"} {
		for name, leave := range map[string]func(*net.TCPConn){
			"closes": func(c *net.TCPConn) { _ = c.Close() },
			"resets": func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
			"ends":   func(c *net.TCPConn) { _ = c.CloseWrite() },
		} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprint(name, target, after), func(t *testing.T) {
					s := newStill(t)
					other, c := s.serveNew(t, with("GET "+target+" HTTP/1.1", "")+now)
					if after {
						s.more(t, other, c, now)
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
					if (s.open == 0) != !after || !after && !slices.Equal(s.ended, []journal.Outcome{journal.ClientClosed}) {
						t.Errorf("%d are open, the journal saw %v", s.open, s.ended)
					}
				})
			}
		}
	}
}
