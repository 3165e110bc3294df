package eventloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/wiretest"
)

// open starts loops on free loopback ports. It closes them when the test ends.
func open(t *testing.T, ports int, change ...func(*Config)) (*Listener, []net.Addr) {
	t.Helper()
	config := newConfig(func(journal.Wait) {})
	for _, f := range change {
		f(&config)
	}
	var lns []*net.TCPListener
	var addrs []net.Addr
	for range ports {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		lns, addrs = append(lns, tcp.(*net.TCPListener)), append(addrs, tcp.Addr())
	}
	ln, err := Listen(config, lns...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ln.Close()
		ln.ForceClose()
		if n, w := config.Limit.Inside(), config.Engine.Journal.Waiting(); n != 0 || w != 0 {
			t.Errorf("at the end: %d requests in flight, %d waiting; want none", n, w)
		}
	})
	return ln, addrs
}

func dial(t *testing.T, addr net.Addr) *wiretest.Conn {
	t.Helper()
	return wiretest.Dial(t, addr.String())
}

// sum calls f on each loop, after everything posted before, and adds up the results.
func (ln *Listener) sum(f func(*loop) int) (sum int) {
	for _, l := range ln.loops {
		result := make(chan int, 1)
		if l.post(func() { result <- f(l) }) {
			sum += <-result
		}
	}
	return sum
}

// serves returns the number of connections in the loops.
func (ln *Listener) serves() int { return ln.sum(func(l *loop) int { return l.open }) }

// receive reads a response and returns its body, or "waited" if the loop answered.
func receive(t *testing.T, c *wiretest.Conn) string {
	t.Helper()
	r, body := c.Receive(http.MethodGet)
	if r.Header.Get("Server-Timing") != "" {
		return "waited"
	}
	return body
}

// pages is a server of net/http for the connections that the loops hand over, set up
// like package program. "/page" responds at once. "/slow" sends to entered, and responds
// when the test sends to slow, or sends to left if the client leaves.
type pages struct {
	*Listener
	addr    net.Addr
	server  *http.Server
	slow    chan struct{}
	entered chan struct{}
	left    chan struct{}
}

func openPages(t *testing.T) *pages {
	t.Helper()
	ln, addrs := open(t, 1)
	p := &pages{
		Listener: ln, addr: addrs[0],
		slow: make(chan struct{}), entered: make(chan struct{}, 9), left: make(chan struct{}, 9),
	}
	p.server = &http.Server{
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if strings.HasPrefix(r.URL.Path, "/slow") {
				p.entered <- struct{}{}
				select {
				case <-p.slow:
				case <-r.Context().Done():
					p.left <- struct{}{}
				}
			}
			if strings.HasSuffix(r.URL.Path, "/last") {
				w.Header().Set("Connection", "close")
			}
			fmt.Fprint(w, r.Method, r.URL.Path, string(b))
		}),
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				c.(interface{ Idle() }).Idle()
			}
		},
	}
	var serving sync.WaitGroup
	for _, l := range []net.Listener{ln, ln.HTTP1()} {
		serving.Go(func() { _ = p.server.Serve(l) })
	}
	t.Cleanup(func() {
		_ = p.server.Close()
		serving.Wait()
	})
	return p
}

func get(path string) string { return reqHead("GET "+path+" HTTP/1.1", "") }

// After a page, net/http returns the connection to its loop, with the data it read.
func TestConnectionReturnsToItsLoop(t *testing.T) {
	page, wait := get("/page"), get("/delay/0")
	post := reqHead("POST /page HTTP/1.1", "Content-Length: 5\r\n")
	for _, tc := range []struct {
		name  string
		steps [][]string // bytes to send, and the responses to them
	}{
		{"a page", [][]string{{page, "GET/page"}, {wait, "waited"}, {page, "GET/page"}, {wait, "waited"}}},
		{"a page and a wait", [][]string{{page + wait, "GET/page", "waited"}}},
		{"two pages", [][]string{{page + page + wait, "GET/page", "GET/page", "waited"}}},
		{"with a part of the next request", [][]string{{page + wait[:9], "GET/page"}, {wait[9:], "waited"}}},
		{"a body", [][]string{{post + "hello", "POST/pagehello"}, {post + "hello" + wait, "POST/pagehello", "waited"}}},
		{"all in one packet", [][]string{append(
			[]string{strings.Repeat(page+wait, 9)}, strings.Fields(strings.Repeat("GET/page waited ", 9))...)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := openPages(t)
			c := dial(t, p.addr)
			for i, step := range tc.steps {
				c.Send(step[0])
				for _, want := range step[1:] {
					if got := receive(t, c); got != want {
						t.Fatalf("step %d: got response %q, want %q", i, got, want)
					}
				}
			}
			wiretest.Eventually(t, "the loop serves the connection again", func() bool { return p.serves() == 1 })
		})
	}
}

