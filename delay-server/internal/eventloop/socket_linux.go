package eventloop

import (
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below never block, so that they need not leave the scheduler and
// come back to it, as those of golang.org/x/sys/unix do.

// read returns 0 at the end of what the client sends, and unix.EAGAIN where
// nothing has come.
func read(fd int, b []byte) (n int, err error) {
	return again(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		return n, errno
	})
}

// send returns how much the system took.
func send(fd int, b []byte) (n int, err error) {
	return again(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		return n, errno
	})
}

// accept returns a connection and its client's address, zero where that is no
// address of IP. The error is unix.EAGAIN where nobody asks to be let in.
func accept(fd int) (conn int, client netip.Addr, err error) {
	var peer unix.RawSockaddrInet6 // has room for one of IPv4 too
	size := uint32(unix.SizeofSockaddrInet6)
	conn, err = again(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&peer)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		return n, errno
	})
	switch peer.Family {
	case unix.AF_INET:
		client = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&peer)).Addr)
	case unix.AF_INET6:
		client = netip.AddrFrom16(peer.Addr)
	}
	return conn, client, err
}

// poll returns how many events there are at once.
func poll(epoll int, events []unix.EpollEvent) (n int, err error) {
	return again(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		return n, errno
	})
}

// again repeats a call that a signal interrupts.
func again(call func() (uintptr, unix.Errno)) (int, error) {
	for {
		n, errno := call()
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func closeFD(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// take takes the socket of ln out of the runtime's hands. What is set on it
// here, the connections that it accepts inherit: the same that net sets on them.
func take(ln *net.TCPListener) (fd int, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return -1, err
	}
	if errControl := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); errControl != nil {
		return -1, errControl
	}
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	_ = ln.Close()   // its descriptor; the socket lives on
	const probe = 15 // seconds
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, probe},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, probe},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
	} {
		_ = unix.SetsockoptInt(fd, o.level, o.name, o.value) // not every kernel has each for each, and net does without too
	}
	return fd, unix.SetNonblock(fd, true)
}

// reserveFD returns a descriptor of nothing.
func reserveFD() (fd int, err error) {
	fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	return fd, os.NewSyscallError("eventfd", err)
}
