package eventloop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The raw system calls below never block, so they skip the scheduler's entry and exit
// hooks, unlike the functions of golang.org/x/sys/unix.

// read returns 0 at EOF, and unix.EAGAIN if there is no data.
func read(fd int, b []byte) (n int, err error) {
	return retryEINTR(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		return n, errno
	})
}

// send returns the number of bytes sent. The error is unix.EAGAIN if the send buffer
// is full.
func send(fd int, b []byte) (n int, err error) {
	return retryEINTR(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		return n, errno
	})
}

// accept returns the next connection and its client's IP address, or unix.EAGAIN if
// there is none.
func accept(fd int) (conn int, client netip.Addr, err error) {
	var peer unix.RawSockaddrInet6 // large enough for IPv4 too
	size := uint32(unix.SizeofSockaddrInet6)
	conn, err = retryEINTR(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd),
			uintptr(unsafe.Pointer(&peer)), uintptr(unsafe.Pointer(&size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
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

// poll stores the pending events and returns their number.
func poll(epoll int, events []unix.EpollEvent) (n int, err error) {
	return retryEINTR(func() (uintptr, unix.Errno) {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
			0, 0, 0)
		return n, errno
	})
}

// retryEINTR repeats call while a signal interrupts it.
func retryEINTR(call func() (uintptr, unix.Errno)) (int, error) {
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

// detach takes the socket of ln from the runtime's poller and closes ln. Accepted
// connections inherit the socket options, which package net sets.
func detach(ln *net.TCPListener) (fd int, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return -1, err
	}
	if fd, err = dup(raw); err != nil {
		return -1, err
	}
	_ = ln.Close()   // the socket stays open through fd
	const probe = 15 // seconds between keep-alive probes
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, probe},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, probe},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
	} {
		_ = unix.SetsockoptInt(fd, o.level, o.name, o.value) // package net ignores the error too
	}
	return fd, unix.SetNonblock(fd, true)
}

// dup returns a new descriptor of conn, -1 on error.
func dup(conn syscall.RawConn) (fd int, err error) {
	fd = -1
	errControl := conn.Control(func(old uintptr) {
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			fd, err = -1, os.NewSyscallError("fcntl", err)
		}
	})
	return fd, errors.Join(errControl, err)
}

// reserveFD returns an unused descriptor.
func reserveFD() (fd int, err error) {
	fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	return fd, os.NewSyscallError("eventfd", err)
}
