package fastlane

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// accept takes the connections that ask to be let in.
func (l *loop) accept() {
	for range atOnce {
		fd, client, err := accept(l.entry)
		switch err {
		case nil:
			l.deal(fd, client)
		case unix.EAGAIN:
			return
		case unix.ECONNABORTED:
		default: // too many files, or too little memory: those who ask have to wait
			l.lane.config.Log.Debug("accept", "error", err)
			l.full = true
			l.mind(0)
			l.sweepAt = l.now.Add(pause)
			l.sweep.Set(pause)
			return
		}
	}
}

// pause is how long those who ask to be let in are left to wait where the
// process has no descriptor for one more.
const pause = 10 * time.Millisecond

// mind has epoll tell of these events of the listening socket.
func (l *loop) mind(events uint32) {
	if l.entry >= 0 {
		_ = unix.EpollCtl(l.poll, unix.EPOLL_CTL_MOD, l.entry, &unix.EpollEvent{Events: events, Fd: int32(l.entry)})
	}
}

// deal gives a connection to the loop whose turn it is.
func (l *loop) deal(fd int, client netip.Addr) {
	l.turn++
	to := l.lane.loops[l.turn%uint32(len(l.lane.loops))]
	if to == l {
		l.add(fd, client)
	} else if !to.post(func() { to.add(fd, client) }) {
		closeFD(fd)
	}
}

// add has the loop serve a connection.
func (l *loop) add(fd int, client netip.Addr) {
	if l.closed || l.watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET) != nil {
		closeFD(fd)
		return
	}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, 1+len(l.conns))...)
	}
	c := &conn{loop: l, fd: fd, client: l.lane.config.Limit.Client(client)}
	c.Owner = c
	l.conns[fd] = c
	l.open++
	l.fresh.add(c, l.now)
	if l.draining { // another loop accepted it before
		l.lookOnce(c)
	}
}

// remove has the loop serve a connection no longer.
func (l *loop) remove(c *conn) {
	c.leaveList()
	l.conns[c.fd] = nil
	l.open--
}

func (l *loop) close(c *conn) {
	l.remove(c)
	c.client.Release()
	closeFD(c.fd)
}

// handOver gives a connection, of which this was read and not sent, to net/http.
// It takes a place of Config.Limit until the rest is sent.
func (l *loop) handOver(c *conn, read, unsent []byte) {
	l.remove(c)
	l.forget(c.fd)
	counted := len(unsent) > 0 && c.client.Enter() == nil
	l.lane.handOver(handover{
		fd: c.fd, read: read, unsent: unsent, http1: c.served || !mayBeHTTP2(read), last: len(unsent) > 0 && c.last,
		sent: func() {
			if counted {
				c.client.Leave()
			}
			c.client.Release()
		},
	})
}

// forget has epoll no longer tell of a descriptor whose file may live on by
// another: to close it would not do.
func (l *loop) forget(fd int) { _ = unix.EpollCtl(l.poll, unix.EPOLL_CTL_DEL, fd, nil) }
