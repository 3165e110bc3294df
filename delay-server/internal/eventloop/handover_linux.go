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

// preface is how a connection of HTTP/2 begins.
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// mayBeHTTP2 reports whether a connection that begins with b may be of HTTP/2.
func mayBeHTTP2(b []byte) bool {
	n := min(len(b), len(preface))
	return bytes.Equal(b[:n], preface[:n])
}

// maxHandedOver is how often in a row a connection is handed over for one request
// alone. Such a hand-over takes a few times what net/http takes for the request.
const maxHandedOver = 8

// handOver gives a connection, of which b was read, to net/http: for one request
// where it is size bytes long, for the rest of its life where that is 0, or where
// the connection asks for nothing that waits.
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
	if err != nil { // no connection any more
		l.listener.config.Log.Debug("hand over", "error", err)
		return
	}
	l.listener.give(to, &handed{TCPConn: tcp, loop: l, read: bytes.Clone(b), size: size, left: size, times: c.handedOver, post: c.afterPOST})
}

// tcpConn returns the connection of file, which it closes.
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

// withReserve calls f, which takes a descriptor and closes another, and calls it
// once more with the reserved one free where the process has none.
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
	ln.reserve.fd, _ = reserveFD() // -1 where another has taken it since
	return err
}

func (ln *Listener) give(to chan<- net.Conn, conn net.Conn) {
	select {
	case to <- conn:
	case <-ln.closed:
		_ = conn.Close()
	}
}

// handed is a connection that net/http serves. Where it is net/http's for one
// request, it ends for net/http behind that, and goes back to its loop.
type handed struct {
	*net.TCPConn
	loop  *loop
	read  []byte      // by the loop, and not yet by net/http
	size  int         // of the one request; 0 for the rest of the connection's life
	left  int         // bytes of it that net/http has not read
	times uint8       // in a row that the connection was handed over
	post  bool        // the request is POST
	idle  bool        // net/http has answered the request
	back  atomic.Bool // the connection goes back to the loop when it is closed
}

// Idle is called when net/http begins to wait for a request.
func (h *handed) Idle() { h.idle = true }

// Read implements net.Conn.
func (h *handed) Read(b []byte) (n int, err error) {
	if h.size > 0 && h.left == 0 {
		return h.readBehind(b)
	}
	if h.size > 0 {
		b = b[:min(len(b), h.left)]
	}
	if len(h.read) > 0 {
		n = copy(b, h.read)
		h.read = h.read[n:]
	} else {
		n, err = h.TCPConn.Read(b)
	}
	if h.left > 0 {
		h.left -= n
	}
	return n, err
}

// readBehind waits for the client to leave, which net/http wants to see while it
// answers, and keeps what comes for the loop. Once net/http has answered, it
// reports the end.
func (h *handed) readBehind(b []byte) (int, error) {
	for !h.idle {
		if len(h.read) >= maxRead {
			return 0, h.waitForDeadline() // the rest stays with the system
		}
		if len(h.read) > 0 { // net/http asks for one byte
			b = make([]byte, maxBehind)
		}
		n, err := h.TCPConn.Read(b)
		h.read = append(h.read, b[:n]...)
		if err != nil {
			return 0, err
		}
	}
	h.back.Store(true)
	return 0, io.EOF
}

// waitForDeadline returns the error of a read whose deadline comes, or whose
// connection is closed.
func (h *handed) waitForDeadline() error {
	raw, err := h.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(uintptr) bool { return false })
}

// Close implements net.Conn.
func (h *handed) Close() error {
	if !h.back.Swap(false) {
		return h.TCPConn.Close()
	}
	client := h.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
	fd := -1
	raw, err := h.SyscallConn()
	if err != nil {
		return errors.Join(err, h.TCPConn.Close())
	}
	err = h.loop.listener.withReserve(func() (err error) {
		if errControl := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); errControl != nil {
			return errControl
		}
		if err == nil {
			err = h.TCPConn.Close()
		}
		return err
	})
	if err != nil {
		closeFD(fd)
		return errors.Join(err, h.TCPConn.Close())
	}
	if !h.loop.post(func() { h.loop.addBack(fd, client, h) }) {
		closeFD(fd)
	}
	return nil
}
