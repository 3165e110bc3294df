//go:build linux

package drive

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// connect opens a blocking socket to an IPv4 address.
func connect(addr netip.AddrPort, from int) (int, error) {
	fd, err := newSocket(addr, from, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, sockaddr(addr)); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %v: %w", addr, err)
	}
	return fd, nil
}

// sources is how many loopback addresses connections come from, in turn. With one address
// and 10,000 ports in use, the kernel's search for a free port takes longer than everything
// else.
const sources = 16

// newSocket opens a TCP socket with additional flags. from chooses its source address.
func newSocket(to netip.AddrPort, from, flags int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, unix.IPPROTO_TCP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && to.Addr().IsLoopback() {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + from%sources)}})
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("prepare a socket: %w", err)
	}
	return fd, nil
}

func sockaddr(addr netip.AddrPort) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
}

// write writes all of b, which must fit into the socket's buffer.
func write(fd int, b []byte) error {
	for {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("write", err)
		case n < len(b):
			return fmt.Errorf("wrote %d of %d bytes", n, len(b))
		default:
			return nil
		}
	}
}

// CheckOpenFiles raises the limit of open files for n connections, or returns an error.
func CheckOpenFiles(n int) error {
	const own = 100 // files of the process besides
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if uint64(n+own) > limit.Max {
		return fmt.Errorf("%d connections exceed the limit of %d open files: raise it (ulimit -Hn)", n, limit.Max)
	}
	if limit.Cur == limit.Max {
		return nil
	}
	limit.Cur = limit.Max
	return os.NewSyscallError("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
}

// slack is how late an answer may be before the request counts as failed.
const slack = 10 * time.Second
