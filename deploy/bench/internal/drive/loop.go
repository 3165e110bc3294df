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
	"unsafe"

	"golang.org/x/sys/unix"
)

// loop serves many connections in one thread. It shares the machine with the server, so it
// has no goroutine, buffer or timer for each connection: one epoll instance and one buffer
// serve all.
type loop struct {
	addr    netip.AddrPort
	request *message
	asked   time.Duration
	tally   *Tally

	epoll  int
	events []unix.EpollEvent
	buf    []byte
	conns  []conn
	free   queue // connections without a request, open or closed, least recently used first
	opened int   // connections that have been opened; more are opened when free is empty
	base   time.Time
	sent   int  // requests under way
	brief  bool // a connection is closed after its answer
	stream bool // a request waits when its answer has begun: the header and a part of the body

	// counting is whether the overshoot of answers counts.
	counting bool
	last     time.Duration // when the last answer came
}

// conn is one connection. Times are since the loop's base.
type conn struct {
	fd         int
	state      state
	start      time.Duration // of the request, or of connecting if that is measured too
	written    time.Duration // just before the request's write
	unfinished []byte        // of a reply that came in pieces
}

type state uint8

const (
	closed state = iota
	connecting
	idle
	waiting
	streaming // the answer has begun; the rest is ignored
)

// settle is how long a server may take to accept a connection.
const settle = 20 * time.Microsecond

// newLoop returns a loop of up to maxConns connections to addr, with some open; each
// request asks for the wait. It locks the calling goroutine to its thread until close.
func newLoop(ctx context.Context, addr netip.AddrPort, request Request, asked time.Duration,
	open, maxConns int) (*loop, error) {
	l, err := emptyLoop(addr, request, asked, maxConns)
	if err != nil {
		return nil, err
	}
	for i := range open {
		if ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), l.close())
		}
		if err := l.open(i); err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.free.push(i)
	}
	l.opened = open
	return l, l.wait(l.now() + time.Duration(open)*settle)
}

// emptyLoop returns a loop without connections.
func emptyLoop(addr netip.AddrPort, request Request, asked time.Duration, maxConns int) (*loop, error) {
	if err := CheckOpenFiles(maxConns); err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	runtime.LockOSThread()
	// By default the kernel may wake this thread 50 µs late.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	return &loop{
		addr: addr, request: request.message(), asked: asked, tally: NewTally(), counting: true,
		epoll: epoll, events: make([]unix.EpollEvent, 256), buf: make([]byte, 64<<10),
		conns: make([]conn, maxConns), free: newQueue(maxConns), base: time.Now(),
	}, nil
}

// close resets all connections and unlocks the thread. Without a reset their ports would be
// in use for a minute.
func (l *loop) close() error {
	for i := range l.conns {
		if l.conns[i].state != closed {
			unix.SetsockoptLinger(l.conns[i].fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(l.conns[i].fd)
		}
	}
	runtime.UnlockOSThread()
	return os.NewSyscallError("close", unix.Close(l.epoll))
}

func (l *loop) now() time.Duration { return time.Since(l.base) }

// open opens connection i.
func (l *loop) open(i int) error {
	fd, err := connect(l.addr, i)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	l.conns[i] = conn{fd: fd, state: idle}
	return l.watch(i, unix.EPOLLIN)
}

func (l *loop) watch(i int, events uint32) error {
	return os.NewSyscallError("epoll_ctl",
		unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.conns[i].fd, &unix.EpollEvent{Events: events, Fd: int32(i)}))
}

// take returns a connection without a request, open or closed, or false if all have one.
func (l *loop) take() (int, bool) {
	if i, ok := l.free.pop(); ok {
		return i, true
	}
	if l.opened == len(l.conns) {
		return 0, false
	}
	l.opened++
	return l.opened - 1, true
}

// send writes the request to a free connection, opened if need be, and reports whether
// there was one.
func (l *loop) send() (bool, error) {
	i, ok := l.take()
	if !ok {
		return false, nil
	}
	c := &l.conns[i]
	if c.state == closed {
		if err := l.open(i); err != nil {
			return false, err
		}
	}
	c.start = l.now()
	c.written, c.state = c.start, waiting
	l.sent++
	if err := write(c.fd, l.request.next()); err != nil {
		l.fail(i, err)
	}
	return true, nil
}

// wait handles events until the given time.
func (l *loop) wait(until time.Duration) error {
	for {
		if err := l.poll(until - l.now()); err != nil || l.now() >= until {
			return err
		}
	}
}

// poll handles pending events, or waits for some up to the limit.
func (l *loop) poll(limit time.Duration) error {
	n, err := epollWait(l.epoll, l.events, max(limit, 0))
	if err != nil {
		return err
	}
	for _, event := range l.events[:n] {
		l.handle(int(event.Fd))
	}
	return nil
}

// epollWait is epoll_wait with a timeout in nanoseconds.
func epollWait(epoll int, events []unix.EpollEvent, timeout time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(timeout))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	default:
		return 0, os.NewSyscallError("epoll_pwait2", errno)
	}
}

// handle handles an event of connection i.
func (l *loop) handle(i int) {
	c := &l.conns[i]
	if c.state == connecting {
		l.connected(i)
		return
	}
	n, err := unix.Read(c.fd, l.buf)
	now := l.now()
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		l.fail(i, os.NewSyscallError("read", err))
		return
	case n == 0:
		l.fail(i, errClosed(len(c.unfinished)))
		return
	case c.state == streaming:
		return
	case c.state == idle:
		l.fail(i, fmt.Errorf("%d bytes without a request", n))
		return
	}
	reply := l.buf[:n]
	if len(c.unfinished) > 0 {
		c.unfinished = append(c.unfinished, reply...)
		reply = c.unfinished
	}
	read, err := l.request.read(reply, l.stream, l.asked)
	switch {
	case err != nil:
		l.fail(i, err)
	case l.stream && len(reply) > read.header && read.header > 0:
		c.state, c.unfinished = streaming, nil
		l.sent--
	case !l.stream && read.header > 0 && len(reply) == read.length:
		l.answer(i, read.asked, now)
	case len(c.unfinished) == 0:
		c.unfinished = append(c.unfinished, reply...)
	}
}

func (l *loop) answer(i int, asked, now time.Duration) {
	c := &l.conns[i]
	if l.counting {
		l.tally.Answer(asked, now-c.written, now-c.start)
	} else {
		l.tally.Uncounted(asked, now-c.written)
	}
	l.last = now
	l.end(i, l.brief)
}

// fail counts a failed request, or the failure of a free connection, and closes the
// connection.
func (l *loop) fail(i int, err error) {
	l.tally.Fail(err)
	l.end(i, true)
}

// end frees connection i, and closes it if hangUp.
func (l *loop) end(i int, hangUp bool) {
	c := &l.conns[i]
	if c.state == waiting || c.state == connecting {
		l.sent--
		l.free.push(i)
	}
	c.state, c.unfinished = idle, nil
	if hangUp {
		unix.Close(c.fd)
		c.state = closed
	}
}

// drain waits for the answers to all requests under way. Unanswered requests count as
// failed.
func (l *loop) drain(ctx context.Context) error {
	for limit := l.now() + l.asked + slack; l.sent > 0 && l.now() < limit; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := l.poll(time.Millisecond); err != nil {
			return err
		}
	}
	for i := range l.conns {
		if l.conns[i].state == waiting || l.conns[i].state == connecting {
			l.fail(i, errors.New("no reply in time"))
		}
	}
	return nil
}
