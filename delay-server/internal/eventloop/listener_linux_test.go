package eventloop

import (
	"bufio"
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

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/wiretest"
)

// open returns loops on free ports of loopback, which are closed by the test's end.
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
			t.Errorf("at the end %d places are taken, %d wait", n, w)
		}
	})
	return ln, addrs
}

func dial(t *testing.T, addr net.Addr) *wiretest.Conn {
	t.Helper()
	return wiretest.Dial(t, addr.String())
}

// each returns f of each loop, of all that it has been posted before.
func (ln *Listener) each(f func(*loop) int) (sum int) {
	for _, l := range ln.loops {
		seen := make(chan int, 1)
		if l.post(func() { seen <- f(l) }) {
			sum += <-seen
		}
	}
	return sum
}

// serves returns how many connections the loops serve.
func (ln *Listener) serves() int { return ln.each(func(l *loop) int { return l.open }) }

// reply reads a reply and returns its body, "" for one of a wait.
func reply(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("reading a reply: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading a body: %v", err)
	}
	if r.Header.Get("Server-Timing") != "" {
		return "waited"
	}
	return string(b)
}

// pages is net/http that serves what the loops hand over, as package program does:
// "/page" is answered at once, and "/slow" once the test sends to slow; left counts
// the clients that left meanwhile.
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
	p := &pages{Listener: ln, addr: addrs[0], slow: make(chan struct{}), entered: make(chan struct{}, 9), left: make(chan struct{}, 9)}
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

func get(path string) string { return with("GET "+path+" HTTP/1.1", "") }

// A connection that asks for a page goes back to its loop, with what came behind.
func TestAConnectionGoesBackToItsLoop(t *testing.T) {
	post := with("POST /page HTTP/1.1", "Content-Length: 5\r\n")
	for _, tc := range []struct {
		name  string
		steps [][]string // what is sent, and the replies that come then
	}{
		{"a page", [][]string{{get("/page"), "GET/page"}, {get("/delay/0"), "waited"}, {get("/page"), "GET/page"}, {get("/delay/0"), "waited"}}},
		{"a page first of all", [][]string{{get("/page") + get("/delay/0"), "GET/page", "waited"}}},
		{"two pages", [][]string{{get("/page") + get("/page") + get("/delay/0"), "GET/page", "GET/page", "waited"}}},
		{"with a part of the next", [][]string{{get("/page") + get("/delay/0")[:9], "GET/page"}, {get("/delay/0")[9:], "waited"}}},
		{"a body", [][]string{{post + "hello", "POST/pagehello"}, {post + "hello" + get("/delay/0"), "POST/pagehello", "waited"}}},
		{"all at once", [][]string{append([]string{strings.Repeat(get("/page")+get("/delay/0"), 9)}, strings.Fields(strings.Repeat("GET/page waited ", 9))...)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := openPages(t)
			c := dial(t, p.addr)
			in := bufio.NewReader(c)
			for i, step := range tc.steps {
				if _, err := io.WriteString(c, step[0]); err != nil {
					t.Fatal(err)
				}
				for _, want := range step[1:] {
					if got := reply(t, in); got != want {
						t.Fatalf("step %d: the reply is %q, want %q", i, got, want)
					}
				}
			}
			wiretest.Eventually(t, "the loop serves the connection again", func() bool { return p.serves() == 1 })
		})
	}
}

// The body of a page may come in parts, and what is behind it still goes back.
func TestAPageWhoseBodyComesLate(t *testing.T) {
	p := openPages(t)
	c := dial(t, p.addr)
	for _, part := range []string{with("POST /page HTTP/1.1", "Content-Length: 5\r\n"), "he", "llo" + get("/delay/0")[:3], get("/delay/0")[3:]} {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that the parts are likely to be read apart
	}
	in := bufio.NewReader(c)
	if a, b := reply(t, in), reply(t, in); a != "POST/pagehello" || b != "waited" {
		t.Errorf("got %q and %q", a, b)
	}
}

// However much comes while a page is made, all of it is answered, and in order.
func TestMuchComesBehindAPage(t *testing.T) {
	p := openPages(t)
	c := dial(t, p.addr)
	const n = 20_000
	go func() {
		_, _ = io.WriteString(c, get("/slow")+strings.Repeat(get("/delay/0"), n)+get("/page"))
	}()
	<-p.entered
	time.Sleep(10 * time.Millisecond) // while net/http looks out for the end of the client
	p.slow <- struct{}{}
	in := bufio.NewReader(c)
	if got := reply(t, in); got != "GET/slow" {
		t.Errorf("the first reply is %q", got)
	}
	for i := range n {
		if got := reply(t, in); got != "waited" {
			t.Fatalf("reply %d is %q", i, got)
		}
	}
	if got := reply(t, in); got != "GET/page" {
		t.Errorf("the last reply is %q", got)
	}
}

