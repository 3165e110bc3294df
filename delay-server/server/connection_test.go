package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// plain is a request for the event loops.
func plain(delay string) string { return "GET /delay/" + delay + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// upgrading is a request that the event loops hand over to net/http, with its connection.
func upgrading(delay string) string {
	return "GET /delay/" + delay + " HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\n\r\n"
}

// readReplies reads n replies. It ends the test unless they have the status.
func readReplies(t testing.TB, from *bufio.Reader, n, status int) (last *http.Response, body string) {
	t.Helper()
	for i := range n {
		reply, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatalf("reply %d of %d: %v", i+1, n, err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode != status {
			t.Fatalf("reply %d of %d: got %s %s, %v, want %d", i+1, n, reply.Status, text, err, status)
		}
		last, body = reply, string(text)
	}
	return last, body
}

// timeoutCase is a case of TestConnectionTimeouts.
type timeoutCase struct {
	name       string
	read, idle time.Duration
	sent       string
	replies    int           // to sent
	slowly     string        // sent next, a few bytes at a time
	min        time.Duration // until the connection ends
}

// timeoutCases returns the cases, with a short timeout. The waits are longer.
func timeoutCases(short time.Duration) []timeoutCase {
	const long = time.Hour
	header := strings.Repeat("A: b\r\n", 1000)
	wait := 2 * short
	slow := plain(wait.String())
	return []timeoutCase{
		{"nothing comes", short, long, "", 0, "", short},
		{"half of a line comes", short, long, "GET /del", 0, "", short},
		{"all but the end comes", short, long, strings.TrimSuffix(plain("0"), "\r\n"), 0, "", short},
		{"a header comes slowly", short, long, "", 0, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header, short},
		{"a second header comes slowly", short, long, plain("0"), 1, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header,
			short},
		{"a second header begins while the first request waits", short, long, slow + "GET /delay/0 HT", 1,
			"TP/1.1\r\nHost: x\r\n" + header, wait + short},
		{"a second request does not come", long, short, plain("0"), 1, "", short},
		{"a second request does not come after a longer wait", long, short, slow, 1, "", wait + short},
		{"a third request does not come", long, short, plain("0") + plain("1"), 2, "", short},
		{"a second request does not come after a page", long, short, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 1, "",
			short},
		{"a wait longer than both", short, short, slow, 1, "", wait + short},
	}
}

// READ_TIMEOUT applies to headers and IDLE_TIMEOUT between requests, but not to waits. A
// busy machine may take longer than a short timeout to read what was sent: then the test
// tries a longer one.
func TestConnectionTimeouts(t *testing.T) {
	shorts := []time.Duration{150 * time.Millisecond, 600 * time.Millisecond, 2400 * time.Millisecond}
	for i, tc := range timeoutCases(shorts[0]) {
		t.Run(tc.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, config Config) {
				t.Parallel()
				for _, short := range shorts {
					if timeoutCases(short)[i].run(t, config, short/15) {
						return
					}
				}
				t.Errorf("got fewer than %d replies, with each of the timeouts %v", tc.replies, shorts)
			})
		})
	}
}

// run reports whether all replies came.
func (tc timeoutCase) run(t *testing.T, config Config, pause time.Duration) bool {
	config.ReadTimeout, config.IdleTimeout = tc.read, tc.idle
	_, base, _ := start(t, config, io.Discard)
	begin := time.Now()
	conn := wiretest.Dial(t, base)
	fmt.Fprint(conn, tc.sent)
	in := bufio.NewReader(conn)
	for range tc.replies {
		reply, err := http.ReadResponse(in, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, reply.Body)
		}
		if err != nil || reply.StatusCode != 200 {
			t.Logf("READ_TIMEOUT %v, IDLE_TIMEOUT %v: got %v, %v", tc.read, tc.idle, reply, err)
			return false
		}
	}
	go func() {
		for i := 0; i < len(tc.slowly); i += 2 {
			if _, err := io.WriteString(conn, tc.slowly[i:min(i+2, len(tc.slowly))]); err != nil {
				return // the connection has ended
			}
			time.Sleep(pause)
		}
	}()
	rest, err := io.ReadAll(in)
	if lasted := time.Since(begin); lasted < tc.min {
		t.Errorf("the connection ended after %v, want %v or more", lasted, tc.min)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(rest), " 200 OK") {
		t.Errorf("got %q, %v, want the end without another answer", rest, err)
	}
	return true
}

// The server stops reading from a client that does not read replies. Once the client
// reads, it gets all replies.
func TestClientThatReadsLate(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		_ = conn.SetWriteBuffer(16 << 10)
		many := strings.Repeat(plain("0"), 1000)
		const maxSent = 64 << 20 // far more than the system buffers
		sent := 0
		for sent < maxSent {
			_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := io.WriteString(conn, many[sent%len(plain("0")):])
			sent += n
			if err != nil {
				break
			}
		}
		if sent >= maxSent {
			t.Fatalf("the server took at least %d bytes of requests, while no reply was read", sent)
		}
		// Other clients are answered meanwhile.
		do(t, newClient(t), "GET", base+"/delay/1", nil)
		do(t, newClient(t), "GET", base+"/healthz", nil)
		in := bufio.NewReader(conn)
		readReplies(t, in, sent/len(plain("0")), 200)
		conn.Close()
		wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		stop()
	})
}

// A client that closes without reading leaves no request.
func TestClientThatNeverReads(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		many := strings.Repeat(plain("0"), 1000)
		for range 1000 {
			_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := io.WriteString(conn, many); err != nil {
				break
			}
		}
		conn.Close()
		wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
	})
}

func TestDrainingClosesIdleConnections(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		srv.engine.Clock.Freeze()
		idle, waiting, behind := wiretest.Dial(t, base), wiretest.Dial(t, base), wiretest.Dial(t, base)
		fmt.Fprint(idle, plain("0"))
		readReplies(t, bufio.NewReader(idle), 1, 200)
		fmt.Fprint(waiting, plain("1000"))
		fmt.Fprint(behind, plain("1000")+plain("0"))
		awaitTimed(t, srv, 2)
		var stopping sync.WaitGroup
		stopping.Go(stop)
		if rest, err := io.ReadAll(idle); len(rest) > 0 || err != nil {
			t.Errorf("an idle connection: got %q, %v, want its end", rest, err)
		}
		if n := srv.engine.Journal.Waiting(); n != 2 {
			t.Errorf("%d wait after an idle connection was closed, want 2", n)
		}
		if reply, err := newClient(t).Get(base + "/delay/0"); err == nil {
			reply.Body.Close()
			t.Error("a draining server accepts a connection")
		}
		advance(t, srv, time.Second)
		for _, conn := range []io.Reader{waiting, behind} {
			in := bufio.NewReader(conn)
			if reply, _ := readReplies(t, in, 1, 200); !reply.Close {
				t.Error("the last reply of a connection has no Connection: close")
			}
			if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
				t.Errorf("after the last reply: got %q, %v, want the end", rest, err)
			}
		}
		stopping.Wait()
	})
}