// The connection returns to its loop even if the body arrives in parts.
func TestPageWithSlowBody(t *testing.T) {
	p := openPages(t)
	c := dial(t, p.addr)
	head, wait := reqHead("POST /page HTTP/1.1", "Content-Length: 5\r\n"), get("/delay/0")
	for _, part := range []string{head, "he", "llo" + wait[:3], wait[3:]} {
		c.Send(part)
		time.Sleep(time.Millisecond) // usually separates the reads
	}
	if a, b := receive(t, c), receive(t, c); a != "POST/pagehello" || b != "waited" {
		t.Errorf("got %q and %q", a, b)
	}
}

// All requests that arrive while net/http answers are answered in order.
func TestManyRequestsAfterAPage(t *testing.T) {
	p := openPages(t)
	c := dial(t, p.addr)
	const n = 20_000
	go func() {
		_, _ = io.WriteString(c, get("/slow")+strings.Repeat(get("/delay/0"), n)+get("/page"))
	}()
	<-p.entered
	time.Sleep(10 * time.Millisecond) // net/http reads ahead meanwhile
	p.slow <- struct{}{}
	if got := receive(t, c); got != "GET/slow" {
		t.Errorf("the first response is %q", got)
	}
	for i := range n {
		if got := receive(t, c); got != "waited" {
			t.Fatalf("response %d is %q", i, got)
		}
	}
	if got := receive(t, c); got != "GET/page" {
		t.Errorf("the last response is %q", got)
	}
}

// A client that leaves while net/http answers is noticed, and its connection closed.
func TestClientLeavesPage(t *testing.T) {
	for name, leave := range map[string]func(*wiretest.Conn){
		"closes": func(c *wiretest.Conn) { _ = c.Close() },
		"resets": func(c *wiretest.Conn) { _ = c.SetLinger(0); _ = c.Close() },
		"ends":   func(c *wiretest.Conn) { _ = c.CloseWrite() },
	} {
		for _, next := range []string{"", get("/delay/60000")} { // net/http does not read the second request
			t.Run(name+next, func(t *testing.T) {
				p := openPages(t)
				before := openFDs(t)
				c := dial(t, p.addr)
				c.Send(get("/slow") + next)
				<-p.entered
				leave(c)
				<-p.left
				_ = c.Close()
				wiretest.Eventually(t, "the connection is closed", func() bool {
					return p.serves() == 0 && openFDs(t) == before
				})
			})
		}
	}
}

// openFDs returns the number of file descriptors of the process.
func openFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A page that is in progress when the listener drains is answered and its connection
// closed, whether or not its loop has ended.
func TestPageDuringDrain(t *testing.T) {
	for _, waits := range []bool{false, true} {
		for _, next := range []string{"", get("/delay/0")} {
			t.Run(fmt.Sprint(waits, next), func(t *testing.T) {
				p := openPages(t)
				c := dial(t, p.addr)
				c.Send(get("/slow") + next)
				<-p.entered
				var waiting *wiretest.Conn
				if waits { // keep the loops running
					for range p.loops {
						waiting = dial(t, p.addr)
						waiting.Send(get("/hold/a"))
					}
					wiretest.Eventually(t, "one request waits on each loop", func() bool {
						return p.config.Engine.Journal.Waiting() == len(p.loops)
					})
				}
				_ = p.Close()
				if !waits {
					<-p.ended
				}
				p.slow <- struct{}{}
				if got := receive(t, c); got != "GET/slow" {
					t.Errorf("got %q", got)
				}
				if waits && next != "" {
					if got := receive(t, c); got != "waited" {
						t.Errorf("after the page, got response %q", got)
					}
				}
				if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("then got %q, %v, want the connection closed", rest, err)
				}
				if waits {
					if _, err := p.config.Engine.Holds.Release(gate.NameOf("", "a"), gate.Choice{}); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := p.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown = %v", err)
				}
			})
		}
	}
}

