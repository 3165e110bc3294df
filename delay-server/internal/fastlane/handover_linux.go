package fastlane

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// preface is how a connection of HTTP/2 begins.
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// mayBeHTTP2 reports whether a connection that begins with b may be of HTTP/2.
func mayBeHTTP2(b []byte) bool {
	n := min(len(b), len(preface))
	return bytes.Equal(b[:n], preface[:n])
}

// handover is a connection on its way to net/http.
type handover struct {
	fd           int
	read, unsent []byte // copied before handOver returns
	http1        bool   // it is not of HTTP/2
	last         bool   // it ends with unsent
	sent         func() // called once, when nothing is left to send
}

// handOver gives a connection to net/http, as if what was read of it had not
// been. The client has WriteTimeout to take what was not sent.
func (lane *Lane) handOver(h handover) {
	file := os.NewFile(uintptr(h.fd), "connection")
	conn, err := lane.fileConn(file)
	if err != nil { // no connection any more
		lane.config.Log.Debug("hand over", "error", err)
		h.sent()
		return
	}
	to := lane.handed
	if h.http1 {
		to = lane.http1
	}
	read := bytes.Clone(h.read)
	if len(h.unsent) == 0 {
		h.sent()
		lane.give(to, &handed{conn, read})
		return
	}
	unsent := bytes.Clone(h.unsent)
	lane.serving.Go(func() {
		defer h.sent()
		_ = conn.SetWriteDeadline(time.Now().Add(lane.config.WriteTimeout))
		defer context.AfterFunc(lane.uncut, func() { _ = conn.SetWriteDeadline(time.Now()) })()
		if _, err := conn.Write(unsent); err != nil || h.last {
			_ = conn.Close()
			return
		}
		_ = conn.SetWriteDeadline(time.Time{})
		lane.give(to, &handed{conn, read})
	})
}

// fileConn returns the connection of file, which it closes. For a moment that
// takes a descriptor more: where the process has no other, the spare one.
func (lane *Lane) fileConn(file *os.File) (net.Conn, error) {
	conn, err := net.FileConn(file)
	if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) {
		_ = file.Close()
		return conn, err
	}
	lane.spare.Lock()
	defer lane.spare.Unlock()
	closeFD(lane.spare.fd)
	conn, err = net.FileConn(file)
	_ = file.Close()
	lane.spare.fd, _ = anyFD() // -1 where another has taken it since
	return conn, err
}

func (lane *Lane) give(to chan<- net.Conn, conn net.Conn) {
	select {
	case to <- conn:
	case <-lane.closed:
		_ = conn.Close()
	}
}

// handed is a connection of which something was read already.
type handed struct {
	net.Conn
	read []byte
}

// Read implements net.Conn.
func (h *handed) Read(b []byte) (int, error) {
	if len(h.read) == 0 {
		return h.Conn.Read(b)
	}
	n := copy(b, h.read)
	if h.read = h.read[n:]; len(h.read) == 0 {
		h.read = nil
	}
	return n, nil
}

// CloseWrite is net.TCPConn's.
func (h *handed) CloseWrite() error { return h.Conn.(*net.TCPConn).CloseWrite() }

// SetLinger is net.TCPConn's.
func (h *handed) SetLinger(seconds int) error { return h.Conn.(*net.TCPConn).SetLinger(seconds) }
