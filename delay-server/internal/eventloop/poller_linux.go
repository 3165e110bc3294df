package eventloop

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll that a goroutine waits for without blocking a thread: Go's
// own poller waits for it.
type poller struct {
	fd    int
	file  *os.File
	raw   syscall.RawConn // of file
	ready [256]unix.EpollEvent
}

// open opens the poller. The error is the system's.
func (p *poller) open() (err error) {
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		p.fd = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(p.fd, true); err != nil { // or Go's poller does not take it
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	if err = p.file.SetReadDeadline(time.Time{}); err != nil { // it does not
		return fmt.Errorf("have Go's poller wait for an epoll: %w", err)
	}
	p.raw, err = p.file.SyscallConn()
	return err
}

func (p *poller) close() {
	switch {
	case p.file != nil:
		_ = p.file.Close()
	case p.fd >= 0:
		closeFD(p.fd)
	}
}

// add reports the events of a descriptor from now on.
func (p *poller) add(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// modify reports other events of a descriptor from now on.
func (p *poller) modify(fd int, events uint32) {
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// remove reports no more events of a descriptor whose file may live on by
// another: to close it would not do.
func (p *poller) remove(fd int) { _ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// wait calls look until it reports true, each time that there may be events.
func (p *poller) wait(look func(uintptr) bool) { _ = p.raw.Read(look) }

// poll returns the events that there are now.
func (p *poller) poll() []unix.EpollEvent {
	n, _ := poll(p.fd, p.ready[:])
	return p.ready[:n]
}
