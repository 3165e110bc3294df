// Package flow takes one request from its plan to its answer: it is admitted,
// may queue for a worker, may be held by an event, waits until it is due, and
// sends. A Flow is a state machine that never blocks, so that an event loop
// can run thousands; a goroutine of net/http runs one. The two differ by
// their Output alone.
//
// Invariants:
//
//   - A flow is used by one goroutine at a time, its owner's. Only Output.Wake
//     is called by others.
//   - A spurious Resume does nothing: a flow looks for itself whether its
//     ticket has been freed. Taken is called once for each refused Send.
//   - The worker and the place of a request are given back, and the journal
//     sees that it is in flight no longer, before the last byte is sent: a
//     client that has the answer can ask again at once. The place is taken
//     again while the client does not read the rest.
//   - A flow that starts while the engine shuts down is answered at once: no
//     wait begins behind the shutdown.
//   - Nothing here assumes that a ticket is answered before Enter returns, or
//     by this process.
package flow

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// ErrClientGone is the cause of Cancel after the client closed its connection.
var ErrClientGone = errors.New("client closed the connection")

// ErrShutdown is the cause of Cancel if the server shuts down.
var ErrShutdown = problem.ShuttingDown.New("server is shutting down")

// ErrInternal is what a client learns of an internal error.
var ErrInternal = problem.Internal.New("internal error; the server's log has the reason")

// Engine is what the flows of a server share.
type Engine struct {
	Clock    *clock.Clock
	Journal  *journal.Journal
	Pools    *gate.Pools
	Barriers *gate.Barriers
	Holds    *gate.Holds

	Header func(h http.Header, origin string) // sets what every response has
	Origin func(origin string) string         // returns an origin that Header depends on, "" for any other; nil for none
	Full   func(err error) *problem.Problem   // what an error of gate.Client.Enter is to the client
	Record bool                               // the journal's observer reads method and path of every wait

	shutdown atomic.Bool
}

// Shutdown has every flow that starts from now on answered with ErrShutdown.
// The owners cancel the flows that have started.
func (e *Engine) Shutdown() { e.shutdown.Store(true) }

// Output is where a flow waits and sends. Its methods are called by the owner
// of the flow, but for Wake.
type Output interface {
	// Wait sends what Send has kept back, and has Resume(true) called at due by
	// the engine's clock, never before. A zero due never comes.
	Wait(due time.Time)

	// Wake has Resume(false) called soon, by the owner.
	gate.Waker

	// Begin begins the response. A negative length is unknown. With close, the
	// connection ends with the response.
	Begin(h *answer.Head, length int64, timing *answer.Timing, close bool)

	// Send sends a part of the body, the last where nothing follows. It may keep
	// it back until Wait or the last. It reports false where it takes no more for
	// now, and then calls Taken once it does; what it was given it has taken. b is
	// the caller's again when Send returns.
	Send(b []byte, last bool) (taken bool)

	// Fault ends the response, and the connection, as f has it. After an error,
	// nothing was sent.
	Fault(f answer.Fault) error

	// Done says that the response was sent, and taken.
	Done()
}

// Forwarder is an Output that can answer with another server's response.
type Forwarder interface {
	// Forward has target answer the request with h and timing added. It calls sent
	// before the last byte is sent, and blocks until the end.
	Forward(target *url.URL, h *answer.Head, timing *answer.Timing, sent func()) journal.Outcome
}

// Request is what Start needs to know of a request. Its strings may alias a
// buffer that is used again once Start returns.
type Request struct {
	Plan       *plan.Plan
	Run        string // a copy; "" for none
	Method     string
	Path       string // percent-encoded
	Origin     string // of the header Origin
	ProtoMajor int
	Client     *gate.Client // whose share of MAX_IN_FLIGHT it takes
	Arrived    clock.Timestamp
	Record     bool // keep the wait for Wait
}

type state uint8

const (
	done       state = iota // or not started
	queued                  // for a worker of a pool
	held                    // at a barrier or in a hold
	waiting                 // until due
	sleeping                // until the next part of the body is due
	blocked                 // until the output takes more
	sent                    // all, and not yet taken
	forwarding              // another server's response
)

// Flow is one request. The zero Flow is ready for Start, and again once it is done.
type Flow struct {
	engine  *Engine
	out     Output
	plan    *plan.Plan
	client  *gate.Client
	arrived clock.Timestamp
	waited  time.Duration // from the worker's turn to the end of the wait
	more    *more

	state      state
	head       bool // the request is HEAD: no body follows
	protoMajor uint8
	begun      bool // the response has
	placed     bool // client.Enter is to be paid back
	counted    bool // Journal.Begin is to be paid back
}

