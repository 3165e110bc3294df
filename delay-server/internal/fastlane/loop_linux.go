package fastlane

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/timerfd"
)

// loop serves its connections by one goroutine, which sleeps where Go's poller
// has it wait for the loop's own epoll: no thread is blocked.
type loop struct {
	lane  *Lane
	queue *clock.Queue // of those that wait
	epoll *os.File
	raw   syscall.RawConn    // of epoll
	poll  int                // the descriptor of epoll
	look  func(uintptr) bool // lookAgain, made once

	alarm timerfd.Timer // for the queue
	sweep timerfd.Timer // for the first of the lists
	bell  int           // an eventfd, for the inbox
	entry int           // the listening socket; -1 for none
	turn  uint32        // whose it was to take a connection

	conns       []*conn // by descriptor
	open        int     // how many of them there are
	fresh, idle list
	unread      []*conn   // of which one turn is not to read all
	sweepAt     time.Time // zero for never
	now         time.Time // of this turn, by the machine's clock
	rested      time.Time // when others could last have the processor
	behind      bool      // more are due than this turn has answered
	resting     bool      // until Go's poller has something
	full        bool      // the process had no descriptor for one more
	draining    bool
	cutReply    []byte // the answer to every request that waits, once the loop is cut; nil before

	ready [256]unix.EpollEvent
	found int // of ready
	in    []byte
	out   []byte
	date  date

	mu     sync.Mutex
	inbox  []func()
	closed bool
}

// atOnce is how many connections a loop accepts, answers because they are due, or
// goes on with, before it looks for events again: what a request that comes meanwhile
// would not be seen for.
const atOnce = 64

