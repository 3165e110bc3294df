package delaytest

import (
	"context"
	"net"
	"sync"
)

// pipes is a listener in memory: unlike a socket's, its waits are seen by
// testing/synctest.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

func newPipes() *pipes {
	closed := make(chan struct{})
	return &pipes{dialled: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// dial is for http.Transport.DialContext.
func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialled <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the far end of the next pipe that is dialled.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and dial with net.ErrClosed.
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr names no address.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: inMemory, Net: "pipe"} }
