//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/deploy/bench/internal/peer"
)

// site is a server under attack and the attackers' connections.
type site struct {
	addr, addr2 netip.AddrPort // for HTTP/1.1 and for HTTP/2
	path        string         // of the requests
	lines       string         // of the attack
	scale       scale
	process     *peer.Process
	log         *os.File     // the server's log, if the attack reads it
	logged      atomic.Int64 // bytes read from log
	sent        atomic.Int64 // requests, or what else the attack sends

	mu    sync.Mutex
	conns []net.Conn
	total int
	left  bool
}

// Write counts b as read from the server's log.
func (s *site) Write(b []byte) (int, error) {
	s.logged.Add(int64(len(b)))
	return len(b), nil
}

// attackers is the source address of all attackers. The well-behaved clients have others,
// so that the effect of limits by address can be seen.
var attackers = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}

// maxConns is more than any attack opens, with the well-behaved clients.
const maxConns = 9_500

// dial opens a connection, which leave closes.
func (s *site) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: attackers, Timeout: limit}
	conn, err := d.DialContext(ctx, "tcp4", to.String())
	if err != nil {
		return nil, err
	}
	if by, ok := ctx.Deadline(); ok {
		conn.SetWriteDeadline(by)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		conn.Close()
		return nil, net.ErrClosed
	}
	s.conns = append(s.conns, conn)
	s.total++
	return conn, nil
}

// leave closes all connections. dial fails afterwards.
func (s *site) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns, s.left = nil, true
}

// opened returns how many connections have been opened.
func (s *site) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// each runs do concurrently for n connections, and returns when all have returned. It is no
// error if the server closes a connection or the attack ends: the readings show the effect.
func (s *site) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = do(ctx, i) })
	}
	wg.Wait()
	var ours []error
	for _, err := range errs {
		if err != nil && !ended(err) && ctx.Err() == nil {
			ours = append(ours, err)
		}
	}
	if len(ours) > 0 {
		return fmt.Errorf("%d of %d attackers failed, the first: %w", len(ours), n, ours[0])
	}
	return nil
}

// drain reads a connection to its end.
func drain(conn net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

// sip reads a connection slowly: 32 KB each tenth of a second, often enough for any timeout
// but more slowly than the server sends.
func sip(ctx context.Context, conn net.Conn) {
	buf := make([]byte, 32<<10)
	for sleep(ctx, 100*time.Millisecond) == nil {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}
