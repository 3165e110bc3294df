//go:build linux

package drive

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// connect opens a blocking socket to addr, which is one of IPv4.
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

// sources are the addresses that connections to a loopback address come from,
// in turn. From one address alone, the kernel looks for a free port among all
// that are taken, which at 10,000 takes longer than all else.
const sources = 16

// newSocket opens a socket of TCP, the one numbered from, with flags besides
// those of all.
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

// write writes all of b, or fails: what is written here fits into an empty
// socket's buffer.
func write(fd int, b []byte) error {
	for {
		n, err := unix.Write(fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("write", err)
		case n < len(b):
			return fmt.Errorf("write: %d of %d bytes taken", n, len(b))
		default:
			return nil
		}
	}
}

// CheckOpenFiles returns an error where the process may not hold n connections
// open at once.
func CheckOpenFiles(n int) error {
	const own = 100 // files of the process besides
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if uint64(n+own) > limit.Max {
		return fmt.Errorf("%d connections do not fit into %d open files, the limit of this process: raise it (ulimit -Hn)", n, limit.Max)
	}
	if limit.Cur == limit.Max {
		return nil
	}
	limit.Cur = limit.Max
	return os.NewSyscallError("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
}

// slack is the time beyond the asked wait after which a request has failed.
const slack = 10 * time.Second