// more is what few flows have.
type more struct {
	wait     *journal.Wait // of a run, or with Record
	worker   *worker
	event    *gate.Ticket
	transfer *transfer     // of a body in parts
	held     time.Duration // of waited, until the event came
	origin   string
}

// none is the more of most flows. It is not changed.
var none more

// own returns a more that is f's alone.
func (f *Flow) own() *more {
	if f.more == &none {
		f.more = new(more)
	}
	return f.more
}

// worker is a flow's place in a pool.
type worker struct {
	gate.Ticket
	served time.Time // when the worker was free
	queued time.Duration
}

// transfer is a body in parts.
type transfer struct {
	next   func() (answer.Part, bool)
	part   answer.Part
	pulled bool  // part is to be sent
	left   int64 // bytes to send; negative where unknown
	begun  time.Time
}

// Start begins the request, and all that needs no wait. The flow is done.
func (f *Flow) Start(e *Engine, out Output, r *Request) {
	*f = Flow{engine: e, out: out, plan: r.Plan, more: &none, client: r.Client, arrived: r.Arrived, head: r.Method == http.MethodHead, protoMajor: uint8(r.ProtoMajor)}
	f.setOrigin(r.Origin)
	if r.Run != "" || r.Record || e.Record {
		f.own().wait = newWait(r)
	}
	if err := r.Client.Enter(); err != nil {
		f.refuse(err)
		return
	}
	f.placed, f.counted = true, true
	e.Journal.Begin(f.more.wait)
	if e.shutdown.Load() {
		f.Cancel(ErrShutdown)
		return
	}
	f.admit()
}

func (f *Flow) setOrigin(origin string) {
	if f.engine.Origin == nil || origin == "" {
		return
	}
	if origin = f.engine.Origin(origin); origin != "" {
		f.own().origin = strings.Clone(origin)
	}
}

//go:noinline
func newWait(r *Request) *journal.Wait { // inlined, it would grow the stack of each request that waits
	path := r.Path
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return &journal.Wait{
		Run: r.Run, Method: strings.Clone(r.Method), Path: strings.Clone(path), Asked: r.Plan.Wait, Start: r.Arrived.Time(),
	}
}

// Wait returns the wait of a flow that has ended; its Request had Record set.
func (f *Flow) Wait() *journal.Wait { return f.more.wait }

// Sending reports whether f has begun to send and needs no more time: net/http
// notices a client that sends no more only where a request waits.
func (f *Flow) Sending() bool { return f.state == blocked || f.state == sent }

// Running reports whether f was started and is not done.
func (f *Flow) Running() bool { return f.state != done }

// Ended reports whether all of f's answer has been given to the output.
func (f *Flow) Ended() bool { return f.state == done || f.state == sent }

// Resume goes on with a flow whose time has come, or that was woken.
func (f *Flow) Resume(due bool) {
	switch f.state {
	case queued:
		if freed, _ := f.more.worker.Freed(); freed {
			f.hold()
		}
	case held:
		f.released(due)
	case waiting:
		if due {
			f.answer()
		}
	case sleeping:
		if due {
			f.send()
		}
	}
}

// Taken goes on with a flow whose output takes more.
func (f *Flow) Taken() {
	switch f.state {
	case blocked:
		f.send()
	case sent:
		f.finish()
	}
}

// admit passes the rate limit and waits for a worker, where the plan has them.
func (f *Flow) admit() {
	p := f.plan
	if p.Limit != nil {
		if err := p.Limit.Enter(f.engine.Clock.Now()); err != nil {
			f.fail(err)
			return
		}
	}
	if p.Pool != nil {
		f.own().worker = &worker{Ticket: gate.Ticket{Waker: f.out}}
		admitted, err := f.engine.Pools.Enter(&f.more.worker.Ticket, *p.Pool, p.Wait+p.Sending, f.engine.Clock.Now())
		switch {
		case err != nil:
			f.more.worker = nil
			f.fail(err)
			return
		case !admitted:
			f.state = queued
			f.out.Wait(time.Time{})
			return
		}
	}
	f.hold()
}

// served returns when the wait began: when the request came, or a worker was free.
func (f *Flow) served() time.Time {
	if f.more.worker != nil {
		return f.more.worker.served
	}
	return f.arrived.Time()
}

