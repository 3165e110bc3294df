package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/forward"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// wait answers a request of an endpoint that waits.
func (s *Server) wait(c echo.Context) error {
	if done, err := s.unwaited(c); done {
		return err
	}
	return s.run(c, nil)
}

// run takes one request from its plan to its answer: net/http's side of a flow. The
// template is nil where the request's path decides. The error is of the plan, of the
// body, of an upstream, or flow.ErrClientGone.
func (s *Server) run(c echo.Context, template *plan.Template) error {
	r := s.newRequest(c)
	if err := r.read(template); err != nil {
		return err
	}
	defer r.waiter.Leave() // last, so that an advance has all of it done
	defer r.abort()
	r.prepare()
	r.flow.Start(r.engine, r, &r.request)
	for r.flow.Running() {
		r.await()
	}
	return r.end()
}

// waitingRequest is the flow.Output of a request that net/http has read, and what runs
// it. It is one allocation that its methods share: on the stack it would
// double the stack of each waiting request.
type waitingRequest struct {
	*Server
	c        echo.Context
	arrived  clock.Timestamp
	plan     *plan.Plan
	run      string
	client   *gate.Client
	request  flow.Request
	flow     flow.Flow
	waiter   *clock.Waiter
	signal   *clock.Signal // nil for a request that waits for none
	due      time.Time     // zero for never
	aborted  bool          // net/http is to end the connection, or the stream of HTTP/2
	forwards bool          // another server\'s response
	err      error         // why nothing more can be sent, or an upstream's
}

// newRequest is not inlined: its temporaries would be on the stack of each
// request that waits.
//
//go:noinline
func (s *Server) newRequest(c echo.Context) *waitingRequest {
	return &waitingRequest{Server: s, c: c, arrived: s.clock.Timestamp()}
}

// read makes the plan, and takes the body.
//
//go:noinline
func (r *waitingRequest) read(template *plan.Template) (err error) {
	in := planRequest(r.c.Request())
	if template == nil {
		if template, err = r.planner.Find(in); err != nil {
			return err
		}
		if template == nil { // the routes and the planner would have to disagree
			return echo.ErrNotFound
		}
	}
	if r.plan, r.run, err = template.Plan(in); err != nil {
		return err
	}
	if r.plan.Answer.Upstream != nil {
		err = forward.ForwardBody(r.c, r.config.ReadTimeout)
	} else {
		err = httpkit.DiscardBody(r.c, r.config.ReadTimeout)
	}
	if err == nil {
		r.waiter = r.clock.Waiter()
	}
	return err
}

// planRequest returns what a plan depends on.
func planRequest(r *http.Request) plan.Request {
	return plan.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		RunID: r.Header.Get("X-Run-Id"), Traceparent: r.Header.Get("Traceparent"), ProtoMajor: r.ProtoMajor,
	}
}

//go:noinline
func (r *waitingRequest) prepare() {
	if r.plan.Pool != nil || r.plan.Barrier != nil || r.plan.Hold != nil {
		r.signal = r.waiter.Signal()
	}
	req := r.c.Request()
	r.client = r.limit.Client(clientAddr(req))
	r.request = flow.Request{
		Plan: r.plan, Run: r.run, Method: req.Method, Path: req.URL.EscapedPath(), Origin: req.Header.Get("Origin"), ProtoMajor: req.ProtoMajor,
		Client: r.client, Arrived: r.arrived, Record: r.config.OTLPEndpoint != "",
	}
}

// await waits for what the flow waits for, and goes on with it.
func (r *waitingRequest) await() {
	if r.err != nil {
		r.flow.Cancel(r.cause(r.err))
		return
	}
	switch err := r.waiter.Await(r.c.Request().Context(), r.signal, r.due); {
	case err == nil:
		r.signal = r.waiter.Signal()
		r.flow.Resume(false)
	case errors.Is(err, clock.ErrDeadline):
		r.flow.Resume(true)
	default:
		r.flow.Cancel(r.cause(err))
	}
}

