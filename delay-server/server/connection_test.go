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

// plain is a request as the event loops answer it.
func plain(delay string) string { return "GET /delay/" + delay + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// upgrading is a request that the event loops leave to net/http, with its
// connection, and that waits there.
func upgrading(delay string) string {
	return "GET /delay/" + delay + " HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\n\r\n"
}

// readReplies reads n replies, and ends the test where one has not this status.
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

// A client has READ_TIMEOUT for a header and IDLE_TIMEOUT between requests; a
// wait outlasts both.
func TestConnectionsThatKeepTheServerWaitingEnd(t *testing.T) {
	const short, long = 150 * time.Millisecond, time.Hour
	header := strings.Repeat("A: b\r\n", 1000)
	for _, tc := range []struct {
		says       string
		read, idle time.Duration
		sent       string // at once
		replies    int    // to it
		slowly     string // then, some bytes at a time
		least      time.Duration
	}{
		{"nothing comes", short, long, "", 0, "", short},
		{"half of a line comes", short, long, "GET /del", 0, "", short},
		{"all but the end comes", short, long, strings.TrimSuffix(plain("0"), "\r\n"), 0, "", short},
		{"a header comes slowly", short, long, "", 0, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header, short},
		{"a second header comes slowly", short, long, plain("0"), 1, "GET /delay/0 HTTP/1.1\r\nHost: x\r\n" + header, short},
		{"a second header comes slowly, begun while the first request waits", short, long, plain("300") + "GET /delay/0 HT", 1, "TP/1.1\r\nHost: x\r\n" + header, 300*time.Millisecond + short},
		{"a second request does not come", long, short, plain("0"), 1, "", short},
		{"a second request does not come after a wait of longer", long, short, plain("300"), 1, "", 300*time.Millisecond + short},
		{"a third request does not come", long, short, plain("0") + plain("1"), 2, "", short},
		{"a request of another endpoint does not come again", long, short, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 1, "", short},
		{"a wait outlasts both", short, short, plain("500"), 1, "", 500*time.Millisecond + short},
	} {
		t.Run(tc.says, func(t *testing.T) {
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
							return // it has ended
						}
						time.Sleep(short / 15)
					}
				}()
				rest, err := io.ReadAll(in)
				if lasted := time.Since(begin); lasted < tc.least {
					t.Errorf("it ended after %v, want %v or more", lasted, tc.least)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(rest), " 200 OK") {
					t.Errorf("got %q, %v, want the end without another answer", rest, err)
				}
			})
		})
	}
}

// A client that sends requests and reads no reply is not read from for ever, and
// has all its replies once it reads.
func TestAClientThatDoesNotRead(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		_ = conn.SetWriteBuffer(16 << 10)
		many := strings.Repeat(plain("0"), 1000)
		const most = 64 << 20 // far above what the system holds of a connection
		sent := 0
		for sent < most {
			_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := io.WriteString(conn, many[sent%len(plain("0")):])
			sent += n
			if err != nil {
				break
			}
		}
		if sent >= most {
			t.Fatalf("the server took %d bytes of requests and more, of which no reply was read", sent)
		}
		// Meanwhile others are answered.
		do(t, newClient(t), "GET", base+"/delay/1", nil)
		do(t, newClient(t), "GET", base+"/healthz", nil)
		in := bufio.NewReader(conn)
		readReplies(t, in, sent/len(plain("0")), 200)
		conn.Close()
		wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		stop()
	})
}

// A client that never reads a reply and goes leaves nothing behind.
func TestAClientThatNeverReads(t *testing.T) {
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

func TestDrainingClosesWhatIsIdle(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, stop := start(t, config, io.Discard)
		idle, waiting, behind := wiretest.Dial(t, base), wiretest.Dial(t, base), wiretest.Dial(t, base)
		fmt.Fprint(idle, plain("0"))
		readReplies(t, bufio.NewReader(idle), 1, 200)
		fmt.Fprint(waiting, plain("1000"))
		fmt.Fprint(behind, plain("1000")+plain("0"))
		wiretest.Eventually(t, "two wait", func() bool { return srv.engine.Journal.Waiting() == 2 })
		var stopping sync.WaitGroup
		stopping.Go(stop)
		if rest, err := io.ReadAll(idle); len(rest) > 0 || err != nil {
			t.Errorf("an idle connection: got %q, %v, want its end", rest, err)
		}
		if n := srv.engine.Journal.Waiting(); n != 2 {
			t.Errorf("%d wait when an idle connection has been closed, want 2", n)
		}
		if reply, err := newClient(t).Get(base + "/delay/0"); err == nil {
			reply.Body.Close()
			t.Error("a server that drains lets a connection in")
		}
		for _, conn := range []io.Reader{waiting, behind} {
			in := bufio.NewReader(conn)
			if reply, _ := readReplies(t, in, 1, 200); !reply.Close {
				t.Error("the last reply of a connection does not say so")
			}
			if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
				t.Errorf("behind the last reply: got %q, %v, want the end", rest, err)
			}
		}
		stopping.Wait()
	})
}