// hold waits for the plan's event, where it has one.
func (f *Flow) hold() {
	if w := f.more.worker; w != nil {
		w.served = f.engine.Clock.Now()
		w.queued = w.served.Sub(f.arrived.Time())
	}
	p := f.plan
	if p.Barrier == nil && p.Hold == nil {
		f.sleep(f.served())
		return
	}
	f.own().event = &gate.Ticket{Waker: f.out}
	timeout := time.Duration(0)
	if p.Barrier != nil {
		passed, err := f.engine.Barriers.Enter(f.more.event, *p.Barrier)
		if passed || err != nil {
			f.more.event = nil
			f.pass(err)
			return
		}
		timeout = p.Barrier.Timeout
	} else {
		f.engine.Holds.Enter(f.more.event, *p.Hold)
		timeout = p.Hold.Timeout
	}
	f.state = held
	f.out.Wait(f.engine.Clock.Now().Add(timeout))
}

// released goes on with a flow whose event came, or whose timeout did.
func (f *Flow) released(due bool) {
	freed, err := f.more.event.Freed()
	if !freed {
		if !due {
			return
		}
		var timedOut bool
		if f.plan.Barrier != nil {
			timedOut, err = f.engine.Barriers.Timeout(f.more.event)
		} else {
			timedOut, err = f.engine.Holds.Timeout(f.more.event)
		}
		if !timedOut {
			_, err = f.more.event.Freed()
		}
	}
	f.more.event = nil
	f.pass(err)
}

// pass goes on behind the event, or ends with err.
func (f *Flow) pass(err error) {
	now := f.engine.Clock.Now()
	f.own().held = now.Sub(f.served())
	if err != nil {
		f.waited = f.more.held
		f.fail(err)
		return
	}
	f.sleep(now)
}

// sleep waits as planned, counted from a time.
func (f *Flow) sleep(from time.Time) {
	due := from.Add(f.plan.Wait)
	if f.plan.Wait <= 0 || !f.engine.Clock.Now().Before(due) {
		f.answer()
		return
	}
	f.state = waiting
	f.out.Wait(due)
}

// Cancel ends the flow before its time: with ErrClientGone nothing is sent,
// with ErrShutdown the client is told. Any other cause is an error of the
// server's own.
func (f *Flow) Cancel(cause error) {
	switch {
	case f.state == sent:
		outcome, _ := classify(cause)
		f.end(outcome)
		return
	case f.state == done && !f.counted:
		return
	}
	f.leaveEvent()
	if !f.begun && f.state != queued {
		f.waited = f.engine.Clock.Now().Sub(f.served())
	}
	f.fail(cause)
}

func (f *Flow) leaveEvent() {
	if f.more.event == nil {
		return
	}
	f.own().held = f.engine.Clock.Now().Sub(f.served())
	if f.plan.Barrier != nil {
		f.engine.Barriers.Leave(f.more.event)
	} else {
		f.engine.Holds.Leave(f.more.event)
	}
	f.more.event = nil
}

// settle gives the worker and the place back, and has the journal see that the
// last of the response is about to be sent.
func (f *Flow) settle() {
	if w := f.more.worker; w != nil {
		f.engine.Pools.Leave(&w.Ticket, f.engine.Clock.Now())
	}
	f.complete()
	if f.more.wait != nil {
		f.engine.Journal.BeforeLastByte(f.more.wait)
	}
	f.place(false)
}

// end ends the flow, and tells the journal how.
func (f *Flow) end(outcome journal.Outcome) {
	f.settle()
	f.state = done
	if !f.counted {
		return
	}
	f.counted = false
	if w := f.more.wait; w != nil {
		w.Outcome = outcome
		f.engine.Journal.End(*w, outcome)
	} else {
		w := journal.Wait{Asked: f.plan.Wait, Start: f.arrived.Time(), Waited: f.waited, Held: f.more.held}
		if f.more.worker != nil {
			w.Queued = f.more.worker.queued
		}
		f.engine.Journal.End(w, outcome)
	}
}

// complete fills in the times of the recorded wait.
func (f *Flow) complete() {
	if w := f.more.wait; w != nil {
		w.Waited, w.Held = f.waited, f.more.held
		if f.more.worker != nil {
			w.Queued = f.more.worker.queued
		}
	}
}

// place takes a place of MAX_IN_FLIGHT where there is one, or gives it back.
func (f *Flow) place(take bool) {
	switch {
	case take && !f.placed:
		f.placed = f.client.Enter() == nil
	case !take && f.placed:
		f.client.Leave()
		f.placed = false
	}
}
