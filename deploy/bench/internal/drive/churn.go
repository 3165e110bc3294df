//go:build linux

package drive

import (
	"context"
	"math"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Churn is clients that arrive at an even rate. Each opens a connection and closes it after
// the answer; some close it in the middle of their wait. Overshoot includes connecting.
type Churn struct {
	Rate       float64       // clients a second
	Asked      time.Duration // the wait of each
	LeaveEvery int           // every how many clients one leaves
	During     time.Duration // time in which they arrive
}

// Conns returns how many connections the load opens at most: enough if answers are up to a
// second late.
func (c Churn) Conns() int { return int(math.Ceil(c.Rate * (c.Asked + time.Second).Seconds())) }

// leaver is a client that leaves unless it is answered first.
type leaver struct {
	conn  int
	start time.Duration // of its request: the connection may be in use for another by then
}

// Run runs the load until all its clients have gone. It also returns how many left early.
func (c Churn) Run(ctx context.Context, addr netip.AddrPort, request Request) (*Tally, int, error) {
	l, err := newLoop(ctx, addr, request, c.Asked, 0, c.Conns())
	if err != nil {
		return nil, 0, err
	}
	defer l.close()
	l.brief = true
	left := 0
	var leavers []leaver // in the order in which they leave
	for start, n := l.now(), 0; ; {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		now := l.now() - start
		for len(leavers) > 0 && leavers[0].start+c.Asked/2 <= l.now() {
			left += l.leave(leavers[0])
			leavers = leavers[1:]
		}
		if now >= c.During && len(leavers) == 0 {
			return l.tally, left, l.drain(ctx)
		}
		due := time.Duration(float64(n) / c.Rate * float64(time.Second))
		if due < c.During && due <= now {
			i, err := l.arrive()
			if err != nil {
				return nil, 0, err
			}
			if n++; n%c.LeaveEvery == 0 && i >= 0 {
				leavers = append(leavers, leaver{i, l.conns[i].start})
			}
			continue
		}
		if err := l.wait(min(start+due, l.now()+time.Millisecond)); err != nil {
			return nil, 0, err
		}
	}
}

// arrive begins to connect a client and returns its connection, or -1 if all are in use.
func (l *loop) arrive() (int, error) {
	i, ok := l.take()
	if !ok {
		l.tally.Held++
		return -1, nil
	}
	start := l.now()
	fd, err := newSocket(l.addr, i, unix.SOCK_NONBLOCK)
	if err != nil {
		return -1, err
	}
	l.conns[i] = conn{fd: fd, state: connecting, start: start}
	l.sent++
	if err := unix.Connect(fd, sockaddr(l.addr)); err != nil && err != unix.EINPROGRESS {
		l.fail(i, os.NewSyscallError("connect", err))
		return i, nil
	}
	// Edge-triggered: a connected socket is always ready to write.
	return i, l.watch(i, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET)
}

// connected writes the request of a client, or counts that it could not connect.
func (l *loop) connected(i int) {
	c := &l.conns[i]
	failed, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && failed != 0 {
		err = unix.Errno(failed)
	}
	if err != nil {
		l.fail(i, os.NewSyscallError("connect", err))
		return
	}
	c.state, c.written = waiting, l.now()
	if err := write(c.fd, l.request.next()); err != nil {
		l.fail(i, err)
	}
}

// leave closes a client's connection and returns 1, or returns 0 if the client has been
// answered.
func (l *loop) leave(who leaver) int {
	c := &l.conns[who.conn]
	if c.start != who.start || c.state != waiting && c.state != connecting {
		return 0
	}
	l.end(who.conn, true)
	return 1
}
