//go:build linux

package drive

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Sequential sends n requests for a wait, one after another on one connection. It measures
// from just before the write to just after the read.
//
// The read blocks in the kernel, on a locked thread, which the packet itself wakes. The
// runtime's poller, which wakes a net.Conn, would add its latency.
func Sequential(ctx context.Context, addr netip.AddrPort, request Request, asked time.Duration, n int) (*Tally, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := connectForReads(addr, 0, asked+slack)
	if err != nil {
		return nil, err
	}
	defer func() { unix.Close(fd) }()

	tally := NewTally()
	message, buf := request.message(), make([]byte, 64<<10)
	for range n {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		start := time.Now()
		wait, err := exchange(fd, message, buf, asked)
		took := time.Since(start)
		if err == nil {
			tally.Answer(wait, took, took)
			continue
		}
		tally.Fail(err)
		unix.Close(fd)
		if fd, err = connectForReads(addr, 0, asked+slack); err != nil {
			return nil, err
		}
	}
	return tally, nil
}

// connectForReads connects. Connecting, and each read and write, fails after limit.
func connectForReads(addr netip.AddrPort, from int, limit time.Duration) (int, error) {
	fd, err := newSocket(addr, from, 0)
	if err != nil {
		return -1, err
	}
	timeout := unix.NsecToTimeval(int64(limit))
	err = errors.Join(
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)),
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout)),
		os.NewSyscallError("connect", unix.Connect(fd, sockaddr(addr))),
	)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%v: %w", addr, err)
	}
	return fd, nil
}

// exchange writes a request to a blocking socket and reads its reply. It returns the wait
// that was asked for, which may be drawn.
func exchange(fd int, request *message, buf []byte, asked time.Duration) (time.Duration, error) {
	if err := write(fd, request.next()); err != nil {
		return 0, err
	}
	for read := 0; ; {
		n, err := unix.Read(fd, buf[read:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, errors.New("no reply in time")
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, errClosed(read)
		}
		read += n
		if r, err := request.read(buf[:read], false, asked); err != nil || r.header > 0 && read == r.length {
			return r.asked, err
		}
	}
}
