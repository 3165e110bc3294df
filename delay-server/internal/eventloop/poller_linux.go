package eventloop

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll instance. A goroutine waits for it without blocking a thread,
// through the runtime's own poller.
type poller struct {
	fd    int
	file  *os.File
	raw   syscall.RawConn // of file
	ready [256]unix.EpollEvent
}

// open creates the epoll instance.
func (p *poller) open() (err error) {
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		p.fd = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(p.fd, true); err != nil { // the runtime's poller requires it
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	if err = p.file.SetReadDeadline(time.Time{}); err != nil { // the runtime does not poll the file
		return fmt.Errorf("poll epoll: %w", err)
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

// add starts to report events of a descriptor.
func (p *poller) add(fd int, events uint32) error {
	err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	return os.NewSyscallError("epoll_ctl", err)
}

// modify changes the events that are reported of a descriptor.
func (p *poller) modify(fd int, events uint32) {
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// remove stops reporting a descriptor. Closing it is not enough if its file stays
// open through another descriptor.
func (p *poller) remove(fd int) { _ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// wait calls ready whenever there may be events, until it returns true.
func (p *poller) wait(ready func(uintptr) bool) { _ = p.raw.Read(ready) }

// poll returns the pending events.
func (p *poller) poll() []unix.EpollEvent {
	n, _ := poll(p.fd, p.ready[:])
	return p.ready[:n]
}
