//go:build linux

package fastlane

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a lane on a free port of loopback, which is closed by the test's end.
func open(t *testing.T) *Lane {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	now := clock.New()
	lane, err := Listen(ln.(*net.TCPListener), Config{
		Clock: now, Journal: journal.New(1, now.Now, func(journal.Wait) {}), Log: slog.New(slog.DiscardHandler), Limit: gate.NewShares(1<<20, 1<<20),
		Header: http.Header{}, MaxDelay: time.Minute, ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
		Cut: http.NotFoundHandler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lane.Close()
		lane.Cut()
	})
	return lane
}

func dial(t *testing.T, lane *Lane) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", lane.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// kept returns the most bytes that the lane keeps of a connection.
func (lane *Lane) kept() (most int) {
	for _, l := range lane.loops {
		seen := make(chan int)
		l.post(func() {
			n := 0
			for _, c := range l.conns {
				if c != nil {
					n = max(n, len(c.rest))
				}
			}
			seen <- n
		})
		most = max(most, <-seen)
	}
	return most
}

// However much a client sends behind a request that waits, the lane leaves it to
// the system, which holds the client up.
func TestLittleIsKeptOfAClientThatSendsWithoutEnd(t *testing.T) {
	lane := open(t)
	conn := dial(t, lane)
	go func() {
		many := strings.Repeat(with("GET /delay/1 HTTP/1.1", ""), 1000)
		for {
			if _, err := io.WriteString(conn, many); err != nil {
				return // by the test's end
			}
		}
	}()
	in := bufio.NewReader(conn)
	for range 300 {
		reply, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, reply.Body); err != nil {
			t.Fatal(err)
		}
		if n := lane.kept(); n > mostRead+mostRest {
			t.Fatalf("%d bytes are kept of it, want %d at the most", n, mostRead+mostRest)
		}
	}
}

func TestWhatIsHandedOverIsReadFromItsBegin(t *testing.T) {
	lane := open(t)
	const sent = "POST /delay/1 HTTP/1.1\r\nHost: a\r\n\r\n"
	if _, err := io.WriteString(dial(t, lane), sent); err != nil {
		t.Fatal(err)
	}
	conn, err := lane.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got[:5]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got[5:]); err != nil || string(got) != sent {
		t.Errorf("read %q, %v, want %q", got, err, sent)
	}
	for _, is := range []bool{is[interface{ CloseWrite() error }](conn), is[interface{ SetLinger(int) error }](conn)} {
		if !is {
			t.Errorf("a connection that is handed over cannot do what net/http and faults ask of one of TCP")
		}
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func TestAClosedLaneAcceptsNone(t *testing.T) {
	lane := open(t)
	idle := dial(t, lane)
	if err := lane.Shutdown(t.Context()); err != nil {
		t.Fatalf("Shutdown = %v", err)
	}
	for _, ln := range []net.Listener{lane, lane.HTTP1()} {
		if _, err := ln.Accept(); err != net.ErrClosed { // what net.Listener promises, not an error around it
			t.Errorf("Accept = %v, want net.ErrClosed", err)
		}
	}
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("an idle connection reads %d bytes, want its end", n)
	}
	if conn, err := net.Dial("tcp", lane.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("it still accepts")
	}
}

// A connection that is handed over lives on by another descriptor, so its end
// would leave epoll telling of it.
func TestEpollForgetsWhatIsHandedOver(t *testing.T) {
	lane := open(t)
	before := lane.watched(t)
	if _, err := io.WriteString(dial(t, lane), "POST / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	conn, err := lane.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if after := lane.watched(t); after != before {
		t.Errorf("epoll tells of %d descriptors, want %d as before", after, before)
	}
}

// watched returns how many descriptors the loops' epolls tell of.
func (lane *Lane) watched(t *testing.T) (n int) {
	t.Helper()
	for _, l := range lane.loops {
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.poll))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(info), "tfd:")
	}
	return n
}

// A process that has no descriptors left is told so, whichever is the one that
// it lacks, and has as many as before.
func TestListenWithoutDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }()
	open(t) // whatever the runtime opens on first use, it has opened
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	now := clock.New()
	free, err := anyFD()
	if err != nil {
		t.Fatal(err)
	}
	closeFD(free)
	for more := range 1 + 4*runtime.GOMAXPROCS(0) { // the spare one, and four a loop
		low := unix.Rlimit{Cur: uint64(free + more), Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		lane, err := Listen(ln.(*net.TCPListener), Config{Clock: now, Limit: gate.NewShares(1<<20, 1<<20), Header: http.Header{}, Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, unix.EMFILE) {
			t.Errorf("Listen with %d descriptors free = %v, %v, want EMFILE", more, lane, err)
		}
		if again, err := anyFD(); more > 0 && (err != nil || again != free) {
			t.Errorf("after Listen with %d descriptors free: the next is %d, %v, want %d as before", more, again, err, free)
		} else if more > 0 {
			closeFD(again)
		}
	}
}
