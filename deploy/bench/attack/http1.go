//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// request returns a GET with additional header lines.
func (s *site) request(path, lines string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %v\r\n%s\r\n", path, s.addr, lines)
}

// largeHeaders sends 1 MB of header on each of 300 connections.
func largeHeaders(ctx context.Context, s *site) error {
	const line = "X-Padding-%04d: %s\r\n"
	var lines strings.Builder
	for i := 0; lines.Len() < 1_000_000; i++ {
		fmt.Fprintf(&lines, line, i, strings.Repeat("x", 4000))
	}
	request := s.request(s.path, lines.String())
	return s.each(ctx, s.scale.of(300), func(ctx context.Context, _ int) error {
		conn, err := s.dial(ctx, s.addr)
		if err != nil {
			return err
		}
		s.sent.Add(1)
		_, err = conn.Write(request)
		return err
	})
}

// slowReaders asks for large answers on 300 connections and reads them slowly.
func slowReaders(ctx context.Context, s *site) error {
	request := s.request(s.path, s.lines)
	// not scaled: what matters is how many write at once
	return s.each(ctx, 300, func(ctx context.Context, _ int) error {
		conn, err := s.dial(ctx, s.addr)
		if err != nil {
			return err
		}
		s.sent.Add(1)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		sip(ctx, conn)
		return nil
	})
}

// pipeline sends requests without end on 20 connections, and reads nothing.
func pipeline(ctx context.Context, s *site) error {
	const batch = 100
	requests := bytes.Repeat(s.request(s.path, s.lines), batch)
	return s.each(ctx, 20, func(ctx context.Context, _ int) error {
		conn, err := s.dial(ctx, s.addr)
		if err != nil {
			return err
		}
		for {
			if _, err := conn.Write(requests); err != nil {
				return err
			}
			s.sent.Add(batch)
		}
	})
}

// runNames asks for 10,000 different paths of 8 KB, a delay of many digits, on 20
// connections, so that the server counts each path.
func runNames(ctx context.Context, s *site) error {
	const conns = 20
	each := s.scale.of(10_000) / conns
	return s.each(ctx, conns, func(ctx context.Context, c int) error {
		conn, err := s.dial(ctx, s.addr)
		if err != nil {
			return err
		}
		go drain(conn)
		for i := range each {
			path := fmt.Sprintf("/delay/0.%s%06d?fail_first=1&run=N", strings.Repeat("0", 8000), c*each+i)
			if _, err := conn.Write(s.request(path, "")); err != nil {
				return err
			}
			s.sent.Add(1)
		}
		return nil
	})
}

// slowSenders opens connections that send the beginning of a request, then a byte at a
// time.
func slowSenders(n int, first string) func(ctx context.Context, s *site) error {
	return func(ctx context.Context, s *site) error {
		return s.each(ctx, s.scale.of(n), func(ctx context.Context, _ int) error {
			conn, err := s.dial(ctx, s.addr)
			if err != nil {
				return err
			}
			s.sent.Add(1)
			if _, err := conn.Write([]byte(first)); err != nil {
				return err
			}
			for sleep(ctx, 500*time.Millisecond) == nil {
				if _, err := conn.Write([]byte("x")); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// idle opens 9,000 connections that send one request, or none on every second connection.
func idle(ctx context.Context, s *site) error {
	request := s.request(s.path, s.lines)
	const at = 50 // connections opened at a time
	n := s.scale.of(9000)
	return s.each(ctx, at, func(ctx context.Context, c int) error {
		for i := range n / at {
			conn, err := s.dial(ctx, s.addr)
			if err != nil {
				return err
			}
			if i%2 == 0 {
				if _, err := conn.Write(request); err != nil {
					return err
				}
			}
			s.sent.Add(1)
		}
		return nil
	})
}

// requestEach opens n connections, scaled, and sends a request on each.
func (s *site) requestEach(ctx context.Context, n int) error {
	request := s.request(s.path, s.lines)
	const at = 50
	return s.each(ctx, at, func(ctx context.Context, _ int) error {
		for range s.scale.of(n) / at {
			conn, err := s.dial(ctx, s.addr)
			if err != nil {
				return err
			}
			if _, err := conn.Write(request); err != nil {
				return err
			}
			s.sent.Add(1)
		}
		return nil
	})
}

// leaveAtOnce is 5,000 clients that wait and close at the same time.
func leaveAtOnce(ctx context.Context, s *site) error {
	err := s.requestEach(ctx, 5000)
	if err := sleep(ctx, time.Second/2); err != nil {
		return nil
	}
	s.leave()
	return err
}
