package server

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
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
	c.must(c.WriteHeaders(h2.HeadersFrameParam{StreamID: stream, BlockFragment: c.text.Bytes(), EndStream: true, EndHeaders: true}))
	return stream
}

// awaitPing reads until the server answers a PING: it has then read all that was
// sent before.
func (c *h2Conn) awaitPing() {
	c.t.Helper()
	for {
		switch frame := c.read().(type) {
		case *h2.PingFrame:
			return
		case *h2.GoAwayFrame:
			c.t.Fatalf("the server ends the connection: %v", frame)
		}
	}
}

// All of them stand at one barrier: it opens for none where some have to queue.
func TestOneConnectionHasThousandsOfStreams(t *testing.T) {
	const n = 5000
	_, base, _ := start(t, DefaultConfig(), io.Discard)
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

// A client that asks and resets, again and again (CVE-2023-44487), has no more
// goroutines than it may have streams, and no more waiting than are admitted;
// nobody else waits for it.
func TestRapidResetsStayBounded(t *testing.T) {
	for _, tc := range []struct {
		name string
		held int // that wait all along, as many as may
	}{{"with room", 0}, {"with no room left", 50}} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			if tc.held > 0 {
				config.MaxInFlight = tc.held
			}
			srv, base, _ := start(t, config, io.Discard)
			c, before := dialH2(t, base), runtime.NumGoroutine()
			held := make([]uint32, tc.held)
			for i := range held {
				held[i] = c.get("/delay/10m")
			}
			eventually(t, "all wait", func() bool { return srv.journal.Waiting() == tc.held })
			const slack = 100 // of connections
			if n := resetFlood(t, c, base) - before; n > tc.held+int(c.streams)+slack {
				t.Errorf("a flood had %d goroutines at once, want no more than SETTINGS_MAX_CONCURRENT_STREAMS, %d", n, c.streams)
			}
			eventually(t, "none waits but those held", func() bool { return srv.journal.Waiting() == tc.held })
			_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
			if none := strings.Contains(metrics, `waits_total{outcome="left"} 0`); none != (tc.held > 0) {
				t.Errorf("none of the flood was admitted: got %v, want %v", none, tc.held > 0)
			}
			for _, stream := range held {
				c.must(c.WriteRSTStream(stream, h2.ErrCodeCancel))
			}
			eventually(t, "no stream waits that was reset", func() bool { return srv.journal.Waiting() == 0 && srv.limit.Inside() == 0 })
		})
	}
}

// resetFlood resets 20,000 requests as soon as they are asked, sees that another
// client is answered meanwhile, and returns how many goroutines there were.
func resetFlood(t *testing.T, c *h2Conn, base string) (goroutines int) {
	var both sync.WaitGroup
	both.Go(func() {
		for range 20_000 {
			c.must(c.WriteRSTStream(c.get("/delay/10m"), h2.ErrCodeCancel))
		}
		c.must(c.WritePing(false, [8]byte{}))
	})
	flooded := make(chan struct{})
	both.Go(func() {
		client := newClient(t)
		for going := true; going; {
			select {
			case <-flooded:
				going = false
			default:
			}
			if reply, _ := do(t, client, "GET", base+"/healthz", nil); reply.StatusCode != 200 {
				t.Errorf("another client during the flood: status %d, want 200", reply.StatusCode)
			}
			goroutines = max(goroutines, runtime.NumGoroutine())
		}
	})
	c.awaitPing()
	close(flooded)
	both.Wait()
	return goroutines
}
