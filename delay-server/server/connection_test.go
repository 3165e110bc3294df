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

// READ_TIMEOUT applies to headers and IDLE_TIMEOUT between requests, but not to waits.
func TestConnectionTimeouts(t *testing.T) {
	const short, long = 150 * time.Millisecond, time.Hour
	header := strings.Repeat("A: b\r\n", 1000)
	for _, tc := range []struct {
		name       string
		read, idle time.Duration
		sent       string
		replies    int           // to sent
		slowly     string        // sent next, a few bytes at a time
		min        time.Duration // until the connection ends
	}{
		{"nothing comes", short, long, "", 0, "", short},
		{"half of a line comes", short, long, "GET /del", 0, "", short},
		{"all but the end comes", short, long, strings.TrimSuffix(plain("0"), "\r\n"), 0, "", short},
		{"a header comes slowly", short, long, "", 0, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header, short},
		{"a second header comes slowly", short, long, plain("0"), 1, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header,
			short},
		{"a second header begins while the first request waits", short, long, plain("300") + "GET /delay/0 HT", 1,
			"TP/1.1\r\nHost: x\r\n" + header, 300*time.Millisecond + short},
		{"a second request does not come", long, short, plain("0"), 1, "", short},
		{"a second request does not come after a longer wait", long, short, plain("300"), 1, "",
			300*time.Millisecond + short},
		{"a third request does not come", long, short, plain("0") + plain("1"), 2, "", short},
		{"a second request does not come after a page", long, short, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 1, "",
			short},
		{"a wait longer than both", short, short, plain("500"), 1, "", 500*time.Millisecond + short},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, config Config) {
				t.Parallel()
				config.ReadTimeout, config.IdleTimeout = tc.read, tc.idle
				_, base, _ := start(t, config, io.Discard)
				begin := time.Now()
				conn := wiretest.Dial(t, base)
				fmt.Fprint(conn, tc.sent)
				in := bufio.NewReader(conn)
				readReplies(t, in, tc.replies, 200)
				go func() {
					for i := 0; i < len(tc.slowly); i += 2 {
						if _, err := io.WriteString(conn, tc.slowly[i:min(i+2, len(tc.slowly))]); err != nil {
							return // the connection has ended
						}
						time.Sleep(short / 15)
					}
				}()
				rest, err := io.ReadAll(in)
				if lasted := time.Since(begin); lasted < tc.min {
					t.Errorf("the connection ended after %v, want %v or more", lasted, tc.min)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(rest), " 200 OK") {
					t.Errorf("got %q, %v, want the end without another answer", rest, err)
				}
			})
		})
	}
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
