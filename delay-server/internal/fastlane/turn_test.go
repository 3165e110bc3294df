//go:build linux

package fastlane

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

// still is a loop that nobody runs, of a lane that has no other.
func still(t *testing.T) (l *loop, answered *int) {
	t.Helper()
	now, answered := clock.New(), new(int)
	count := func(journal.Wait) { *answered++ }
	lane := &Lane{head: newHead(http.Header{}), names: newNames(nil), closed: make(chan struct{}), config: Config{
		Clock: now, Journal: journal.New(1, now.Now, count), Log: slog.New(slog.DiscardHandler), Limit: gate.NewShares(1<<20, 1<<20),
		MaxDelay: time.Hour, ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute, Cut: http.NotFoundHandler(),
	}}
	l, err := newLoop(lane)
	if err != nil {
		t.Fatal(err)
	}
	lane.loops = []*loop{l}
	t.Cleanup(func() {
		for _, c := range l.conns {
			if c != nil {
				l.close(c)
			}
		}
		l.end()
	})
	return l, answered
}

// client is the other end of a connection on which this has been sent, and the
// loop's end.
func client(t *testing.T, sent string) (client, server int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeFD(ends[0]) })
	if _, err := unix.Write(ends[0], []byte(sent)); err != nil {
		t.Fatal(err)
	}
	return ends[0], ends[1]
}

// received is all that has come to a client, and whether the end has. Another
// thread that polls may put off the end for a moment.
func received(fd int) (text string, ended bool) {
	b := make([]byte, 64<<10)
	for {
		n, err := read(fd, b)
		if err == unix.EAGAIN {
			if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20); ready > 0 {
				continue
			}
		}
		if err != nil || n == 0 {
			return text, err == nil
		}
		text += string(b[:n])
	}
}

// A turn has few requests of a client that sends many, and each turn goes on.
func TestATurnServesFewRequestsOfOneConnection(t *testing.T) {
	const n = 10*mostServed + 3
	l, answered := still(t)
	_, fd := client(t, strings.Repeat(with("GET /delay/0 HTTP/1.1", ""), n))
	l.add(fd, netip.Addr{})
	l.event(l.conns[fd], unix.EPOLLIN)
	for turn := 1; ; turn++ {
		if want := min(turn*mostServed, n); *answered != want {
			t.Fatalf("after turn %d: %d are answered, want %d", turn, *answered, want)
		}
		if len(l.unread) == 0 {
			break
		}
		l.goOn()
	}
	if *answered != n {
		t.Errorf("%d are answered at the end, want %d", *answered, n)
	}
}

// A turn goes on with few connections, however many were put off.
func TestATurnGoesOnWithFewConnections(t *testing.T) {
	const n = atOnce + 10
	l, answered := still(t)
	for range n {
		_, fd := client(t, strings.Repeat(with("GET /delay/0 HTTP/1.1", ""), 2*mostServed))
		l.add(fd, netip.Addr{})
		l.event(l.conns[fd], unix.EPOLLIN)
	}
	l.goOn()
	if want := (n + atOnce) * mostServed; *answered != want {
		t.Errorf("after a turn %d are answered, want %d", *answered, want)
	}
	for range 3 {
		l.goOn()
	}
	if want := 2 * n * mostServed; *answered != want || len(l.unread) > 0 {
		t.Errorf("at the end %d are answered, %d put off, want %d and none", *answered, len(l.unread), want)
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
		{"a request", with("GET /delay/0 HTTP/1.1", ""), 0, 1},
		{"a request that waits", with("GET /delay/60000 HTTP/1.1", ""), 1, 0},
		{"half a request", "GET /delay/0 HT", 0, 0},
	} {
		for when, drain := range map[string]func(*loop, int){
			"added before": func(l *loop, fd int) { l.add(fd, netip.Addr{}); l.drain() },
			"added after":  func(l *loop, fd int) { l.drain(); l.add(fd, netip.Addr{}) },
		} {
			l, _ := still(t)
			close(l.lane.closed)
			other, fd := client(t, tc.sent)
			drain(l, fd)
			text, ended := received(other)
			answers := strings.Count(text, "\r\nConnection: close\r\n")
			if l.queue.Len() != tc.waits || l.open != tc.waits || answers != tc.answers || ended != (tc.waits == 0) {
				t.Errorf("%s, %s: %d wait, %d are open, the client has %q, the end %v; want %d waiting, %d answers", tc.name, when, l.queue.Len(), l.open, text, ended, tc.waits, tc.answers)
			}
		}
	}
}

