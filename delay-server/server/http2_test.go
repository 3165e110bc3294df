package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"flash.test/delay-server/kit/wiretest"
)

// h2Conn is a connection of HTTP/2 whose client sends what frames it likes.
type h2Conn struct {
	*h2.Framer
	t    *testing.T
	host string
	next uint32 // stream
	text bytes.Buffer
	enc  *hpack.Encoder

	streams uint32 // how many at once the server admits
}

// dialH2 returns a connection whose settings have been exchanged.
func dialH2(t *testing.T, base string) *h2Conn {
	t.Helper()
	host := strings.TrimPrefix(base, "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &h2Conn{Framer: h2.NewFramer(conn, conn), t: t, host: host, next: 1}
	c.enc = hpack.NewEncoder(&c.text)
	_, err = io.WriteString(conn, h2.ClientPreface)
	c.must(err)
	c.must(c.WriteSettings())
	settings, ok := c.read().(*h2.SettingsFrame)
	if !ok {
		t.Fatal("the server's first frame is not SETTINGS")
	}
	c.streams, _ = settings.Value(h2.SettingMaxConcurrentStreams)
	c.must(c.WriteSettingsAck())
	c.must(c.WriteWindowUpdate(0, 1<<30))
	return c
}

func (c *h2Conn) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *h2Conn) read() h2.Frame {
	c.t.Helper()
	frame, err := c.ReadFrame()
	c.must(err)
	return frame
}

// get asks for path and returns the stream.
func (c *h2Conn) get(path string) (stream uint32) {
	c.t.Helper()
	c.text.Reset()
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: c.host}, {Name: ":path", Value: path}} {
		c.must(c.enc.WriteField(f))
	}
	stream = c.next
	c.next += 2
	// An error is left to the next read: the server may have ended the connection.
	_ = c.WriteHeaders(h2.HeadersFrameParam{StreamID: stream, BlockFragment: c.text.Bytes(), EndStream: true, EndHeaders: true})
	return stream
}

// All of them stand at one barrier: it opens for none where some have to queue.
func TestOneConnectionHasThousandsOfStreams(t *testing.T) {
	const n = 5000
	config := DefaultConfig()
	config.MaxInFlightPerConnection = n
	_, base, _ := start(t, config, io.Discard)
	c := dialH2(t, base)
	for range n {
		c.get("/barrier/b?parties=5000&timeout=1m")
	}
	for ended := 0; ended < n; {
		switch frame := c.read().(type) {
		case *h2.RSTStreamFrame, *h2.GoAwayFrame:
			t.Fatalf("after %d answers: got %v", ended, frame)
		case *h2.HeadersFrame:
			if status := frame.HeaderBlockFragment()[0]; status != 0x88 { // ":status: 200", by HPACK's static table
				t.Fatalf("after %d answers: one begins with %#x, want status 200", ended, status)
			}
		case *h2.DataFrame:
			if frame.StreamEnded() {
				ended++
			}
		}
	}
}

// A client that asks and resets, again and again (CVE-2023-44487), has its
// connection ended. Nothing waits after that, and others are answered meanwhile.
func TestRapidResetsEndTheConnection(t *testing.T) {
	for _, tc := range []struct {
		name   string
		resets int
		ended  bool
	}{
		{"as many as may wait at once", 100, false},
		{"twenty times as many", 2000, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.MaxInFlightPerConnection = 100
			srv, base, _ := start(t, config, io.Discard)
			c := dialH2(t, base)
			for range tc.resets {
				if c.WriteRSTStream(c.get("/delay/10m"), h2.ErrCodeCancel) != nil {
					break
				}
			}
			ended := c.pingFails()
			if ended != tc.ended {
				t.Errorf("after %d resets: the connection is ended: %v, want %v", tc.resets, ended, tc.ended)
			}
			do(t, newClient(t), "GET", base+"/healthz", nil)
			wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 && srv.requests.Limit.Inside() == 0 })
		})
	}
}

// pingFails reports whether the connection ends before the server answers a PING.
func (c *h2Conn) pingFails() bool {
	if c.WritePing(false, [8]byte{}) != nil {
		return true
	}
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return true
		}
		if _, ok := frame.(*h2.PingFrame); ok {
			return false
		}
	}
}

