//go:build linux

package fastlane

import (
	"log/slog"
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
	lane := &Lane{form: newForm(http.Header{}), names: newNames(nil), closed: make(chan struct{}), config: Config{
		Clock: now, Journal: journal.New(1, now.Now, count), Log: slog.New(slog.DiscardHandler), Limit: gate.NewShares(1<<20, 1<<20),
		MaxDelay: time.Hour, ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
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

// received is all that has come to a client, and whether the end has.
func received(fd int) (text string, ended bool) {
	b := make([]byte, 64<<10)
	for {
		n, err := read(fd, b)
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
			if len(l.waiting) != tc.waits || l.open != tc.waits || answers != tc.answers || ended != (tc.waits == 0) {
				t.Errorf("%s, %s: %d wait, %d are open, the client has %q, the end %v; want %d waiting, %d answers", tc.name, when, len(l.waiting), l.open, text, ended, tc.waits, tc.answers)
			}
		}
	}
}