// A request that begins to wait once the loop is cut is answered as those that
// waited before, however late it comes to the loop.
func TestACutLoopHasNobodyWait(t *testing.T) {
	waits := with("GET /delay/60000 HTTP/1.1", "")
	for _, tc := range []struct {
		name, sent string
		cut        func(l *loop, fd int)
	}{
		{"waits before", waits, func(l *loop, fd int) { l.add(fd, netip.Addr{}); l.lookOnce(l.conns[fd]); l.drain(); l.cut() }},
		{"is added after", waits, func(l *loop, fd int) { l.drain(); l.cut(); l.add(fd, netip.Addr{}) }},
		{"is left to another turn", strings.Repeat(with("GET /delay/0 HTTP/1.1", ""), mostServed) + waits, func(l *loop, fd int) {
			l.add(fd, netip.Addr{})
			l.lookOnce(l.conns[fd])
			l.drain()
			l.cut()
			l.goOn()
		}},
	} {
		l, ended := still(t)
		close(l.lane.closed)
		other, fd := client(t, tc.sent)
		tc.cut(l, fd)
		text, gone := received(other)
		requests := strings.Count(tc.sent, "GET ")
		if strings.Count(text, "HTTP/1.1 404 ") != 1 || !gone || l.queue.Len() != 0 || l.open != 0 || *ended != requests {
			t.Errorf("%s: the client has %q, the end %v; %d wait, %d are open, the journal saw %d end; want Config.Cut's answer, the end, none, and %d",
				tc.name, text, gone, l.queue.Len(), l.open, *ended, requests)
		}
	}
}

// A client that connects in the turn in which the loop is to drain is accepted
// before the listening socket is closed.
func TestTheDrainingTurnAcceptsFirst(t *testing.T) {
	l, answered := still(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.listen(ln.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, with("GET /delay/0 HTTP/1.1", "")); err != nil {
		t.Fatal(err)
	}
	close(l.lane.closed)
	l.post(l.drain)
	l.step()
	if *answered != 1 || l.entry != -1 {
		t.Errorf("%d are answered, the listening socket is %d, want 1 and -1", *answered, l.entry)
	}
}

// A connection goes to the listener of HTTP/2 only where it may be of that.
func TestHandsOverByProtocol(t *testing.T) {
	get, magic := with("GET /delay/0 HTTP/1.1", ""), string(preface)
	for _, tc := range []struct {
		name, sent string
		http1      bool
	}{
		{"the preface", magic + "more", false},
		{"the preface alone", magic, false},
		{"its first byte", "P", false},
		{"another request", "POST / HTTP/1.1\r\n", true},
		{"a short one that is malformed", "x\r\n\r\n", true},
		{"a preface that goes wrong", magic[:len(magic)-4] + "XX\r\n", true},
		{"the preface behind an answer", get + magic, true},
		{"its first bytes behind an answer", get + "PRI ", true},
	} {
		l, _ := still(t)
		l.lane.handed, l.lane.http1 = make(chan net.Conn, 1), make(chan net.Conn, 1)
		other, fd := client(t, tc.sent)
		l.add(fd, netip.Addr{})
		l.event(l.conns[fd], unix.EPOLLIN)
		want, not := l.lane.handed, l.lane.http1
		if tc.http1 {
			want, not = not, want
		}
		if len(want) != 1 || len(not) != 0 {
			t.Errorf("%s: handed over as of HTTP/1.1 alone: %v, want %v", tc.name, !tc.http1, tc.http1)
			continue
		}
		_ = (<-want).Close()
		received(other)
	}
}

// An answer that a client does not take holds a place, up to WriteTimeout; then
// the connection ends.
func TestAnAnswerThatIsNotTakenHoldsAPlace(t *testing.T) {
	l, _ := still(t)
	l.lane.uncut, l.lane.cut = context.WithCancel(t.Context())
	defer l.lane.cut()
	l.lane.config.WriteTimeout = 50 * time.Millisecond
	other, fd := client(t, strings.Repeat(with("GET /delay/0 HTTP/1.1", ""), 3))
	full := make([]byte, 64<<10)
	for _, err := send(fd, full); err == nil; _, err = send(fd, full) {
	}
	begin := time.Now()
	l.add(fd, netip.Addr{})
	l.event(l.conns[fd], unix.EPOLLIN)
	if n := l.lane.config.Limit.Inside(); n != 1 || l.open != 0 {
		t.Errorf("%d places are taken, %d are open, want 1 and 0", n, l.open)
	}
	l.lane.serving.Wait()
	if n, lasted := l.lane.config.Limit.Inside(), time.Since(begin); n != 0 || lasted < l.lane.config.WriteTimeout {
		t.Errorf("%d places are taken after %v, want 0 after WriteTimeout", n, lasted)
	}
	if _, ended := received(other); !ended {
		t.Error("the connection has not ended")
	}
}
