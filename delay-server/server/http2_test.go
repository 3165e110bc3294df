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

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// h2Conn is a client connection of HTTP/2 on which the test writes the frames.
type h2Conn struct {
	*h2.Framer
	t    *testing.T
	host string
	next uint32 // next stream ID
	text bytes.Buffer
	enc  *hpack.Encoder

	streams uint32 // SETTINGS_MAX_CONCURRENT_STREAMS of the server
}

// dialH2 returns a connection after the exchange of settings.
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

// get sends a GET request and returns its stream.
func (c *h2Conn) get(path string) (stream uint32) {
	c.t.Helper()
	c.text.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: c.host}, {Name: ":path", Value: path},
	} {
		c.must(c.enc.WriteField(f))
	}
	stream = c.next
	c.next += 2
	// If the server has closed the connection, the next read fails.
	_ = c.WriteHeaders(h2.HeadersFrameParam{
		StreamID: stream, BlockFragment: c.text.Bytes(), EndStream: true, EndHeaders: true,
	})
	return stream
}

// All streams wait at one barrier, which would not open if some of them queued.
func TestThousandsOfStreamsOnOneConnection(t *testing.T) {
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
			t.Fatalf("after %d responses: got %v", ended, frame)
		case *h2.HeadersFrame:
			if status := frame.HeaderBlockFragment()[0]; status != 0x88 { // ":status: 200" in the static table of HPACK
				t.Fatalf("after %d responses: header block starts with %#x, want status 200", ended, status)
			}
		case *h2.DataFrame:
			if frame.StreamEnded() {
				ended++
			}
		}
	}
}

// The server closes the connection of a client that rapidly resets requests
// (CVE-2023-44487). No request is left waiting, and other clients are served.
func TestRapidResetsCloseTheConnection(t *testing.T) {
	for _, tc := range []struct {
		name   string
		resets int
		closed bool
	}{
		{"the maximum at once", 100, false},
		{"twenty times the maximum", 2000, true},
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
			if closed := c.pingFails(); closed != tc.closed {
				t.Errorf("after %d resets: connection closed: %v, want %v", tc.resets, closed, tc.closed)
			}
			do(t, newClient(t), "GET", base+"/healthz", nil)
			wiretest.Eventually(t, "none waits", func() bool {
				return srv.engine.Journal.Waiting() == 0 && srv.requests.Limit.Inside() == 0
			})
		})
	}
}

// pingFails reports whether the server closes the connection before it answers a PING.
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

// If an HTTP/2 client gives no flow-control window, the server resets its streams after
// WRITE_TIMEOUT, whichever code writes the response, and closes the connection unless
// another request waits.
func TestZeroWindowEndsAfterWriteTimeout(t *testing.T) {
	for _, tc := range []struct{ path, beside string }{
		{"/delay/0", ""}, {"/delay/0?size=100000", ""}, {"/delay/0?fault=garbage", ""},
		{"/sse?count=3&interval=0", ""}, {"/bytes/100", ""},
		{"/doc", ""}, {"/", ""}, {"/openapi.yaml", ""}, {"/metrics", ""}, {"/healthz", ""}, {"/nothing", ""},
		{"/admin/runs", ""},
		{"/delay/0", "/delay/10m"},
	} {
		t.Run(tc.path+" beside "+tc.beside, func(t *testing.T) {
			t.Parallel()
			config := DefaultConfig()
			config.WriteTimeout = 200 * time.Millisecond
			if tc.beside != "" { // the connection must survive on a busy machine
				config.WriteTimeout = time.Second
			}
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
				t.Errorf("ended after %v, want at least WRITE_TIMEOUT, %v", took, config.WriteTimeout)
			}
			if tc.beside != "" {
				if c.pingFails() || srv.engine.Journal.Waiting() != 1 {
					t.Error("the connection of a waiting request was closed")
				}
				return
			}
			wiretest.Eventually(t, "none waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		})
	}
}

func TestMaxHeaderSize(t *testing.T) {
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
			// Go's HTTP/2 client enforces the limit itself.
			case size > 32<<10 && err != nil && !strings.Contains(err.Error(), "advertised limit"):
				t.Errorf("%s: a header of %d bytes: got %v, want 431", name, size, err)
			}
		}
	}
}

// MAX_IN_FLIGHT_PER_CLIENT applies to all protocols and to both engines, and to /readyz.
func TestMaxInFlightPerClient(t *testing.T) {
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
			wantProblem(t, protocol, reply, body, problem.TooManyFromClient)
			if reply.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", protocol)
			}
		}
		ready(503)
		plainConn.Close()
		wiretest.Eventually(t, "one waits", func() bool {
			return srv.engine.Journal.Waiting() == 1 && srv.requests.Limit.Inside() == 1
		})
		ready(200)
	})
}
