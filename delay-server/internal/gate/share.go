package gate

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
)

// The errors of Client.Enter.
var (
	ErrFull      = errors.New("limit reached")
	ErrShareFull = errors.New("limit per client reached")
)

// Shares is a Semaphore with a limit for each client address. Use NewShares.
type Shares struct {
	semaphore *Semaphore
	share     int64

	mu      sync.Mutex
	clients map[netip.Addr]*Client
}

// NewShares returns a Shares that admits at most max at once, and at most share of one
// client.
func NewShares(max, share int) *Shares {
	return &Shares{semaphore: NewSemaphore(max), share: int64(share), clients: make(map[netip.Addr]*Client)}
}

// Inside returns the number of places taken.
func (s *Shares) Inside() int { return s.semaphore.Inside() }

// Client returns the client with the address. The caller calls Release after use.
// All IPv6 addresses of a /64 network are one client, and so are all zero addresses.
func (s *Shares) Client(addr netip.Addr) *Client {
	addr = ClientAddr(addr)
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

// Client is a client of Shares. It is safe for concurrent use. Enter and Leave take
// two atomic additions each: look up a client once for each connection, not for each
// request.
type Client struct {
	shares *Shares
	addr   netip.Addr
	inside atomic.Int64
	users  int // calls of Client without Release; guarded by shares.mu
}

// ClientAddr returns the address by which addr is counted: an IPv4 address itself, and
// the network of an IPv6 address, a /64.
func ClientAddr(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, _ := addr.Prefix(64) // every IPv6 address has one
		addr = network.Addr()
	}
	return addr
}

// Addr returns the address by which c is counted.
func (c *Client) Addr() netip.Addr { return c.addr }

// Enter takes a place. The error is ErrFull or ErrShareFull. Each Enter that returns
// nil is followed by one Leave.
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

// Leave gives back the place of one Enter.
func (c *Client) Leave() {
	c.inside.Add(-1)
	c.shares.semaphore.Leave()
}

// Full returns the error that Enter would return.
func (c *Client) Full() error {
	switch {
	case int64(c.shares.Inside()) >= c.shares.semaphore.max:
		return ErrFull
	case c.inside.Load() >= c.shares.share:
		return ErrShareFull
	}
	return nil
}

// Release ends the use of c after the Leave of each Enter.
func (c *Client) Release() {
	c.shares.mu.Lock()
	defer c.shares.mu.Unlock()
	if c.users--; c.users == 0 {
		delete(c.shares.clients, c.addr)
	}
}
