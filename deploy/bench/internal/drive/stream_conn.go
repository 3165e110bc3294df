//go:build linux

package drive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streamConn is an HTTP/2 connection, driven frame by frame: a client with a goroutine for
// each stream would use more CPU than the server.
type streamConn struct {
	net.Conn
	framer *http2.Framer
	out    bytes.Buffer // what the framer wrote

	header  []byte    // the same for each request
	first   uint32    // stream of the wave
	next    uint32    // stream to open
	written time.Time // just before the wave's requests
	streams []stream  // of the wave
	tally   *Tally
}

// stream is a request under way.
type stream struct {
	want, got int // bytes of its body; want is -1 if unknown
	failure   error
	ended     bool
}

// dialStreams opens a connection that may have n streams at once.
func dialStreams(ctx context.Context, addr netip.AddrPort, path string, n int) (*streamConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", addr.String())
	if err != nil {
		return nil, err
	}
	c := &streamConn{Conn: conn, next: 1, tally: NewTally()}
	c.framer = http2.NewFramer(&c.out, bufio.NewReader(conn))
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.header = RequestHeader(addr.String(), path)
	if err := c.begin(uint32(n)); err != nil {
		conn.Close()
		return nil, fmt.Errorf("HTTP/2 with %v: %w", addr, err)
	}
	return c, nil
}

// RequestHeader returns the HPACK block of a GET, which adds nothing to the dynamic table.
func RequestHeader(host, path string) []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: host, Sensitive: true}, // never indexed
		{Name: ":path", Value: path, Sensitive: true},
	} {
		e.WriteField(f) // to memory: no error
	}
	return block.Bytes()
}

// begin sends the preface and reads the server's settings.
func (c *streamConn) begin(streams uint32) error {
	c.out.WriteString(http2.ClientPreface)
	c.framer.WriteSettings()
	c.framer.WriteWindowUpdate(0, 1<<30)
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(slack)); err != nil {
		return err
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return err
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		return fmt.Errorf("the first frame is %v, want SETTINGS", frame.Header())
	}
	if limit, ok := settings.Value(http2.SettingMaxConcurrentStreams); ok && limit < streams {
		return fmt.Errorf("the server allows %d streams on a connection, want %d", limit, streams)
	}
	c.framer.WriteSettingsAck()
	return c.flush()
}

// flush sends what the framer wrote.
func (c *streamConn) flush() error {
	_, err := c.out.WriteTo(c.Conn)
	return err
}

// send opens n streams with one write. Their answers must arrive within limit.
func (c *streamConn) send(n int, limit time.Duration) error {
	c.first, c.streams = c.next, make([]stream, n)
	for range n {
		if err := c.framer.WriteHeaders(
			http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.header, EndStream: true,
				EndHeaders: true}); err != nil {
			return err
		}
		c.next += 2
	}
	c.written = time.Now()
	if err := c.SetDeadline(c.written.Add(limit)); err != nil {
		return err
	}
	return c.flush()
}

// receive reads until all streams of the wave have ended, and returns the time of the last.
func (c *streamConn) receive(n int, asked time.Duration) (last time.Time, err error) {
	for left := n; left > 0; {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return last, fmt.Errorf("HTTP/2, %d of %d streams unanswered: %w", left, n, err)
		}
		last = time.Now()
		ended, err := c.take(frame)
		switch {
		case err != nil && !ended:
			return last, err
		case err != nil:
			c.tally.Fail(err)
			left--
		case ended:
			took := last.Sub(c.written)
			c.tally.Answer(asked, took, took)
			left--
		}
	}
	return last, nil
}

// take handles a frame and reports whether it ended a stream. If it did, the error is about
// that stream, otherwise about the connection.
func (c *streamConn) take(frame http2.Frame) (ended bool, err error) {
	switch f := frame.(type) {
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("GOAWAY: %v", f.ErrCode)
	case *http2.SettingsFrame:
		if f.IsAck() {
			return false, nil
		}
		c.framer.WriteSettingsAck()
		return false, c.flush()
	case *http2.PingFrame:
		if f.IsAck() {
			return false, nil
		}
		c.framer.WritePing(true, f.Data)
		return false, c.flush()
	case *http2.MetaHeadersFrame, *http2.DataFrame, *http2.RSTStreamFrame:
		s, err := c.stream(frame.Header().StreamID)
		if err != nil {
			return false, err
		}
		return s.take(frame)
	}
	return false, nil
}

// take handles a frame of the stream and reports whether it was the last.
func (s *stream) take(frame http2.Frame) (ended bool, err error) {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		s.want = -1
		for _, field := range f.Fields {
			switch field.Name {
			case ":status":
				if field.Value != "200" {
					s.failure = fmt.Errorf("status %s: want 200", field.Value)
				}
			case "content-length":
				if s.want, err = strconv.Atoi(field.Value); err != nil {
					s.failure = fmt.Errorf("content-length %q: want a number of bytes", field.Value)
				}
			}
		}
		s.ended = f.StreamEnded()
	case *http2.DataFrame:
		s.got += len(f.Data())
		s.ended = f.StreamEnded()
	case *http2.RSTStreamFrame:
		s.failure, s.ended = fmt.Errorf("stream reset: %v", f.ErrCode), true
	}
	if s.ended && s.failure == nil && s.want >= 0 && s.got != s.want {
		s.failure = fmt.Errorf("body of %d bytes: want %d", s.got, s.want)
	}
	if !s.ended {
		return false, nil
	}
	return true, s.failure
}

// stream returns the open stream with this id.
func (c *streamConn) stream(id uint32) (*stream, error) {
	if i := (id - c.first) / 2; id >= c.first && int(i) < len(c.streams) && !c.streams[i].ended {
		return &c.streams[i], nil
	}
	return nil, fmt.Errorf("a frame for stream %d, which is not open", id)
}
