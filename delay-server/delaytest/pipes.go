package delaytest

import (
	"context"
	"net"
	"sync"
)

// pipes is an in-memory [net.Listener]. Unlike a socket, it blocks durably in a
// bubble of testing/synctest.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

func newPipes() *pipes {
	closed := make(chan struct{})
	return &pipes{dialled: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// dial connects to the listener. It has the signature of http.Transport.DialContext.
func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialled <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the server's end of the next pipe.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept and dial return net.ErrClosed.
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr returns a placeholder.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: inMemoryHost, Net: "pipe"} }
