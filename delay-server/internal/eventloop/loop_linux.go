package eventloop

import (
	"encoding/binary"
	"math"
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

// loop serves its connections in one goroutine.
type loop struct {
	listener *Listener
	server   timers // on the server's clock
	poller   poller
	pollFunc func(uintptr) bool // the method value poll, allocated once

	queueTimer   timerfd.Timer // fires when the first of server is due
	runTimer     runTimer
	timeoutTimer timerfd.Timer // fires at timeoutAt
	wakeFD       int           // an eventfd, written by post
	listenFDs    []int
	accepted     uint32 // number of connections

	conns       []*conn     // by file descriptor
	open        int         // number of open connections
	newConns    timeoutList // accepted, nothing read yet
	readingHead timeoutList // part of a request's head is read
	idle        timeoutList // between requests
	readingBody timeoutList // part of a request's body is read
	sendBlocked timeoutList // the client does not read the response
	deferred    []*conn     // to resume in the next turn
	runs        map[*clock.Clock]*timers
	unparked    []*timers // of runs
	woken       []*timers // scratch of wakeRuns
	backlog     bool      // more timers are due than this turn ran
	timeoutAt   int64     // the earliest deadline in Unix nanoseconds; 0 for none
	now         time.Time
	lastYield   time.Time // when the goroutine last yielded or parked
	parked      bool
	outOfFDs    bool // accepting is paused: no free file descriptor
	draining    bool
	forceClosed bool // forceClose has run

	events []unix.EpollEvent
	in     []byte // read buffer
	out    []byte // send buffer of the connection that is served; empty between steps
	moved  int    // bytes read and sent for that connection in this step
	date   date

	request     request      // scratch: a local would escape to the heap
	flowRequest flow.Request // scratch, likewise

	mu     sync.Mutex
	inbox  []func()
	closed bool
}

// batchSize is the number of connections that a loop accepts, and of timers that it
// runs, before it polls again. It bounds how late the loop sees a new request.
const batchSize = 64

// newLoop returns a loop. Call run or end.
func newLoop(ln *Listener) (_ *loop, err error) {
	c := ln.config
	l := &loop{
		listener: ln, queueTimer: -1, timeoutTimer: -1, wakeFD: -1, in: make([]byte, maxRead),
		runs: map[*clock.Clock]*timers{}, runTimer: runTimer{fd: -1, next: math.MaxInt64},
		newConns: timeoutList{timeout: c.ReadTimeout}, readingHead: timeoutList{timeout: c.ReadTimeout},
		readingBody: timeoutList{timeout: c.ReadTimeout}, idle: timeoutList{timeout: c.IdleTimeout},
		sendBlocked: timeoutList{timeout: c.WriteTimeout},
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
	if l.runTimer.fd, err = timerfd.New(); err != nil {
		return nil, err
	}
	if l.wakeFD, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	for _, fd := range []int{int(l.queueTimer), int(l.timeoutTimer), int(l.runTimer.fd), l.wakeFD} {
		if err = l.poller.add(fd, unix.EPOLLIN|unix.EPOLLET); err != nil {
			return nil, err
		}
	}
	l.pollFunc = l.poll
	l.server = timers{loop: l, clock: c.Engine.Clock, queue: c.Engine.Clock.NewQueue(l.queueTimer.Set)}
	return l, nil
}

// run serves until the loop drains and all connections are closed.
func (l *loop) run() {
	for !l.draining || l.open > 0 {
		l.turn()
	}
	l.end()
}

// turn waits for events and handles them.
func (l *loop) turn() {
	l.poller.wait(l.pollFunc)
	l.now = time.Now()
	l.yield()
	accept, posted := false, false
	for _, e := range l.events {
		switch fd := int(e.Fd); fd {
		case int(l.queueTimer):
			l.server.queue.Fired()
		case int(l.runTimer.fd):
			l.wakeRuns()
		case int(l.timeoutTimer):
			l.timeoutAt = 0
		case l.wakeFD:
			posted = true
		default:
			switch {
			case l.isListener(fd):
				accept = true
			case l.conns[fd] != nil: // nil if an earlier event closed it
				l.serve(l.conns[fd], e.Events, onEvent)
			}
		}
	}
	l.backlog = l.server.queue.RunDue(batchSize)
	l.runDeferred()
	// Accept and read the inbox after the events: both add connections, which may reuse
	// the descriptors of the events. The inbox may hold drain, which closes the
	// listening sockets, so it comes last.
	if accept {
		l.accept()
	}
	if posted {
		l.readInbox()
	}
	l.expire()
	l.parkRuns()
}

// poll polls for events and reports whether there is something to do. If not, it
// parks the loop until the next call.
func (l *loop) poll(uintptr) bool {
	if l.parked {
		l.parked = false
		l.server.queue.Unpark()
		l.lastYield = time.Now()
	}
	if l.events = l.poller.poll(); len(l.events) > 0 || l.backlog || len(l.deferred) > 0 {
		return true
	}
	l.server.queue.Park()
	l.parked = true
	return false
}

// timeSlice is how long a busy loop runs before it yields to other goroutines. The
// runtime would preempt it after 10 ms only. Yielding in each turn would take a fifth
// of the CPU time at 6,000 waits a second.
const timeSlice = time.Millisecond

func (l *loop) yield() {
	if l.now.Sub(l.lastYield) > timeSlice {
		runtime.Gosched()
		l.now = time.Now()
		l.lastYield = l.now
	}
}

// step is one step of a connection. arg depends on the step.
type step func(l *loop, c *conn, arg uint32)

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

// serve runs one step of a connection. A panic closes only that connection.
func (l *loop) serve(c *conn, arg uint32, do step) {
	defer func() {
		if p := recover(); p != nil {
			l.listener.config.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			l.out = l.out[:0]
			l.abandon(c)
		}
	}()
	l.moved = 0
	c.unpark()
	do(l, c, arg)
}

// abandon closes a connection after a panic. It ignores another panic: the flow's state
// may be inconsistent.
func (l *loop) abandon(c *conn) {
	defer func() { _ = recover() }()
	if l.conns[c.fd] == c {
		defer l.close(c)
		c.closing = true
		c.flow.Cancel(flow.ErrInternal)
		l.out = l.out[:0]
	}
}

// runDeferred resumes deferred connections for up to a time slice, and at least one.
// Sending a large body takes longer than answering a due request.
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

// requeue defers c to a later turn. Until then the request's clock does not move: the
// loop does not park the queue of the server's clock, and holds the clock of a run.
func (l *loop) requeue(c *conn) {
	if c.deferred {
		return
	}
	c.deferred, l.deferred = true, append(l.deferred, c)
	if c.timers != &l.server {
		c.holdClock()
	}
}

// expire handles the connections whose deadline has passed, and sets timeoutTimer to
// the next deadline.
func (l *loop) expire() {
	if l.outOfFDs && l.timeoutAt == 0 {
		l.outOfFDs = false
		l.modListen(unix.EPOLLIN)
	}
	now := l.now.UnixNano()
	for _, list := range [...]*timeoutList{&l.newConns, &l.readingHead, &l.idle, &l.readingBody, &l.sendBlocked} {
		for list.front != nil && list.front.deadline <= now {
			l.serve(list.front, 0, onTimeout)
		}
		if list.front != nil && (l.timeoutAt == 0 || list.front.deadline < l.timeoutAt) {
			l.timeoutAt = list.front.deadline
			l.timeoutTimer.Set(time.Duration(l.timeoutAt - now))
		}
	}
}

// one is the number 1 as an eventfd takes it.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// post calls do on the loop's goroutine. It returns false if the loop has ended.
func (l *loop) post(do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.inbox = append(l.inbox, do)
		_, _ = unix.Write(l.wakeFD, one) // fails only if the counter overflows
	}
	return !l.closed
}

// readInbox calls the posted functions.
func (l *loop) readInbox() {
	l.mu.Lock()
	inbox := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, do := range inbox {
		do()
	}
}

// drain stops accepting and closes connections without a request. The loop ends when
// no connection is left.
func (l *loop) drain() {
	l.draining = true
	for _, fd := range l.listenFDs {
		l.poller.remove(fd)
		closeFD(fd)
	}
	l.listenFDs = nil
	for _, list := range [...]*timeoutList{&l.idle, &l.readingHead} {
		for list.front != nil {
			l.close(list.front)
		}
	}
	for l.newConns.front != nil { // serve requests that arrived before
		l.serveOrClose(l.newConns.front)
	}
}

// forceClose ends all requests with flow.ErrShutdown and closes all connections.
func (l *loop) forceClose() {
	l.forceClosed = true
	for _, c := range l.conns {
		if c == nil || c.deferred && !c.flow.Running() { // its buffered requests are answered in its turn
			continue
		}
		l.serve(c, 0, onShutdown)
	}
}

// end releases the resources of a loop that is not running.
func (l *loop) end() {
	l.server.queue.Close()
	for _, t := range l.runs {
		t.queue.Close()
	}
	l.closeAll()
}

// closeAll closes the loop's file descriptors.
func (l *loop) closeAll() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.readInbox() // posted before closed was set
	own := []int{int(l.queueTimer), int(l.timeoutTimer), int(l.runTimer.fd), l.wakeFD}
	for _, fd := range append(own, l.listenFDs...) {
		if fd >= 0 {
			closeFD(fd)
		}
	}
	l.poller.close()
}
