package eventloop

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/timerfd"
)

// loop serves its connections by one goroutine.
type loop struct {
	listener *Listener
	queue    *clock.Queue
	poller   poller
	look     func(uintptr) bool // poll, made once

	queueTimer   timerfd.Timer // for the first of the queue
	timeoutTimer timerfd.Timer // for the first of the lists
	wakeFD       int           // an eventfd, for the inbox
	listenFDs    []int
	turns        uint32 // connections accepted so far

	conns     []*conn // by descriptor
	open      int     // how many of them there are
	fresh     list    // accepted, and nothing read
	head      list    // part of a request's head has come
	idle      list    // between requests
	body      list    // part of a request's body has come
	unsent    list    // the client does not read
	deferred  []*conn // to go on with in the next turn
	backlog   bool    // more are due than this turn has answered
	timeoutAt int64   // of timeoutTimer, in Unix nanoseconds; 0 for never
	now       time.Time
	yielded   time.Time // when others could last have the processor
	parked    bool
	full      bool // the process had no descriptor for one more
	draining  bool
	cut       bool // shutdown has run

	events []unix.EpollEvent
	in     []byte // scratch for what is read
	out    []byte // kept back of the connection that is being served; empty between two
	moved  int    // bytes read and sent for it in this turn
	date   date

	request     request      // scratch: on the stack it would escape
	flowRequest flow.Request // likewise

	mu     sync.Mutex
	inbox  []func()
	closed bool
}

// atOnce is how many connections a loop accepts, answers because they are due, or
// goes on with, before it looks for events again: what a request that comes meanwhile
// would not be seen for.
const atOnce = 64

// newLoop returns a loop that is to run. The error is the system's.
func newLoop(ln *Listener) (_ *loop, err error) {
	c := ln.config
	l := &loop{
		listener: ln, queueTimer: -1, timeoutTimer: -1, wakeFD: -1, in: make([]byte, maxRead),
		fresh: list{timeout: c.ReadTimeout}, head: list{timeout: c.ReadTimeout}, body: list{timeout: c.ReadTimeout},
		idle: list{timeout: c.IdleTimeout}, unsent: list{timeout: c.WriteTimeout},
	}
	defer func() {
		if err != nil {
			l.closeAll()
		}
	}()
	if err = l.poller.open(); err != nil {
		return nil, err
	}
	if l.queueTimer, err = timerfd.New(); err != nil {
		return nil, err
	}
	if l.timeoutTimer, err = timerfd.New(); err != nil {
		return nil, err
	}
	if l.wakeFD, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	for _, fd := range []int{int(l.queueTimer), int(l.timeoutTimer), l.wakeFD} {
		if err = l.poller.add(fd, unix.EPOLLIN|unix.EPOLLET); err != nil {
			return nil, err
		}
	}
	l.look = l.poll
	l.queue = c.Engine.Clock.NewQueue(l.queueTimer.Set)
	return l, nil
}

// listen has the loop accept the connections of ln, which it closes.
func (l *loop) listen(ln *net.TCPListener) error {
	fd, err := take(ln)
	if err != nil {
		return err
	}
	l.listenFDs = append(l.listenFDs, fd)
	return l.poller.add(fd, unix.EPOLLIN)
}

// run serves until the loop drains and no connection is left.
func (l *loop) run() {
	for !l.draining || l.open > 0 {
		l.turn()
	}
	l.end()
}

// turn waits until something is ready, and handles it.
func (l *loop) turn() {
	l.poller.wait(l.look)
	l.now = time.Now()
	l.yield()
	accept, posted := false, false
	for _, e := range l.events {
		switch fd := int(e.Fd); fd {
		case int(l.queueTimer):
			l.queue.Fired()
		case int(l.timeoutTimer):
			l.timeoutAt = 0
		case l.wakeFD:
			posted = true
		default:
			switch {
			case l.listens(fd):
				accept = true
			case l.conns[fd] != nil: // else closed by an event of this turn
				l.serve(l.conns[fd], e.Events, onEvent)
			}
		}
	}
	l.backlog = l.queue.RunDue(atOnce)
	l.runDeferred()
	// After the events, since both bring descriptors that those may be about. The
	// inbox comes last: drain, which it may hold, closes the listening sockets.
	if accept {
		l.accept()
	}
	if posted {
		l.readInbox()
	}
	l.expire()
}

// poll reports whether there is something to do. Where there is not, the loop is
// parked until it is called again.
func (l *loop) poll(uintptr) bool {
	if l.parked {
		l.parked = false
		l.queue.Unpark()
		l.yielded = time.Now()
	}
	if l.events = l.poller.poll(); len(l.events) > 0 || l.backlog || len(l.deferred) > 0 {
		return true
	}
	l.queue.Park()
	l.parked = true
	return false
}

// timeSlice is how long a busy loop runs before it yields to other goroutines.
// Without that it is the runtime's 10 ms; to yield each turn takes a fifth of the
// CPU time of 6,000 waits a second.
const timeSlice = time.Millisecond

func (l *loop) yield() {
	if l.now.Sub(l.yielded) > timeSlice {
		runtime.Gosched()
		l.now = time.Now()
		l.yielded = l.now
	}
}

// step is what serve does with a connection.
type step func(l *loop, c *conn, events uint32)