// A client of HTTP/2 that gives no window has each of its answers ended after
// WRITE_TIMEOUT, whoever writes it, and its connection, unless a request waits.
func TestAWindowOfZeroEndsAfterTheWriteTimeout(t *testing.T) {
	for _, tc := range []struct{ path, beside string }{
		{"/delay/0", ""}, {"/delay/0?size=100000", ""}, {"/doc", ""}, {"/", ""}, {"/openapi.yaml", ""}, {"/metrics", ""}, {"/healthz", ""},
		{"/nothing", ""}, {"/delay/0?fault=garbage", ""}, {"/sse?count=3&interval=0", ""}, {"/bytes/100", ""}, {"/admin/runs", ""},
		{"/delay/0", "/delay/10m"},
	} {
		t.Run(tc.path+" beside "+tc.beside, func(t *testing.T) {
			t.Parallel()
			config := DefaultConfig()
			config.WriteTimeout = 200 * time.Millisecond
			srv, base, _ := start(t, config, io.Discard)
			c := dialH2(t, base)
			c.must(c.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0}))
			begun := time.Now()
			if tc.beside != "" {
				c.get(tc.beside)
			}
			stream := c.get(tc.path)
			var reset, closed bool
			for !closed && !(reset && tc.beside != "") {
				switch frame, err := c.ReadFrame(); frame := frame.(type) {
				case *h2.RSTStreamFrame:
					reset = reset || frame.StreamID == stream
				default:
					closed = err != nil
				}
			}
			if took := time.Since(begun); took < config.WriteTimeout {
				t.Errorf("ended after %v, want WRITE_TIMEOUT, %v, or more", took, config.WriteTimeout)
			}
			if tc.beside != "" {
				if c.pingFails() || srv.engine.Journal.Waiting() != 1 {
					t.Error("the connection of a request that waits is ended")
				}
				return
			}
			wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		})
	}
}

func TestAHeaderOverTheBound(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for name, client := range map[string]*http.Client{"HTTP/1.1": newClient(t), "HTTP/2": newH2CClient(t)} {
		for _, size := range []int{20 << 10, 33 << 10} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/delay/0", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Large", strings.Repeat("x", size))
			reply, err := client.Do(req)
			if err == nil {
				reply.Body.Close()
			}
			switch {
			case size < 32<<10 && (err != nil || reply.StatusCode != 200):
				t.Errorf("%s: a header of %d bytes: got %v, %v, want 200", name, size, reply, err)
			case size > 32<<10 && err == nil && reply.StatusCode != 431:
				t.Errorf("%s: a header of %d bytes: got %s, want 431", name, size, reply.Status)
			case size > 32<<10 && err != nil && !strings.Contains(err.Error(), "advertised limit"): // of HTTP/2, which the client keeps
				t.Errorf("%s: a header of %d bytes: got %v, want 431", name, size, err)
			}
		}
	}
}

// One client address waits no more than its share, whichever way its requests go,
// and /readyz tells it so.
func TestAClientsShare(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.MaxInFlightPerClient = 2
		srv, base, _ := start(t, config, io.Discard)
		ready := func(want int) {
			t.Helper()
			if reply, body := do(t, newClient(t), "GET", base+"/readyz", nil); reply.StatusCode != want {
				t.Errorf("/readyz: got %d %q, want %d", reply.StatusCode, body, want)
			}
		}
		ready(200)
		plainConn, other := wiretest.Dial(t, base), dialH2(t, base)
		fmt.Fprint(plainConn, plain("600000"))
		other.get("/delay/10m")
		wiretest.Eventually(t, "two wait", func() bool { return srv.engine.Journal.Waiting() == 2 })
		for protocol, client := range map[string]*http.Client{"HTTP/1.1": newClient(t), "HTTP/2": newH2CClient(t)} {
			reply, body := do(t, client, "GET", base+"/delay/1", nil)
			if reply.StatusCode != 503 || reply.Header.Get("Retry-After") == "" || !strings.Contains(body, "MAX_IN_FLIGHT_PER_CLIENT") {
				t.Errorf("%s, beyond the share: got %d %q, want 503 that names the setting", protocol, reply.StatusCode, body)
			}
		}
		ready(503)
		plainConn.Close()
		wiretest.Eventually(t, "one waits", func() bool { return srv.engine.Journal.Waiting() == 1 && srv.requests.Limit.Inside() == 1 })
		ready(200)
	})
}
