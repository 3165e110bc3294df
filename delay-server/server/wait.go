package server

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/problem"
	"flash.test/delay-server/program"
	"flash.test/delay-server/query"
)

// errLeft ends the handling of a request whose client has gone: nothing is sent.
var errLeft = errors.New("the client left")

// errCut is the cause with which a shutdown ends the waits that are left.
var errCut = problem.New(http.StatusServiceUnavailable, "the server is shutting down and ended this wait before its time")

// wait answers a request to an endpoint that waits, which takes any method.
func (s *Server) wait(c echo.Context) error {
	if done, err := s.unwaited(c); done {
		return err
	}
	return s.waitAs(c, nil)
}

// waitAs is the one way of a request that waits: plan, wait, answer. The template
// is nil for that of the request's path.
func (s *Server) waitAs(c echo.Context, template *plan.Template) error {
	v := s.arrive(c)
	if err := v.read(template); err != nil {
		return err
	}
	return v.follow()
}

// arrive is not inlined: its temporaries would be on the stack of each request
// that waits.
//
//go:noinline
func (s *Server) arrive(c echo.Context) *visit {
	return &visit{Server: s, c: c, arrived: s.clock.Timestamp()}
}

// visit is one request on its way from its plan to its answer. It is one
// allocation that its methods share: were they to hand all of it on to one
// another, the stack of each request that waits would grow from 4 KB to 8.
type visit struct {
	*Server
	c       echo.Context
	plan    *plan.Plan
	arrived clock.Timestamp
	waiter  *clock.Waiter
	wait    journal.Wait
	outcome journal.Outcome
	client  *gate.Client
}

// read makes the plan, and takes the body. The error is the plan's, or of the body.
func (v *visit) read(template *plan.Template) (err error) {
	if err = v.makePlan(template); err != nil {
		return err
	}
	if v.plan.Answer.Upstream != nil {
		return v.passBody(v.c)
	}
	return v.discardBody(v.c)
}

//go:noinline
func (v *visit) makePlan(template *plan.Template) (err error) { // inlined, it would grow the stack of each wait
	r := v.c.Request()
	request := plan.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		RunID: r.Header.Get("X-Run-Id"), Traceparent: r.Header.Get("Traceparent"), ProtoMajor: r.ProtoMajor,
	}
	if template == nil {
		if template, err = v.planner.Find(request); err != nil {
			return err
		}
		if template == nil { // the routes and the planner would have to disagree
			return echo.ErrNotFound
		}
	}
	v.plan, v.wait.Run, err = template.Plan(request)
	return err
}

// follow does what the plan says and has the journal see it. The error is
// errLeft, errCut, a refusal, an upstream's failure, or one of the server's own.
func (v *visit) follow() error {
	v.waiter = v.clock.Waiter(v.arrived)
	defer v.waiter.Leave() // last, so that an advance has all of it done
	if err := v.begin(); err != nil {
		return err
	}
	defer v.end()
	err := v.serve()
	if err != nil {
		v.outcome, err = ended(v.c.Request(), err)
	} else if v.plan.Answer.Fault == "" {
		v.outcome = journal.Answered
	}
	return err
}

// begin has the journal see the begin of a wait that there is room for. It is
// paid back by one end where the error is nil.
func (v *visit) begin() error {
	r := v.c.Request()
	// Field by field: a literal's copy would be on the stack too.
	v.wait.Method, v.wait.Path = r.Method, r.URL.Path
	v.wait.Asked, v.wait.Start = v.plan.Wait, v.waiter.Entered()
	v.client = v.limit.Client(clientAddr(r))
	if err := v.client.Enter(); err != nil {
		return v.refuse(err)
	}
	v.journal.Begin(&v.wait)
	v.outcome = journal.Failed // in case of a panic
	return nil
}

//go:noinline
func (v *visit) refuse(err error) error {
	v.client.Release()
	v.journal.Refuse(v.wait)
	return v.full(err)
}

// end has the journal see the end.
func (v *visit) end() {
	v.journal.End(v.wait, v.outcome)
	annotate(v.c, &v.wait, v.outcome)
	v.client.Leave()
	v.client.Release()
}

// serve waits for a turn, waits as planned, and answers.
func (v *visit) serve() error {
	leave, err := v.admit()
	if err != nil {
		return err
	}
	defer leave()
	served := v.wait.Start
	if v.plan.Pool != nil {
		served = v.waiter.Now()
		v.wait.Queued = served.Sub(v.wait.Start)
	}
	err = v.await(served)
	v.wait.Waited = v.waiter.Now().Sub(served)
	if err != nil {
		return err
	}
	v.report()
	// The outcome of a panic from here on: faults end with one, and bodies that break off.
	v.outcome = journal.Left
	if v.plan.Answer.Fault != "" {
		v.outcome = journal.Faulted
	}
	return v.send()
}