// A client that leaves while a page is made is seen to, and nothing of it is left.
func TestAClientLeavesAPage(t *testing.T) {
	for name, leave := range map[string]func(*wiretest.Conn){
		"closes": func(c *wiretest.Conn) { _ = c.Close() },
		"resets": func(c *wiretest.Conn) { _ = c.SetLinger(0); _ = c.Close() },
		"ends":   func(c *wiretest.Conn) { _ = c.CloseWrite() },
	} {
		for _, behind := range []string{"", get("/delay/60000")} { // which the loop sees to, and net/http does not
			t.Run(name+behind, func(t *testing.T) {
				p := openPages(t)
				before := files(t)
				c := dial(t, p.addr)
				if _, err := io.WriteString(c, get("/slow")+behind); err != nil {
					t.Fatal(err)
				}
				<-p.entered
				leave(c)
				<-p.left
				_ = c.Close()
				wiretest.Eventually(t, "the connection is closed", func() bool { return p.serves() == 0 && files(t) == before })
			})
		}
	}
}

// files returns how many descriptors the process has.
func files(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A page that is made while the listener drains is answered, and its connection
// ends, whether or not its loop has.
func TestAPageDuringDrain(t *testing.T) {
	for _, waits := range []bool{false, true} {
		for _, behind := range []string{"", get("/delay/0")} {
			t.Run(fmt.Sprint(waits, behind), func(t *testing.T) {
				p := openPages(t)
				c := dial(t, p.addr)
				if _, err := io.WriteString(c, get("/slow")+behind); err != nil {
					t.Fatal(err)
				}
				<-p.entered
				var waiting *wiretest.Conn
				if waits { // so that the loops go on
					for range p.loops {
						waiting = dial(t, p.addr)
						if _, err := io.WriteString(waiting, get("/hold/a")); err != nil {
							t.Fatal(err)
						}
					}
					wiretest.Eventually(t, "one request waits on each loop", func() bool { return p.config.Engine.Journal.Waiting() == len(p.loops) })
				}
				_ = p.Close()
				if !waits {
					<-p.ended
				}
				p.slow <- struct{}{}
				in := bufio.NewReader(c)
				if got := reply(t, in); got != "GET/slow" {
					t.Errorf("got %q", got)
				}
				if waits && behind != "" {
					if got := reply(t, in); got != "waited" {
						t.Errorf("behind the page the reply is %q", got)
					}
				}
				if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("the connection goes on with %q, %v", rest, err)
				}
				if waits {
					if _, err := p.config.Engine.Holds.Release("a", 0); err != nil {
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

// What net/http ends does not come back.
func TestWhatNetHTTPEnds(t *testing.T) {
	for _, sent := range []string{get("/page/last"), with("GET /page HTTP/1.1", "Connection: close\r\n"), "GET /delay/0 HTTP/1.0\r\n\r\n"} {
		p := openPages(t)
		c := dial(t, p.addr)
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), strings.Fields(sent)[1]) {
			t.Errorf("%q: got %q, %v", sent, b, err)
		}
		if n := p.serves(); n != 0 {
			t.Errorf("%q: %d connections are open", sent, n)
		}
	}
}

// A connection that is handed over can do what net/http and faults ask of TCP.
func TestWhatIsHandedOverIsTCP(t *testing.T) {
	ln, addrs := open(t, 1)
	if _, err := io.WriteString(dial(t, addrs[0]), get("/page")); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, is := range []bool{is[interface{ CloseWrite() error }](conn), is[interface{ SetLinger(int) error }](conn), is[interface{ Idle() }](conn)} {
		if !is {
			t.Error("it cannot")
		}
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// A connection that is handed over lives on by another descriptor, so its end
// would leave epoll reporting it.
func TestEpollForgetsWhatIsHandedOver(t *testing.T) {
	ln, addrs := open(t, 1)
	before := ln.watched(t)
	if _, err := io.WriteString(dial(t, addrs[0]), get("/page")); err != nil {
		t.Fatal(err)
	}
	conn, err := ln.HTTP1().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if after := ln.watched(t); after != before {
		t.Errorf("epoll reports %d descriptors, want %d as before", after, before)
	}
}

// watched returns how many descriptors the loops' pollers report.
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

// However much a client sends behind a request that waits, the loop leaves it to
// the system, which holds the client up.
func TestLittleIsKeptOfAClientThatSendsWithoutEnd(t *testing.T) {
	ln, addrs := open(t, 1)
	conn := dial(t, addrs[0])
	go func() {
		many := strings.Repeat(get("/delay/1"), 1000)
		for {
			if _, err := io.WriteString(conn, many); err != nil {
				return // by the test's end
			}
		}
	}()
	in := bufio.NewReader(conn)
	for range 300 {
		reply(t, in)
		kept := ln.each(func(l *loop) (n int) {
			for _, c := range l.conns {
				if c != nil {
					n += len(c.buffered())
				}
			}
			return n
		})
		if kept > maxRead+maxReadAhead {
			t.Fatalf("%d bytes are kept of it, want %d at the most", kept, maxRead+maxReadAhead)
		}
	}
}

// One Listener accepts what comes on several ports, and closes them together.
func TestTwoPorts(t *testing.T) {
	ln, addrs := open(t, 2)
	if ln.Addr() != addrs[0] || ln.HTTP1().Addr() != addrs[0] {
		t.Errorf("the address is %v, want %v", ln.Addr(), addrs[0])
	}
	for range 2 * len(ln.loops) {
		for _, addr := range addrs {
			c := dial(t, addr)
			if _, err := io.WriteString(c, get("/delay/0")); err != nil {
				t.Fatal(err)
			}
			if got := reply(t, bufio.NewReader(c)); got != "waited" {
				t.Errorf("got %q at %v", got, addr)
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

func TestAClosedListenerAcceptsNone(t *testing.T) {
	ln, addrs := open(t, 1)
	idle := dial(t, addrs[0])
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Fatalf("Shutdown = %v", err)
	}
	for _, ln := range []net.Listener{ln, ln.HTTP1()} {
		if _, err := ln.Accept(); err != net.ErrClosed { // what net.Listener promises, not an error around it
			t.Errorf("Accept = %v, want net.ErrClosed", err)
		}
	}
	if n, err := idle.Read(make([]byte, 1)); err == nil {
		t.Errorf("an idle connection reads %d bytes, want its end", n)
	}
}

// Shutdown waits for requests that wait, and ends with its context; ForceClose ends them.
func TestShutdownAndCut(t *testing.T) {
	ln, addrs := open(t, 1)
	var conns []*wiretest.Conn
	for range 3 * len(ln.loops) {
		c := dial(t, addrs[0])
		if _, err := io.WriteString(c, get("/delay/60000")); err != nil {
			t.Fatal(err)
		}
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
		t.Errorf("%d wait, want %d", n, len(conns))
	}
	ln.ForceClose()
	for _, c := range conns {
		if b, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 503 ") || !strings.Contains(string(b), "\r\nConnection: close\r\n") {
			t.Errorf("got %q, %v", b, err)
		}
	}
}

// limitFiles lets the process have so many descriptors until the end of the test.
func limitFiles(t *testing.T) (limit func(n int)) {
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

// nextFD returns the lowest descriptor that is free.
func nextFD(t *testing.T) int {
	t.Helper()
	fd, err := reserveFD()
	if err != nil {
		t.Fatal(err)
	}
	closeFD(fd)
	return fd
}

// A process that has no descriptors left is told so, whichever is the one that
// it lacks, and has as many as before.
func TestListenWithoutDescriptors(t *testing.T) {
	open(t, 1) // whatever the runtime opens on first use, it has opened
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	limit := limitFiles(t)
	free := nextFD(t)
	for more := range 2 + 4*runtime.GOMAXPROCS(0) { // the reserved one, four a loop, and that of the port
		limit(free + more)
		ln, err := Listen(newConfig(func(journal.Wait) {}), tcp.(*net.TCPListener))
		if !errors.Is(err, unix.EMFILE) {
			t.Errorf("Listen with %d descriptors free = %v, %v, want EMFILE", more, ln, err)
		}
		limit(-1)
		if again := nextFD(t); again != free {
			t.Errorf("after Listen with %d descriptors free: the next is %d, want %d as before", more, again, free)
		}
	}
}

// A client that a process has no descriptor for waits until there is one.
func TestAcceptWithoutDescriptors(t *testing.T) {
	ln, addrs := open(t, 1)
	c := dial(t, addrs[0])
	if _, err := io.WriteString(c, get("/delay/0")); err != nil {
		t.Fatal(err)
	}
	reply(t, bufio.NewReader(c))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFD(fd)
	limit := limitFiles(t)
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
	if _, err := io.WriteString(c, get("/delay/0")); err != nil {
		t.Fatal(err)
	}
	if got := reply(t, bufio.NewReader(c)); got != "waited" { // meanwhile
		t.Errorf("another client has %q", got)
	}
	limit(-1)
	b := make([]byte, 12)
	if _, err := unix.Read(fd, b); err != nil || string(b) != "HTTP/1.1 200" {
		t.Errorf("got %q, %v", b, err)
	}
}

// A hand-over, and the way back, need no descriptor that the process has not.
func TestHandOverWithoutDescriptors(t *testing.T) {
	p := openPages(t)
	type client struct {
		*wiretest.Conn
		in *bufio.Reader
	}
	var clients [2]client
	ask := func(c client, path, want string) {
		t.Helper()
		if _, err := io.WriteString(c, get(path)); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			return
		}
		if got := reply(t, c.in); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for i := range clients {
		c := dial(t, p.addr)
		clients[i] = client{c, bufio.NewReader(c)}
		ask(clients[i], "/page", "GET/page") // whatever is opened on first use
		ask(clients[i], "/delay/0", "waited")
	}
	limitFiles(t)(nextFD(t))
	for range 3 {
		for _, c := range clients {
			ask(c, "/slow", "")
			<-p.entered
		}
		for _, c := range clients {
			p.slow <- struct{}{}
			if got := reply(t, c.in); got != "GET/slow" {
				t.Errorf("got %q", got)
			}
			ask(c, "/delay/0", "waited")
		}
		p.reserve.Lock()
		if p.reserve.fd < 0 {
			t.Error("the reserved descriptor is lost")
		}
		p.reserve.Unlock()
	}
}
