// Package flow takes a request from its plan to its answer. The request is admitted,
// may queue for a worker, may wait at a barrier or hold, waits until it is due, and is
// answered. A Flow is a state machine that never blocks: an event loop runs thousands,
// and a goroutine of net/http runs one. Only their Outputs differ.
//
// Invariants:
//
//   - A flow is used by one goroutine at a time, its owner. Others call only
//     Output.Wake.
//   - A spurious Resume does nothing: the flow checks whether its ticket was freed.
//     Taken is called once for each Send that returned false.
//   - Before the last byte is sent, the request gives back its worker and its place
//     in MAX_IN_FLIGHT, and is no longer in flight in the journal. So a client that has
//     read an answer can send the next request. If the output cannot send the last part
//     at once, the flow takes a place again until it can.
//   - A flow that starts during the shutdown is answered without a wait.
//   - A flow waits on one clock, which is its run's when the journal counts it. No clock
//     is made or dropped in between.
//   - A ticket may be freed at any time, also before Enter returns.
package flow

import (
	"cmp"
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

// ErrInternal is the answer to an internal error.
var ErrInternal = problem.Internal.New("internal error; the server's log has the reason")

// Engine has the shared state of a server's flows.
type Engine struct {
	Clock    *clock.Clock // the server's: of pools, and of requests without Request.Clock
	Runs     *clock.Runs  // the clocks of runs that have their own, as in Journal.Clocks
	Journal  *journal.Journal
	Pools    *gate.Pools
	Barriers *gate.Barriers
	Holds    *gate.Holds

	// Header sets the headers of every response, which may depend on the request's Origin.
	Header func(h http.Header, origin string)

	// Origin returns origin if Header depends on it, or else "". A nil Origin stands for "".
	Origin func(origin string) string

	// Full returns the answer to a request for which gate.Client.Enter returned err.
	Full func(err error) *problem.Problem

	// Record makes the journal's observer see method and path of every wait.
	Record bool

	shutdown    atomic.Bool
	connections atomic.Uint64
}

// NextConnection returns a new number for a connection, for Request.Connection.
func (e *Engine) NextConnection() uint64 { return e.connections.Add(1) }

// Shutdown makes flows that start from now on answer ErrShutdown. The owners of flows
// that have started cancel them.
func (e *Engine) Shutdown() { e.shutdown.Store(true) }

// Output lets a flow wait and send. The owner of the flow calls all methods except
// Wake.
type Output interface {
	// Wait flushes the bytes that Send buffered, and calls Resume(true) at due by the
	// flow's clock, never before. If due is zero, it never calls Resume(true).
	Wait(due time.Time)

	// Wake makes the owner call Resume(false) soon.
	gate.Waker

	// Begin begins the response. A negative length is unknown. With close, the
	// connection ends with the response.
	Begin(h *answer.Head, length int64, timing *answer.Timing, close bool)

	// Send sends a part of the body. It may buffer it until Wait or the last part. It
	// always accepts b and does not retain it. If it returns false, the flow must send
	// no more until Taken is called.
	Send(b []byte, last bool) (taken bool)

	// Fault ends the response and the connection with f. If it returns an error, it has
	// sent nothing.
	Fault(f answer.Fault) error

	// Done is called after the client has taken the whole response.
	Done()
}

// Forwarder is an Output that can answer with another server's response.
type Forwarder interface {
	// Forward forwards the request to target and answers with its response, with h and
	// timing added. It calls begins with status and header before the response begins, and
	// beforeLastByte before it sends the last byte, and blocks until the end. If nothing was
	// sent, it may return a problem; the owner of the flow answers with it.
	Forward(target *url.URL, h *answer.Head, timing *answer.Timing, begins func(int, http.Header),
		beforeLastByte func()) (journal.Outcome, *problem.Problem)
}

// Request is the argument of Start. Its strings may share memory with a buffer that is
// reused after Start returns.
type Request struct {
	plan.Planned
	Method     string
	Path       string // percent-encoded
	Origin     string // the header Origin
	ProtoMajor int
	Client     *gate.Client    // for MAX_IN_FLIGHT
	Clock      *clock.Clock    // the run's own, as Engine.SetClock sets it; nil for the engine's
	Arrived    clock.Timestamp // in the time of Clock
	Record     bool            // Flow.Wait returns the wait

	// Only requests of a run need these: the journal records them.
	Query      string       // percent-encoded
	Headers    plan.Headers // nil for none
	ProtoMinor int
	Connection uint64 // from Engine.NextConnection; 0 if unknown
	Reused     bool   // a request was sent on the connection before
}

type state uint8

const (
	done       state = iota // or not started
	starting                // in Start, before its first wait
	queued                  // waits for a worker of a pool
	held                    // waits at a barrier or in a hold
	waiting                 // waits until due
	sleeping                // waits until the next part of the body is due
	blocked                 // waits until the output takes more
	sent                    // waits until the output takes the last part
	forwarding              // in Forwarder.Forward
)

// Flow is one request. The zero Flow is ready for Start. A done Flow can be started
// again.
type Flow struct {
	engine  *Engine
	out     Output
	plan    *plan.Plan
	client  *gate.Client
	arrived clock.Timestamp
	waited  time.Duration // from arrival, or from when a worker was free, to the end of the wait
	extra   *extra

	state      state
	head       bool // the request is HEAD: no body follows
	protoMajor uint8
	begun      bool // the response has begun
	placed     bool // client.Leave is due
	counted    bool // Journal.End is due
}

// extra has fields that few flows use.
type extra struct {
	wait     *journal.Wait // in a run, of a counted attempt, with Record, or if viewers may see it
	worker   *worker
	event    *gate.Ticket  // at a barrier or hold
	transfer *transfer     // of a body in parts
	held     time.Duration // the part of waited at a barrier or hold
	origin   string
	quota    []answer.Field // show what the rate limit left
	clock    *clock.Clock   // nil for the engine's
}

// none is the extra of most flows. It is never changed.
var none extra

// own returns an extra that f may change.
func (f *Flow) own() *extra {
	if f.extra == &none {
		f.extra = new(extra)
	}
	return f.extra
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
	pulled bool  // part has not been sent
	left   int64 // bytes to send; negative if unknown
	begun  time.Time
}

// Start starts f, which is done, and runs it until its first wait. It reports false, and
// has not started f, if the run's clock was made or dropped and is not r.Clock. Then it
// has set r.Clock and r.Arrived anew, and can be called again.
func (f *Flow) Start(e *Engine, out Output, r *Request) (started bool) {
	*f = Flow{
		engine: e, out: out, plan: r.Plan, extra: &none, client: r.Client, arrived: r.Arrived,
		head: r.Method == http.MethodHead, protoMajor: uint8(r.ProtoMajor),
	}
	f.setOrigin(r.Origin)
	if r.Run != "" || r.Attempt > 0 || r.Record || e.Record || e.Journal.Lists() {
		f.own().wait = newWait(r)
	}
	if r.Clock != nil {
		f.own().clock = r.Clock
	}
	if err := r.Client.Enter(); err != nil {
		f.refuse(r, err)
		return true
	}
	if !e.Journal.Begin(f.extra.wait, r.recorded()) {
		r.Client.Leave()
		*f = Flow{}
		e.SetClock(r)
		return false
	}
	f.placed, f.counted, f.state = true, true, starting
	if e.shutdown.Load() {
		f.Cancel(ErrShutdown)
		return true
	}
	f.admit(r.LimitKey)
	return true
}

// SetClock sets r.Clock to the clock of r's run, and translates r.Arrived to its time.
func (e *Engine) SetClock(r *Request) {
	if c := e.Runs.Of(r.Run); c != r.Clock {
		r.Clock, r.Arrived = c, cmp.Or(c, e.Clock).At(r.Arrived)
	}
}

// now returns the time on the clock that f waits on.
func (f *Flow) now() time.Time { return f.clock().Now() }

func (f *Flow) clock() *clock.Clock {
	if c := f.extra.clock; c != nil {
		return c
	}
	return f.engine.Clock
}

func (f *Flow) setOrigin(origin string) {
	if f.engine.Origin == nil || origin == "" {
		return
	}
	if origin = f.engine.Origin(origin); origin != "" {
		f.own().origin = strings.Clone(origin)
	}
}

// newWait returns the wait to record. It copies the strings of r.
func newWait(r *Request) *journal.Wait {
	path := r.Path
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	texts := r.Method + path // one allocation
	w := journal.NewWait(journal.Wait{
		Run: r.Run, Method: texts[:len(r.Method)], Path: texts[len(r.Method):], Attempt: r.Attempt,
		Start: r.Arrived.Time(), Clock: r.Clock,
	})
	if r.Plan != nil {
		w.Asked = r.Plan.Wait
	}
	return w
}

// recorded returns what only the records of a run have. It is nil without a run.
func (r *Request) recorded() *journal.Request {
	if r.Run == "" {
		return nil
	}
	return &journal.Request{
		Query: r.Query, Headers: r.Headers, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Connection: r.Connection, Reused: r.Reused, Client: r.Client.Addr(),
	}
}

// Wait returns the wait of a flow that has ended, if its Request had Record set.
func (f *Flow) Wait() *journal.Wait { return f.extra.wait }

// Sending reports whether f waits only for its output. Like net/http, an output then
// ignores that the client half-closed its connection.
func (f *Flow) Sending() bool { return f.state == blocked || f.state == sent }

// Running reports whether f was started and is not done.
func (f *Flow) Running() bool { return f.state != done }

// Ended reports whether f has passed the whole answer to its output.
func (f *Flow) Ended() bool { return f.state == done || f.state == sent }

// Resume runs a flow whose time has come (due) or that was woken.
func (f *Flow) Resume(due bool) {
	switch f.state {
	case queued:
		if freed, _ := f.extra.worker.Freed(); freed {
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

// Taken runs a flow whose output takes more.
func (f *Flow) Taken() {
	switch f.state {
	case blocked:
		f.send()
	case sent:
		f.finish()
	}
}

// admit passes the rate limit and waits for a worker, if the plan has them.
func (f *Flow) admit(limitKey gate.RateKey) {
	p := f.plan
	if p.Limit != nil {
		if err := f.passLimit(limitKey); err != nil {
			f.fail(err)
			return
		}
	}
	if p.Pool != nil {
		f.own().worker = new(worker)
		f.setTicket(&f.extra.worker.Ticket)
		admitted, err := f.engine.Pools.Enter(&f.extra.worker.Ticket, *p.Pool, p.Wait+p.Sending, f.poolTime())
		switch {
		case err != nil:
			f.extra.worker = nil
			f.fail(err)
			return
		case !admitted:
			f.state = queued
			f.note(journal.StageQueued, time.Time{})
			f.out.Wait(time.Time{})
			return
		}
	}
	f.hold()
}

// poolTime returns the time by which the plan's pool expects a worker to be free. A pool
// that runs share goes by the server's clock.
func (f *Flow) poolTime() time.Time {
	if strings.HasPrefix(f.plan.Pool.Name, gate.RunPrefix) {
		return f.now()
	}
	return f.engine.Clock.Now()
}

// passLimit passes the rate limit. A run with a clock of its own has counts of its own:
// times of two clocks cannot be compared.
func (f *Flow) passLimit(key gate.RateKey) error {
	if f.extra.clock == nil {
		key.Run = 0
	}
	quota, err := f.plan.Limit.Enter(key, f.now())
	if f.plan.Template.ShowsLimit() {
		f.own().quota = f.plan.Template.LimitQuota(quota)
	}
	return err
}

// setTicket makes t, which is zero, ready for a gate. A copy of a ticket would double the
// stack of each waiting request.
func (f *Flow) setTicket(t *gate.Ticket) {
	t.Waker = f.out
	if w := f.extra.wait; w != nil {
		t.Run, t.Attempt = w.Run, w.Attempt
	}
}

// served returns when the wait began: when the request arrived or a worker was free.
func (f *Flow) served() time.Time {
	if f.extra.worker != nil {
		return f.extra.worker.served
	}
	return f.arrived.Time()
}

// hold waits at the plan's barrier or hold, if it has one.
func (f *Flow) hold() {
	if w := f.extra.worker; w != nil {
		w.served = f.now()
		w.queued = w.served.Sub(f.arrived.Time())
	}
	p := f.plan
	if p.Barrier == nil && p.Hold == nil {
		f.sleep(f.served())
		return
	}
	f.own().event = new(gate.Ticket)
	f.setTicket(f.extra.event)
	timeout := time.Duration(0)
	if p.Barrier != nil {
		passed, err := f.engine.Barriers.Enter(f.extra.event, *p.Barrier)
		if passed || err != nil {
			f.extra.event = nil
			f.pass(err)
			return
		}
		timeout = p.Barrier.Timeout
	} else {
		f.engine.Holds.Enter(f.extra.event, *p.Hold)
		timeout = p.Hold.Timeout
	}
	f.state = held
	f.note(journal.StageHeld, time.Time{})
	f.out.Wait(f.now().Add(timeout))
}

// released runs a held flow that was freed or timed out.
func (f *Flow) released(due bool) {
	freed, err := f.extra.event.Freed()
	if !freed {
		if !due {
			return
		}
		var timedOut bool
		if f.plan.Barrier != nil {
			timedOut, err = f.engine.Barriers.Timeout(f.extra.event)
		} else {
			timedOut, err = f.engine.Holds.Timeout(f.extra.event)
		}
		if !timedOut {
			_, err = f.extra.event.Freed()
		}
	}
	f.extra.event = nil
	f.pass(err)
}

// pass runs a flow after its barrier or hold, or ends it with err.
func (f *Flow) pass(err error) {
	now := f.now()
	f.own().held = now.Sub(f.served())
	if err != nil {
		f.waited = f.extra.held
		f.fail(err)
		return
	}
	f.sleep(now)
}

// sleep waits as planned, from the given time on.
func (f *Flow) sleep(from time.Time) {
	due := from.Add(f.plan.Wait)
	if f.plan.Wait <= 0 || !f.now().Before(due) {
		f.answer()
		return
	}
	f.state = waiting
	f.note(journal.StageWaiting, due)
	f.out.Wait(due)
}

// note notes for viewers what f waits for, and when that will be over; a zero due is not
// known.
func (f *Flow) note(stage journal.Stage, due time.Time) {
	if w := f.extra.wait; w != nil {
		w.Enter(stage, due)
	}
}

// Cancel ends the flow early. It answers with a problem, except after ErrClientGone. A
// cause other than ErrClientGone and ErrShutdown is an internal error.
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
		f.waited = f.now().Sub(f.served())
	}
	f.fail(cause)
}

func (f *Flow) leaveEvent() {
	if f.extra.event == nil {
		return
	}
	f.own().held = f.now().Sub(f.served())
	if f.plan.Barrier != nil {
		f.engine.Barriers.Leave(f.extra.event)
	} else {
		f.engine.Holds.Leave(f.extra.event)
	}
	f.extra.event = nil
}

// settle gives back the worker and the place, and calls Journal.BeforeLastByte.
func (f *Flow) settle() {
	if w := f.extra.worker; w != nil {
		f.engine.Pools.Leave(&w.Ticket, f.poolTime())
	}
	if f.extra.wait != nil {
		f.setTimes(f.extra.wait)
		f.engine.Journal.BeforeLastByte(f.extra.wait)
	}
	f.place(false)
}

// end ends the flow with the outcome.
func (f *Flow) end(outcome journal.Outcome) {
	f.settle()
	f.state = done
	if !f.counted {
		return
	}
	f.counted = false
	w := f.ended()
	if f.extra.wait != nil {
		f.extra.wait.Outcome = outcome
	}
	f.engine.Journal.End(w, outcome)
}

// ended returns the wait for the journal.
func (f *Flow) ended() journal.Wait {
	if f.extra.wait != nil {
		return *f.extra.wait
	}
	w := journal.Wait{Asked: f.plan.Wait, Start: f.arrived.Time()}
	f.setTimes(&w)
	return w
}

func (f *Flow) setTimes(w *journal.Wait) {
	w.Waited, w.Held = f.waited, f.extra.held
	if f.extra.worker != nil {
		w.Queued = f.extra.worker.queued
	}
}

// place takes a place of MAX_IN_FLIGHT if there is one, or gives it back.
func (f *Flow) place(take bool) {
	switch {
	case take && !f.placed:
		f.placed = f.client.Enter() == nil
	case !take && f.placed:
		f.client.Leave()
		f.placed = false
	}
}