func onEvent(l *loop, c *conn, events uint32) { l.onEvent(c, events) }
func onDefer(l *loop, c *conn, _ uint32)      { l.resume(c) }
func onTimeout(l *loop, c *conn, _ uint32)    { l.timeOut(c) }
func onShutdown(l *loop, c *conn, _ uint32) {
	if !c.flow.Ended() {
		c.flow.Cancel(flow.ErrShutdown)
	}
	l.close(c)
}
func onDue(l *loop, c *conn, due uint32) {
	c.flow.Resume(due != 0)
	l.proceed(c)
}

// serve does one step of a connection within the bounds of a turn. A panic ends
// the connection alone.
func (l *loop) serve(c *conn, arg uint32, do step) {
	defer func() {
		if p := recover(); p != nil {
			l.listener.config.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			l.out = l.out[:0]
			l.abandon(c)
		}
	}()
	l.moved = 0
	do(l, c, arg)
}

// abandon ends a connection whose flow may be in no state that it knows.
func (l *loop) abandon(c *conn) {
	defer func() { _ = recover() }()
	if l.conns[c.fd] == c {
		defer l.close(c)
		c.closing = true
		c.flow.Cancel(flow.ErrInternal)
		l.out = l.out[:0]
	}
}

// runDeferred goes on where earlier turns left off, for a time slice: to make a
// large body takes longer than to answer what is due.
func (l *loop) runDeferred() {
	turn := l.deferred
	l.deferred = nil
	for i, c := range turn {
		if i > 0 && time.Since(l.now) > timeSlice {
			l.deferred = append(turn[i:], l.deferred...)
			return
		}
		c.deferred = false
		if l.conns[c.fd] == c {
			l.serve(c, 0, onDefer)
		}
	}
}

// postpone has a later turn go on with c.
func (l *loop) postpone(c *conn) {
	if !c.deferred {
		c.deferred, l.deferred = true, append(l.deferred, c)
	}
}

// expire ends the connections whose time for something is over.
func (l *loop) expire() {
	if l.full && l.timeoutAt == 0 {
		l.full = false
		l.modListen(unix.EPOLLIN)
	}
	now := l.now.UnixNano()
	for _, of := range [...]*list{&l.fresh, &l.head, &l.idle, &l.body, &l.unsent} {
		for of.front != nil && of.front.deadline <= now {
			l.serve(of.front, 0, onTimeout)
		}
		if of.front != nil && (l.timeoutAt == 0 || of.front.deadline < l.timeoutAt) {
			l.timeoutAt = of.front.deadline
			l.timeoutTimer.Set(time.Duration(l.timeoutAt - now))
		}
	}
}

// one is what an eventfd is written, as this machine has it.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// post has the loop do something, or reports false where it has ended.
func (l *loop) post(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.inbox = append(l.inbox, do)
		_, _ = unix.Write(l.wakeFD, one) // fails for one that has been written 2^64 times
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

// listens reports whether fd is a listening socket.
func (l *loop) listens(fd int) bool {
	for _, of := range l.listenFDs {
		if of == fd {
			return true
		}
	}
	return false
}

// accept accepts the connections that are waiting.
func (l *loop) accept() {
	for _, listening := range l.listenFDs {
		for range atOnce {
			fd, client, err := accept(listening)
			if err == unix.EAGAIN {
				break
			}
			switch err {
			case nil:
				l.dispatch(fd, client)
			case unix.ECONNABORTED:
			default: // too many files, or too little memory: the clients wait
				l.listener.config.Log.Debug("accept", "error", err)
				l.full = true
				l.modListen(0)
				l.timeoutAt = l.now.Add(pause).UnixNano()
				l.timeoutTimer.Set(pause)
				return
			}
		}
	}
}

// pause is how long clients wait to be accepted while the process has no
// descriptor for one more.
const pause = 10 * time.Millisecond

// modListen has the poller report these events of the listening sockets.
func (l *loop) modListen(events uint32) {
	for _, fd := range l.listenFDs {
		l.poller.modify(fd, events)
	}
}

// dispatch gives a connection to the loops in turn.
func (l *loop) dispatch(fd int, client netip.Addr) {
	l.turns++
	to := l.listener.loops[l.turns%uint32(len(l.listener.loops))]
	if to == l {
		l.add(fd, client)
	} else if !to.post(func() { to.add(fd, client) }) {
		closeFD(fd)
	}
}

// drain closes what has no request, and has the loop end once no connection is left.
func (l *loop) drain() {
	l.draining = true
	for _, fd := range l.listenFDs {
		l.poller.remove(fd)
		closeFD(fd)
	}
	l.listenFDs = nil
	for _, of := range [...]*list{&l.idle, &l.head} {
		for of.front != nil {
			l.close(of.front)
		}
	}
	for l.fresh.front != nil { // what has come before the loop drained is served
		l.lookOnce(l.fresh.front)
	}
}

// shutdown ends every request with flow.ErrShutdown, and every connection.
func (l *loop) shutdown() {
	l.cut = true
	for _, c := range l.conns {
		if c == nil || c.deferred && !c.flow.Running() { // what that has sent is answered in its turn
			continue
		}
		l.serve(c, 0, onShutdown)
	}
}

// end ends a loop that does not run, or no longer.
func (l *loop) end() {
	l.queue.Close()
	l.closeAll()
}

// closeAll ends what the loop has of the system.
func (l *loop) closeAll() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.readInbox() // of what came until then
	for _, fd := range append([]int{int(l.queueTimer), int(l.timeoutTimer), l.wakeFD}, l.listenFDs...) {
		if fd >= 0 {
			closeFD(fd)
		}
	}
	l.poller.close()
}