// admit passes the plan's limit, where there is one, and waits for a worker of
// its pool, where there is one.
func (v *visit) admit() (leave func(), err error) {
	if limit := v.plan.Limit; limit != nil {
		if err := limit.Enter(v.waiter.Now()); err != nil {
			return nil, err
		}
	}
	if v.plan.Pool == nil {
		return func() {}, nil
	}
	return v.awaitWorker()
}

// await waits for the plan's event, where there is one, and then for its time.
func (v *visit) await(from time.Time) error {
	if v.plan.Barrier != nil || v.plan.Hold != nil {
		err := v.awaitEvent()
		happened := v.waiter.Now()
		v.wait.Held = happened.Sub(from)
		if err != nil {
			return err
		}
		from = happened
	}
	return v.waiter.Until(v.c.Request().Context(), from.Add(v.plan.Wait))
}

// send sends the answer, whose parts are due from now on.
func (v *visit) send() error {
	if target := v.plan.Answer.Upstream; target != nil {
		return v.passOn(v.c, target, v.sent)
	}
	begun := v.waiter.Now()
	sender := answer.Sender{
		Elapsed: func() time.Duration { return v.waiter.Now().Sub(begun) },
		Sleep: func(due time.Duration) error {
			return v.waiter.Until(v.c.Request().Context(), begun.Add(due))
		},
		Last: v.sent,
	}
	return sender.Send(v.c.Response(), v.c.Request(), v.plan.Answer)
}

// sent has the journal see that the last of the answer is about to be sent.
func (v *visit) sent() { v.journal.Sent(&v.wait) }

// ended says how r ended, which ended with err, and what that is to the client:
// errLeft where it is gone. An error that it does not know is one of the server's
// own, and returned as it is.
func ended(r *http.Request, err error) (journal.Outcome, error) {
	var full *gate.PoolFullError
	var conflict *gate.PoolMismatchError
	var parties *gate.BarrierMismatchError
	var over *gate.RateError
	switch {
	case errors.Is(err, errCut):
		return journal.Cut, errCut
	case errors.As(err, &over):
		p := problem.New(http.StatusTooManyRequests, "%v; accepted: again, once the time of Retry-After has passed", over)
		p.RetryAfter = over.After
		return journal.Refused, p
	case errors.As(err, &full):
		p := problem.New(http.StatusServiceUnavailable, "%v; accepted: again, once a place is free", full)
		p.RetryAfter = full.After
		return journal.Refused, p
	case errors.As(err, &conflict):
		return journal.Refused, problem.New(http.StatusConflict, "%v; accepted: the same, or another name", conflict)
	case errors.As(err, &parties):
		return journal.Refused, problem.New(http.StatusConflict, "%v; accepted: the same, or another name", parties)
	case errors.As(err, new(*gate.BarrierTimeoutError)) || errors.As(err, new(*gate.HoldTimeoutError)):
		outcome := journal.TimedOut
		if errors.As(err, new(*gate.BrokenError)) {
			outcome = journal.Failed
		}
		return outcome, problem.New(http.StatusGatewayTimeout, "%v", err)
	case errors.As(err, new(*gate.HoldFailedError)):
		return journal.Failed, problem.New(http.StatusServiceUnavailable, "%v through the admin API", err)
	case isProblem(err):
		return journal.Answered, err // after the whole wait, by an upstream's failure
	case program.ClientLeft(r, err):
		return journal.Left, errLeft
	default:
		return journal.Failed, err
	}
}

// full returns err, from gate.Client, in terms of the settings.
func (s *Server) full(err error) error {
	if errors.Is(err, gate.ErrShareFull) {
		return tooMany("too many requests in flight from this client's address (MAX_IN_FLIGHT_PER_CLIENT=%d)", s.config.clientShare())
	}
	return tooMany("%d requests wait already, as many as this server's MAX_IN_FLIGHT admits", s.config.MaxInFlight)
}

// clientAddr returns the address of the connection's other end: what a header
// says of a client further away, any client could say. It is zero where the
// connection is not TCP.
func clientAddr(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr()
}

func tooMany(format string, args ...any) error {
	return problem.New(http.StatusServiceUnavailable, format, args...)
}

// report sets the headers that say what was made of the request. All times are
// by the server's clock, and real by the machine's, where the two may differ.
func (v *visit) report() {
	p := v.plan
	timing := answer.Timing{Asked: p.Wait, Cut: p.Cut, Queued: answer.Omitted, Held: answer.Omitted, Waited: v.wait.Waited, Real: answer.Omitted}
	if p.Pool != nil {
		timing.Queued = v.wait.Queued
	}
	if p.Barrier != nil || p.Hold != nil {
		timing.Held = v.wait.Held
	}
	if v.clock.Adjusted() {
		timing.Real = v.waiter.Lasted()
	}
	v.allow(v.c)
	h := v.c.Response().Header()
	h.Set("Server-Timing", string(timing.Append(make([]byte, 0, 96))))
	h["X-Content-Type-Options"] = nosniff
	query.NameIgnored(h, p.Template.Ignored)
}
