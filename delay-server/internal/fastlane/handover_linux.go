package fastlane

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// handOver gives a connection to net/http, as if what was read of it had not
// been. The client has to take what was not sent first.
func (lane *Lane) handOver(fd int, read, unsent []byte) {
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := lane.fileConn(file)
	if err != nil { // no connection any more
		lane.config.Log.Debug("hand over", "error", err)
		return
	}
	read = append([]byte(nil), read...)
	if len(unsent) == 0 {
		lane.give(&handed{conn, read})
		return
	}
	unsent = append([]byte(nil), unsent...)
	lane.serving.Go(func() {
		_ = conn.SetWriteDeadline(time.Now().Add(lane.config.WriteTimeout))
		defer context.AfterFunc(lane.uncut, func() { _ = conn.SetWriteDeadline(time.Now()) })()
		if _, err := conn.Write(unsent); err != nil {
			_ = conn.Close()
			return
		}
		_ = conn.SetWriteDeadline(time.Time{})
		lane.give(&handed{conn, read})
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

func (lane *Lane) give(conn net.Conn) {
	select {
	case lane.handed <- conn:
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