// A connection that net/http closes does not return to its loop.
func TestConnectionClosedByNetHTTP(t *testing.T) {
	for _, sent := range []string{
		get("/page/last"),
		reqHead("GET /page HTTP/1.1", "Connection: close\r\n"),
		"GET /delay/0 HTTP/1.0\r\n\r\n",
	} {
		p := openPages(t)
		c := dial(t, p.addr)
		c.Send(sent)
		if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), strings.Fields(sent)[1]) {
			t.Errorf("%q: got %q, %v", sent, b, err)
		}
		if n := p.serves(); n != 0 {
			t.Errorf("%q: %d connections are open", sent, n)
		}
	}
}

// A handed-over connection has the methods of TCP that net/http and faults need.
func TestHandedOverConnectionIsTCP(t *testing.T) {
	ln, addrs := open(t, 1)
	dial(t, addrs[0]).Send(get("/page"))
	conn, err := ln.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, ok := conn.(interface {
		CloseWrite() error
		SetLinger(int) error
		Idle()
	}); !ok {
		t.Errorf("%T lacks a method", conn)
	}
}

// A handed-over connection stays open through another descriptor, so closing the first
// one does not remove it from epoll.
func TestHandOverRemovesFromEpoll(t *testing.T) {
	ln, addrs := open(t, 1)
	before := ln.watched(t)
	dial(t, addrs[0]).Send(get("/page"))
	conn, err := ln.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if after := ln.watched(t); after != before {
		t.Errorf("epoll watches %d descriptors, want %d as before", after, before)
	}
}

// watched returns the number of descriptors that the loops' pollers watch.
func (ln *Listener) watched(t *testing.T) (n int) {
	t.Helper()
	for _, l := range ln.loops {
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", l.poller.fd))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(info), "tfd:")
	}
	return n
}

// The loop buffers little of a client that keeps sending while its requests wait. The
// kernel's flow control blocks the client.
func TestReadAheadIsBounded(t *testing.T) {
	ln, addrs := open(t, 1)
	conn := dial(t, addrs[0])
	go func() {
		many := strings.Repeat(get("/delay/1"), 1000)
		for {
			if _, err := io.WriteString(conn, many); err != nil {
				return // the test has ended
			}
		}
	}()
	for range 300 {
		receive(t, conn)
		buffered := ln.sum(func(l *loop) (n int) {
			for _, c := range l.conns {
				if c != nil {
					n += len(c.buffered())
				}
			}
			return n
		})
		if buffered > maxRead+maxReadAhead {
			t.Fatalf("%d bytes are buffered, want at most %d", buffered, maxRead+maxReadAhead)
		}
	}
}

// A Listener accepts on several ports and closes them together.
func TestTwoPorts(t *testing.T) {
	ln, addrs := open(t, 2)
	if ln.Addr() != addrs[0] || ln.HTTP1().Addr() != addrs[0] {
		t.Errorf("Addr = %v, want %v", ln.Addr(), addrs[0])
	}
	for range 2 * len(ln.loops) {
		for _, addr := range addrs {
			c := dial(t, addr)
			c.Send(get("/delay/0"))
			if got := receive(t, c); got != "waited" {
				t.Errorf("%v: got %q", addr, got)
			}
		}
	}
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if conn, err := net.Dial("tcp", addr.String()); err == nil {
			_ = conn.Close()
			t.Errorf("%v still accepts", addr)
		}
	}
}

func TestClosedListener(t *testing.T) {
	ln, addrs := open(t, 1)
	idle := dial(t, addrs[0])
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Fatalf("Shutdown = %v", err)
	}
	for _, ln := range []net.Listener{ln, ln.HTTP1()} {
		if _, err := ln.Accept(); err != net.ErrClosed { // unwrapped
			t.Errorf("Accept = %v, want net.ErrClosed", err)
		}
	}
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("idle connection: read %d bytes, want EOF", n)
	}
}

