package gate

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Why Client.Enter refuses: the whole limit is taken, or the client's share.
var (
	ErrFull      = errors.New("the limit is reached")
	ErrShareFull = errors.New("the client's share of the limit is reached")
)

// Shares is a Semaphore of which one client address gets no more than a share.
// Use NewShares.
type Shares struct {
	semaphore *Semaphore
	share     int64

	mu      sync.Mutex
	clients map[netip.Addr]*Client
}

// NewShares admits at most max at once, and at most share of one client.
func NewShares(max, share int) *Shares {
	return &Shares{semaphore: NewSemaphore(max), share: int64(share), clients: make(map[netip.Addr]*Client)}
}

// Inside returns how many are admitted now.
func (s *Shares) Inside() int { return s.semaphore.Inside() }

// Client returns the client with the address, until its Release. An IPv6 client
// is its /64 network, of which it may use any address. All clients with a zero
// address are one.
func (s *Shares) Client(addr netip.Addr) *Client {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, _ := addr.Prefix(64) // every IPv6 address has one
		addr = network.Addr()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[addr]
	if c == nil {
		c = &Client{shares: s, addr: addr}
		s.clients[addr] = c
	}
	c.users++
	return c
}

// Client is a client of Shares, safe for all goroutines. Enter and Leave take two
// atomic additions each and allocate nothing: look a client up once for each
// connection, not for each request.
type Client struct {
	shares *Shares
	addr   netip.Addr
	inside atomic.Int64
	users  int // of Client and Release; by shares.mu
}

// Enter returns nil, ErrFull or ErrShareFull. Each Enter that returns nil is paid
// back by one Leave.
func (c *Client) Enter() error {
	if !c.shares.semaphore.Enter() {
		return ErrFull
	}
	if c.inside.Add(1) > c.shares.share {
		c.Leave()
		return ErrShareFull
	}
	return nil
}

// Leave gives the place of one Enter back.
func (c *Client) Leave() {
	c.inside.Add(-1)
	c.shares.semaphore.Leave()
}

// Full returns what Enter would, and takes no place.
func (c *Client) Full() error {
	switch {
	case int64(c.shares.Inside()) >= c.shares.semaphore.max:
		return ErrFull
	case c.inside.Load() >= c.shares.share:
		return ErrShareFull
	}
	return nil
}

// Release ends the use of c, whose every Enter has its Leave.
func (c *Client) Release() {
	c.shares.mu.Lock()
	defer c.shares.mu.Unlock()
	if c.users--; c.users == 0 {
		delete(c.shares.clients, c.addr)
	}
}