// cause returns what err, of the context or the connection, is to the flow.
func (r *waitingRequest) cause(err error) error {
	switch {
	case errors.Is(err, flow.ErrShutdown):
		return flow.ErrShutdown
	case program.ClientGone(r.c.Request(), err):
		r.err = flow.ErrClientGone
		return flow.ErrClientGone
	}
	r.log.Error("request failed", "method", r.c.Request().Method, "path", r.c.Request().URL.Path, "error", err)
	return err
}

// abort ends a flow that a panic has left: an upstream's response that breaks off,
// or an error of the server's own.
func (r *waitingRequest) abort() {
	if r.flow.Running() {
		r.err = flow.ErrInternal
		if r.forwards {
			r.err = flow.ErrClientGone
		}
		r.flow.Cancel(r.err)
	}
	r.client.Release()
}

// end returns what is left to say of a request that has ended.
func (r *waitingRequest) end() error {
	if w := r.flow.Wait(); w != nil {
		annotate(r.c, w, w.Outcome)
	}
	if r.aborted {
		panic(http.ErrAbortHandler)
	}
	return r.err
}

// Wait implements flow.Output.
func (r *waitingRequest) Wait(due time.Time) {
	r.due = due
	if r.c.Response().Committed {
		r.flush()
	}
}

func (r *waitingRequest) flush() {
	if err := http.NewResponseController(r.c.Response()).Flush(); err != nil {
		r.err = err
	}
}

// Wake implements flow.Output.
func (r *waitingRequest) Wake() { r.signal.Fire() }

// Begin implements flow.Output.
//
//go:noinline
func (r *waitingRequest) Begin(h *answer.Head, length int64, timing *answer.Timing, close bool) {
	if r.err != nil {
		return
	}
	header := r.c.Response().Header()
	h.CopyTo(header, length, timing)
	if close {
		header.Set("Connection", "close")
	}
	r.c.Response().WriteHeader(h.Status)
	if length < 0 && length != answer.NoLength {
		r.flush() // else net/http would count the bytes of a short body that is due at once
	}
}

// Send implements flow.Output. Over HTTP/2 net/http refuses even an empty write
// of a status that has no body.
func (r *waitingRequest) Send(b []byte, last bool) bool {
	if r.err == nil && len(b) > 0 {
		_, r.err = r.c.Response().Write(b)
	}
	return r.err == nil
}

// Fault implements flow.Output.
func (r *waitingRequest) Fault(f answer.Fault) (err error) {
	if r.aborted, err = sendFault(r.c.Response(), r.c.Request(), f); err != nil {
		err = r.cause(err)
	}
	return err
}

// Done implements flow.Output.
func (r *waitingRequest) Done() {}

// Forward implements flow.Forwarder.
func (r *waitingRequest) Forward(target *url.URL, h *answer.Head, timing *answer.Timing, sent func()) journal.Outcome {
	r.forwards = true
	h.CopyTo(r.c.Response().Header(), answer.NoLength, timing)
	err := r.proxy.Forward(r.c, target, sent)
	switch {
	case err == nil:
		return journal.Answered
	case errors.As(err, new(*problem.Problem)):
		r.err = err
		if errors.Is(err, flow.ErrShutdown) {
			return journal.Shutdown
		}
		return journal.Answered // after the whole wait, by an upstream's failure
	case errors.Is(context.Cause(r.c.Request().Context()), flow.ErrShutdown):
		r.err = flow.ErrShutdown
		return journal.Shutdown
	case program.ClientGone(r.c.Request(), err):
		r.err = flow.ErrClientGone
		return journal.ClientClosed
	default:
		r.err = err
		return journal.Failed
	}
}

// full returns err, of gate.Client.Enter, in terms of the settings.
func (s *Server) full(err error) *problem.Problem {
	if errors.Is(err, gate.ErrShareFull) {
		return problem.TooManyFromClient.New("too many requests in flight from this client's address (MAX_IN_FLIGHT_PER_CLIENT=%d)", s.config.clientShare())
	}
	return problem.TooManyInFlight.New("too many requests in flight (MAX_IN_FLIGHT=%d)", s.config.MaxInFlight)
}

// clientAddr returns the address of the connection's other end: what a header
// says of a client further away, any client could say. It is zero where the
// connection is not TCP.
func clientAddr(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr()
}