// Shutdown waits for requests until its context is done. ForceClose ends them.
func TestShutdownAndForceClose(t *testing.T) {
	ln, addrs := open(t, 1)
	var conns []*wiretest.Conn
	for range 3 * len(ln.loops) {
		c := dial(t, addrs[0])
		c.Send(get("/delay/60000"))
		conns = append(conns, c)
	}
	wiretest.Eventually(t, "all requests wait", func() bool { return ln.config.Engine.Journal.Waiting() == len(conns) })
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := ln.Shutdown(ctx); err != cause {
		t.Errorf("Shutdown = %v, want %v", err, cause)
	}
	if n := ln.config.Engine.Journal.Waiting(); n != len(conns) {
		t.Errorf("%d requests wait, want %d", n, len(conns))
	}
	ln.ForceClose()
	for _, c := range conns {
		b, err := io.ReadAll(c)
		closes := strings.Contains(string(b), "\r\nConnection: close\r\n")
		if err != nil || !closes || !strings.HasPrefix(string(b), "HTTP/1.1 503 ") {
			t.Errorf("got %q, %v, want 503 and Connection: close", b, err)
		}
	}
}

// limitFDs returns a function that limits the process to n descriptors until the test
// ends; a negative n lifts the limit.
func limitFDs(t *testing.T) (limit func(n int)) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
	return func(n int) {
		low := old
		if n >= 0 {
			low.Cur = uint64(n)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
	}
}

// nextFD returns the lowest free descriptor.
func nextFD(t *testing.T) int {
	t.Helper()
	fd, err := reserveFD()
	if err != nil {
		t.Fatal(err)
	}
	closeFD(fd)
	return fd
}

// Listen without free descriptors returns EMFILE and leaks none, whichever one is
// missing.
func TestListenWithoutDescriptors(t *testing.T) {
	open(t, 1) // the runtime opens descriptors on first use
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	limit := limitFDs(t)
	free := nextFD(t)
	for more := range 2 + 4*runtime.GOMAXPROCS(0) { // the reserve, four for each loop, and the port
		limit(free + more)
		ln, err := Listen(newConfig(func(journal.Wait) {}), tcp.(*net.TCPListener))
		if !errors.Is(err, unix.EMFILE) {
			t.Errorf("Listen with %d descriptors free = %v, %v, want EMFILE", more, ln, err)
		}
		limit(-1)
		if again := nextFD(t); again != free {
			t.Errorf("after Listen with %d descriptors free: the next one is %d, want %d as before", more, again, free)
		}
	}
}

// A client waits while the process has no free descriptor.
func TestAcceptWithoutDescriptors(t *testing.T) {
	ln, addrs := open(t, 1)
	c := dial(t, addrs[0])
	c.Send(get("/delay/0"))
	receive(t, c)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFD(fd)
	limit := limitFDs(t)
	limit(nextFD(t))
	to := unix.SockaddrInet4{Port: addrs[0].(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, &to); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte(get("/delay/0"))); err != nil {
		t.Fatal(err)
	}
	wiretest.Eventually(t, "the loop is out of descriptors", func() bool {
		seen := make(chan bool, 1)
		ln.loops[0].post(func() { seen <- ln.loops[0].outOfFDs })
		return <-seen
	})
	if n := ln.serves(); n != 1 {
		t.Errorf("%d connections are open, want 1", n)
	}
	c.Send(get("/delay/0"))
	if got := receive(t, c); got != "waited" {
		t.Errorf("another client got %q", got)
	}
	limit(-1)
	b := make([]byte, 12)
	if _, err := unix.Read(fd, b); err != nil || string(b) != "HTTP/1.1 200" {
		t.Errorf("got %q, %v", b, err)
	}
}

// Handing over and returning a connection need no free descriptor.
func TestHandOverWithoutDescriptors(t *testing.T) {
	p := openPages(t)
	var clients [2]*wiretest.Conn
	exchange := func(c *wiretest.Conn, path, want string) {
		t.Helper()
		c.Send(get(path))
		if got := receive(t, c); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for i := range clients {
		clients[i] = dial(t, p.addr)
		exchange(clients[i], "/page", "GET/page") // the runtime opens descriptors on first use
		exchange(clients[i], "/delay/0", "waited")
	}
	limitFDs(t)(nextFD(t))
	for range 3 {
		for _, c := range clients {
			c.Send(get("/slow"))
			<-p.entered
		}
		for _, c := range clients {
			p.slow <- struct{}{}
			if got := receive(t, c); got != "GET/slow" {
				t.Errorf("got %q", got)
			}
			exchange(c, "/delay/0", "waited")
		}
		p.reserve.Lock()
		if p.reserve.fd < 0 {
			t.Error("no reserved descriptor")
		}
		p.reserve.Unlock()
	}
}
