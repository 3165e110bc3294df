package program

import (
	"net"
	"runtime"
)

// Fair returns ln with connections of TCP that yield after each read. Without
// that, a connection of HTTP/2 starts a goroutine for each request that has
// arrived before one of them runs, and the requests of other connections queue
// behind all of them.
func Fair(ln net.Listener) net.Listener { return fair{ln} }

type fair struct{ net.Listener }

// tcpConn is what connections of TCP have and those of crypto/tls, which net/http
// knows by their type, have not.
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

// Idle tells a connection that wants to know that the server waits for a request.
func (c fairConn) Idle() {
	if idle, ok := c.tcpConn.(idler); ok {
		idle.Idle()
	}
}

// Read implements net.Conn.
func (c fairConn) Read(p []byte) (int, error) {
	n, err := c.tcpConn.Read(p)
	runtime.Gosched()
	return n, err
}
