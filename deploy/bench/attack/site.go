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

// site is a server under attack, with the attackers' connections.
type site struct {
	addr, addr2 netip.AddrPort // for HTTP/1.1 and for HTTP/2
	path        string         // what is asked for
	lines       string         // of the attack
	scale       scale
	process     *peer.Process
	log         *os.File     // what it writes, where the attack reads it
	sent        atomic.Int64 // requests, or whatever the attack counts

	mu    sync.Mutex
	conns []net.Conn
	total int
	left  bool
}

// attackers is the address that all attackers come from. The well-behaved
// clients have others, so that a share for each address shows.
var attackers = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}

// mostConns is more than any attack has open, the well-behaved clients included.
const mostConns = 9_500

// dial opens a connection, which stays open until leave.
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

// leave closes all connections at once. No more are opened.
func (s *site) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns, s.left = nil, true
}

// opened returns the number of connections that were opened.
func (s *site) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// each runs do at the same time for n connections, and returns when all have
// returned. A server that ends a connection, and an attack that is over, are no
// errors: that is what the readings are about.
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

// drain reads a connection to its end, as fast as its bytes come.
func drain(conn net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

// sip reads a connection slowly: a part of 32 KB each tenth of a second, which is
// often enough for any time-out and much less than what is sent.
func sip(ctx context.Context, conn net.Conn) {
	buf := make([]byte, 32<<10)
	for sleep(ctx, 100*time.Millisecond) == nil {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}
