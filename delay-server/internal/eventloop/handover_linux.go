package eventloop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// preface is the first bytes of an HTTP/2 connection.
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// mayBeHTTP2 reports whether a connection that begins with b may be HTTP/2.
func mayBeHTTP2(b []byte) bool {
	n := min(len(b), len(preface))
	return bytes.Equal(b[:n], preface[:n])
}

// maxHandedOver is the maximum number of hand-overs in a row for one request each. After
// that net/http keeps the connection: a hand-over costs several times as much as a
// request.
const maxHandedOver = 8

// handOver gives a connection to net/http: for one request of size bytes, or for
// good if size is 0. b has the bytes that were read and not served.
func (l *loop) handOver(c *conn, b []byte, size int) {
	if c.handedOver++; c.handedOver > maxHandedOver {
		size = 0
	}
	l.remove(c)
	l.poller.remove(int(c.fd))
	c.client.Release()
	to := l.listener.handed
	if c.answered || !mayBeHTTP2(b) {
		to = l.listener.http1
	}
	tcp, err := l.listener.tcpConn(os.NewFile(uintptr(c.fd), "connection"))
	if err != nil { // the client is gone
		l.listener.config.Log.Debug("hand over", "error", err)
		return
	}
	l.listener.enqueue(to, &handedConn{
		TCPConn: tcp, loop: l, read: bytes.Clone(b), size: size, remaining: size,
		count: c.handedOver, post: c.afterPOST, number: c.number(), reused: c.answered,
	})
}

// tcpConn returns the connection of file. It closes file.
func (ln *Listener) tcpConn(file *os.File) (*net.TCPConn, error) {
	defer file.Close()
	var conn net.Conn
	err := ln.withReserve(func() (err error) {
		if conn, err = net.FileConn(file); err == nil {
			err = file.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// withReserve calls f, which opens one descriptor and closes another. If the process
// has no free descriptor, withReserve frees the reserved one and calls f again.
func (ln *Listener) withReserve(f func() error) error {
	err := f()
	if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) {
		return err
	}
	ln.reserve.Lock()
	defer ln.reserve.Unlock()
	if ln.reserve.closed {
		return err
	}
	closeFD(ln.reserve.fd)
	err = f()
	ln.reserve.fd, _ = reserveFD() // -1 if another goroutine took the descriptor
	return err
}

// enqueue passes conn to Accept, or closes it if the listener is closed.
func (ln *Listener) enqueue(to chan<- net.Conn, conn net.Conn) {
	select {
	case to <- conn:
	case <-ln.closed:
		_ = conn.Close()
	}
}

// handedConn is a connection that net/http serves. If it was handed over for one
// request, net/http sees EOF after that request, and Close returns it to its loop.
type handedConn struct {
	*net.TCPConn
	loop      *loop
	read      []byte      // read from the socket, but not yet by net/http
	size      int         // bytes of the one request; 0 if net/http keeps the connection
	remaining int         // bytes of the request that net/http has not read
	count     uint8       // conn.handedOver
	post      bool        // the request is a POST
	number    uint64      // conn.number
	reused    bool        // the loop sent a response before
	idle      bool        // net/http answered the request
	returning atomic.Bool // Close returns the connection to the loop
}

// Connection returns the number of the connection in the journal, and whether the loop
// read a request from it before.
func (h *handedConn) Connection() (number uint64, reused bool) { return h.number, h.reused }

// Idle notes that net/http waits for the next request.
func (h *handedConn) Idle() { h.idle = true }

// Read implements net.Conn.
func (h *handedConn) Read(b []byte) (n int, err error) {
	if h.size > 0 && h.remaining == 0 {
		return h.readAhead(b)
	}
	if h.size > 0 {
		b = b[:min(len(b), h.remaining)]
	}
	if len(h.read) > 0 {
		n = copy(b, h.read)
		h.read = h.read[n:]
	} else {
		n, err = h.TCPConn.Read(b)
	}
	if h.remaining > 0 {
		h.remaining -= n
	}
	return n, err
}

// readAhead reads while net/http answers, so that net/http notices a client that
// leaves, and keeps the data for the loop. After the answer it returns io.EOF.
func (h *handedConn) readAhead(b []byte) (int, error) {
	for !h.idle {
		if len(h.read) >= maxRead {
			return 0, h.waitForDeadline() // the rest stays in the socket
		}
		if len(h.read) > 0 { // net/http reads one byte at a time
			b = make([]byte, maxReadAhead)
		}
		n, err := h.TCPConn.Read(b)
		h.read = append(h.read, b[:n]...)
		if err != nil {
			return 0, err
		}
	}
	h.returning.Store(true)
	return 0, io.EOF
}

// waitForDeadline blocks until the read deadline passes or the connection is closed,
// and returns that error.
func (h *handedConn) waitForDeadline() error {
	raw, err := h.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(uintptr) bool { return false })
}

// Close closes the connection, or returns it to its loop.
func (h *handedConn) Close() error {
	if !h.returning.Swap(false) {
		return h.TCPConn.Close()
	}
	client := h.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
	fd := -1
	raw, err := h.SyscallConn()
	if err != nil {
		return errors.Join(err, h.TCPConn.Close())
	}
	err = h.loop.listener.withReserve(func() (err error) {
		if fd, err = dup(raw); err == nil {
			err = h.TCPConn.Close()
		}
		return err
	})
	if err != nil {
		closeFD(fd)
		return errors.Join(err, h.TCPConn.Close())
	}
	if !h.loop.post(func() { h.loop.addReturned(fd, client, h) }) {
		closeFD(fd)
	}
	return nil
}
