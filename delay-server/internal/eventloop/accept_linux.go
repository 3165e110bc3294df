package eventloop

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// listen starts to accept the connections of ln. It closes ln.
func (l *loop) listen(ln *net.TCPListener) error {
	fd, err := detach(ln)
	if err != nil {
		return err
	}
	l.listenFDs = append(l.listenFDs, fd)
	return l.poller.add(fd, unix.EPOLLIN)
}

// isListener reports whether fd is a listening socket.
func (l *loop) isListener(fd int) bool {
	return slices.Contains(l.listenFDs, fd)
}

// accept accepts pending connections.
func (l *loop) accept() {
	for _, listenFD := range l.listenFDs {
		for range batchSize {
			fd, client, err := accept(listenFD)
			if err == unix.EAGAIN {
				break
			}
			switch err {
			case nil:
				l.dispatch(fd, client)
			case unix.ECONNABORTED:
			default: // no file descriptor or memory left: let the clients wait
				l.listener.config.Log.Debug("accept", "error", err)
				l.outOfFDs = true
				l.modListen(0)
				l.timeoutAt = l.now.Add(acceptPause).UnixNano()
				l.timeoutTimer.Set(acceptPause)
				return
			}
		}
	}
}

// acceptPause is the pause in accepting while the process has no free file descriptor.
const acceptPause = 10 * time.Millisecond

// modListen sets the events that the poller reports of the listening sockets.
func (l *loop) modListen(events uint32) {
	for _, fd := range l.listenFDs {
		l.poller.modify(fd, events)
	}
}

// dispatch gives a new connection to the next loop, round-robin.
func (l *loop) dispatch(fd int, client netip.Addr) {
	l.accepted++
	to := l.listener.loops[l.accepted%uint32(len(l.listener.loops))]
	if to == l {
		l.add(fd, client)
	} else if !to.post(func() { to.add(fd, client) }) {
		closeFD(fd)
	}
}
