package program

import (
	"net"
	"runtime"
)

// Fair returns a listener whose TCP connections yield the processor after each read.
// Otherwise an HTTP/2 connection starts a goroutine for every request that has
// arrived, and the requests of other connections queue behind them.
func Fair(ln net.Listener) net.Listener { return fair{ln} }

type fair struct{ net.Listener }

// tcpConn is implemented by TCP connections. It is not implemented by *tls.Conn, which
// must not be wrapped: net/http looks for that type.
type tcpConn interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// Accept implements net.Listener.
func (ln fair) Accept() (net.Conn, error) {
	conn, err := ln.Listener.Accept()
	if tcp, ok := conn.(tcpConn); ok && err == nil {
		return fairConn{tcp}, nil
	}
	return conn, err
}

type fairConn struct{ tcpConn }

// Idle calls Idle of the connection, if it has that method.
func (c fairConn) Idle() {
	if idle, ok := c.tcpConn.(idler); ok {
		idle.Idle()
	}
}

// Connection implements numbered, for a connection that has no number yet too.
func (c fairConn) Connection() (number uint64, reused bool) {
	if from, ok := c.tcpConn.(numbered); ok {
		return from.Connection()
	}
	return 0, false
}

// Read implements net.Conn.
func (c fairConn) Read(p []byte) (int, error) {
	n, err := c.tcpConn.Read(p)
	runtime.Gosched()
	return n, err
}
