// Package wiretest helps to test servers and clients over real sockets: it waits
// for a condition, opens connections on which a test writes every byte itself,
// starts a PostgreSQL, and finds the interpreters of other languages' clients.
// Only tests import it.
package wiretest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Timeout bounds [Eventually] and the connections of [Dial]. It turns a hang into
// a failure, and is far longer than any test should need.
const Timeout = time.Minute

// Eventually polls ok until it reports true. After [Timeout] it fails the test with
// a message that names what did not happen.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Timeout)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", Timeout, what)
		}
		time.Sleep(pause)
	}
}

// A Conn is a client's connection to a server under test. Its methods Send and
// Receive fail the test on error, so they must be called from the test's goroutine.
type Conn struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

// Dial connects to a server, given as host:port or as an http:// URL without a
// path. The connection ends with the test, or after [Timeout].
func Dial(t testing.TB, server string) *Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(server, "http://"), Timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		t.Fatal(err)
	}
	return &Conn{TCPConn: conn.(*net.TCPConn), t: t, in: bufio.NewReader(conn)}
}

// Read reads what follows the responses already received.
func (c *Conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// WriteTo copies to w what Read would read.
func (c *Conn) WriteTo(w io.Writer) (int64, error) { return c.in.WriteTo(w) }

// Send writes text as it is.
func (c *Conn) Send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.TCPConn, text); err != nil {
		c.t.Fatalf("sending %.80q: %v", text, err)
	}
}

// Receive reads a response to a request of this method, with its whole body.
func (c *Conn) Receive(method string) (r *http.Response, body string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading a response: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("reading the body of a response %s: %v", r.Status, err)
	}
	return r, string(b)
}

// Listen listens on a free port of 127.0.0.1 until the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// Serve calls handle in a goroutine for each connection to an address, host:port,
// until the test ends. handle closes the connection.
func Serve(t testing.TB, handle func(net.Conn)) (addr string) {
	t.Helper()
	ln := Listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return ln.Addr().String()
}

// ClosedAddr returns an address of 127.0.0.1, host:port, on which nothing listens.
func ClosedAddr(t testing.TB) string {
	t.Helper()
	ln := Listen(t)
	_ = ln.Close()
	return ln.Addr().String()
}

// RequireClient skips the test unless command succeeds, such as python3 -c "import
// urllib3". It fails the test instead with REQUIRE_CLIENTS=1 or CI=true. debian names the
// packages that have what command needs.
func RequireClient(t testing.TB, debian string, command ...string) {
	t.Helper()
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err == nil {
		return
	}
	missing := func(format string, args ...any) { t.Skipf(format, args...) }
	if os.Getenv("REQUIRE_CLIENTS") == "1" || os.Getenv("CI") == "true" {
		missing = func(format string, args ...any) { t.Fatalf("REQUIRE_CLIENTS=1 or CI=true: "+format, args...) }
	}
	missing("install %s: %s: %v\n%s", debian, strings.Join(command, " "), err, out)
}