// newLoop returns a loop that is to run. The error is the system's.
func newLoop(lane *Lane) (_ *loop, err error) {
	l := &loop{
		lane: lane, poll: -1, alarm: -1, sweep: -1, bell: -1, entry: -1, in: make([]byte, mostRead),
		fresh: list{timeout: lane.config.ReadTimeout}, idle: list{timeout: lane.config.IdleTimeout},
	}
	defer func() {
		if err != nil {
			l.closeAll()
		}
	}()
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(l.poll, true); err != nil { // or Go's poller does not take it
		return nil, os.NewSyscallError("fcntl", err)
	}
	l.epoll = os.NewFile(uintptr(l.poll), "epoll")
	if err = l.epoll.SetReadDeadline(time.Time{}); err != nil { // it does not
		return nil, fmt.Errorf("have Go's poller wait for an epoll: %w", err)
	}
	if l.raw, err = l.epoll.SyscallConn(); err != nil {
		return nil, err
	}
	if l.alarm, err = timerfd.New(); err != nil {
		return nil, err
	}
	if l.sweep, err = timerfd.New(); err != nil {
		return nil, err
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	for _, fd := range []int{int(l.alarm), int(l.sweep), l.bell} {
		if err = l.watch(fd, unix.EPOLLIN|unix.EPOLLET); err != nil {
			return nil, err
		}
	}
	l.look = l.lookAgain
	l.queue = lane.config.Clock.NewQueue(l.alarm.Set)
	return l, nil
}

// listen has the loop accept the connections of ln, which it closes.
func (l *loop) listen(ln *net.TCPListener) (err error) {
	if l.entry, err = take(ln); err != nil {
		return err
	}
	return l.watch(l.entry, unix.EPOLLIN)
}

// watch has epoll tell of a descriptor.
func (l *loop) watch(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// run serves until the loop drains and nobody waits.
func (l *loop) run() {
	for !l.draining || l.open > 0 {
		l.step()
	}
	l.end()
}

// step is one turn: it handles what is ready, and waits for that first.
func (l *loop) step() {
	n := l.await()
	l.now = time.Now()
	l.share()
	entry, bell := false, false
	for _, e := range l.ready[:n] {
		switch fd := int(e.Fd); fd {
		case l.entry:
			entry = true
		case int(l.alarm):
			l.queue.Fired()
		case int(l.sweep):
			l.sweepAt = time.Time{}
		case l.bell:
			bell = true
		default:
			l.event(l.conns[fd], e.Events)
		}
	}
	l.goOn()
	l.behind = l.queue.RunDue(atOnce)
	// After the events, since both bring descriptors that those may be about. The
	// inbox comes last: drain, which it may hold, closes the listening socket.
	if entry {
		l.accept()
	}
	if bell {
		l.readInbox()
	}
	l.timeOut()
}

// end ends a loop that does not run, or no longer.
func (l *loop) end() {
	l.queue.Close()
	l.closeAll()
}

// shift is how long a loop that always has something to do keeps its processor
// from what is not plain. Without share that is the runtime's 10 ms; sharing each
// turn takes a fifth of the CPU time of 6,000 waits a second.
const shift = time.Millisecond

// share lets others have the processor, where the loop has had it for long.
func (l *loop) share() {
	if l.now.Sub(l.rested) > shift {
		runtime.Gosched()
		l.now = time.Now()
		l.rested = l.now
	}
}

// await returns how many events are ready, at least one unless the loop has
// something to do without. Until then the loop rests.
func (l *loop) await() int {
	l.found = 0
	_ = l.raw.Read(l.look)
	return l.found
}

// lookAgain polls, and reports whether there is something to do. Where there is
// not, the loop rests until it is called again.
func (l *loop) lookAgain(uintptr) bool {
	if l.resting {
		l.resting = false
		l.queue.Unpark()
		l.rested = time.Now()
	}
	if l.found, _ = poll(l.poll, l.ready[:]); l.found > 0 || l.behind || len(l.unread) > 0 {
		return true
	}
	l.queue.Park()
	l.resting = true
	return false
}

// event does what an event of a connection asks for.
func (l *loop) event(c *conn, events uint32) {
	if c == nil {
		return // closed by an event of this turn
	}
	c.more = true
	c.half = c.half || events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	switch {
	case c.waits():
		l.overhear(c)
	case !c.unread:
		l.converse(c)
	}
}

// goOn goes on where earlier turns left off.
func (l *loop) goOn() {
	turn := l.unread[:min(len(l.unread), atOnce)]
	l.unread = l.unread[len(turn):]
	for _, c := range turn {
		c.unread = false
		if l.conns[c.fd] != c || c.waits() {
			continue
		}
		rest := c.rest
		c.rest = nil
		if l.serve(c, rest) {
			l.converse(c)
		}
	}
	if len(l.unread) == 0 {
		l.unread = nil
	}
}

// timeOut closes those that had their time to send something.
func (l *loop) timeOut() {
	if l.full && l.sweepAt.IsZero() {
		l.full = false
		l.mind(unix.EPOLLIN)
	}
	for _, of := range []*list{&l.fresh, &l.idle} {
		for of.front != nil && !of.front.deadline.After(l.now) {
			l.close(of.front)
		}
		if of.front != nil && (l.sweepAt.IsZero() || of.front.deadline.Before(l.sweepAt)) {
			l.sweepAt = of.front.deadline
			l.sweep.Set(l.sweepAt.Sub(l.now))
		}
	}
}

// ring is what an eventfd is rung by: the number 1, as this machine writes it.
var ring = binary.NativeEndian.AppendUint64(nil, 1)

// post has the loop do something, or reports false where it has ended.
func (l *loop) post(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.inbox = append(l.inbox, do)
		_, _ = unix.Write(l.bell, ring) // fails for one that has been rung 2^64 times
	}
	return !l.closed
}

func (l *loop) readInbox() {
	l.mu.Lock()
	inbox := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, do := range inbox {
		do()
	}
}

// drain closes what neither waits nor has asked, and has the loop end once nobody
// waits.
func (l *loop) drain() {
	l.draining = true
	if l.entry >= 0 {
		l.forget(l.entry)
		closeFD(l.entry)
		l.entry = -1
	}
	for l.idle.front != nil {
		l.close(l.idle.front)
	}
	for l.fresh.front != nil {
		l.lookOnce(l.fresh.front)
	}
}

// lookOnce serves what a fresh connection has sent before the loop drained, or
// closes it.
func (l *loop) lookOnce(c *conn) {
	c.more = true
	l.converse(c)
}

// cut answers every request that waits, and that would wait from now on, as
// Config.Cut does.
func (l *loop) cut() {
	r, _ := http.NewRequest(http.MethodGet, "/", nil) // both are well-formed
	l.cutReply = record(l.lane.config.Cut, r).bytes(l.date.at(l.now))
	for _, c := range l.conns {
		if c != nil && c.waits() {
			l.cutOff(c)
		}
	}
}

// closeAll ends what the loop has of the system.
func (l *loop) closeAll() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.readInbox() // of what came until then
	for _, fd := range []int{int(l.alarm), int(l.sweep), l.bell, l.entry} {
		if fd >= 0 {
			closeFD(fd)
		}
	}
	switch {
	case l.epoll != nil:
		_ = l.epoll.Close()
	case l.poll >= 0:
		closeFD(l.poll)
	}
}
