package httpflow

import (
	"cmp"
	"context"
	"errors"
	"net/http"
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

// run plans a request, waits and answers. If template is nil, the request's path
// decides. The error is from the plan, the body or an upstream, or it is
// flow.ErrClientGone.
func (h *Handler) run(c echo.Context, template *plan.Template) error {
	r := h.newRequest(c)
	if err := r.read(template); err != nil {
		return err
	}
	defer r.leave() // runs last, so that an advance waits for the whole request
	defer r.abort()
	r.prepare()
	for !r.flow.Start(r.h.Engine, r, &r.start) {
		r.leave()
		r.enter()
	}
	for r.flow.Running() {
		r.await()
	}
	return r.end()
}

// request is the flow.Output of a request and runs its flow. It is one allocation
// that its methods share: on the stack, it would double the stack of each waiting
// request.
type request struct {
	h        *Handler
	c        echo.Context
	client   *gate.Client
	start    flow.Request
	flow     flow.Flow
	waiter   *clock.Waiter
	signal   *clock.Signal // nil if the flow waits for none
	due      time.Time     // zero for never
	aborted  bool          // net/http must end the connection, or the HTTP/2 stream
	forwards bool          // another server answers
	err      error         // from the output or an upstream; nothing more can be sent
}

// newRequest is not inlined: its temporaries would be on the stack of each waiting
// request.
//
//go:noinline
func (h *Handler) newRequest(c echo.Context) *request {
	return &request{h: h, c: c, start: flow.Request{Arrived: h.Engine.Clock.Timestamp()}}
}

// read plans the request and reads its body.
//
//go:noinline
func (r *request) read(template *plan.Template) (err error) {
	in := PlanRequest(r.c.Request())
	if template == nil {
		if template, err = r.h.Planner.Find(in); err != nil {
			if run, invalid := plan.RunOf(&in); invalid == nil {
				r.start.Run = run
			}
			return r.reject(err)
		}
		if template == nil { // only if the routes and the planner disagree
			return echo.ErrNotFound
		}
	}
	if r.start.Planned, err = template.Plan(in); err != nil {
		return r.reject(err)
	}
	r.h.Engine.SetClock(&r.start)
	if r.start.Plan.Answer.Upstream != nil {
		err = forward.ForwardBody(r.c, r.h.ReadTimeout)
	} else {
		err = httpkit.DiscardBody(r.c, r.h.ReadTimeout)
	}
	if err != nil {
		return r.reject(err)
	}
	r.enter()
	return nil
}

// reject records a request with an invalid path, query, header or body, and returns err.
func (r *request) reject(err error) error {
	if response := r.h.Rejection(err); response.Status != 0 {
		r.prepare()
		defer r.client.Release()
		r.h.Engine.Reject(&r.start, response)
	}
	return err
}

// enter makes r wait on the request's clock. The caller calls leave after use.
func (r *request) enter() {
	r.waiter = cmp.Or(r.start.Clock, r.h.Engine.Clock).Waiter()
	if p := r.start.Plan; p.Pool != nil || p.Barrier != nil || p.Hold != nil {
		r.signal = r.waiter.Signal()
	}
}

func (r *request) leave() { r.waiter.Leave() }

// PlanRequest returns the parts of the request that a plan depends on.
func PlanRequest(r *http.Request) plan.Request {
	return plan.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		RunID: r.Header.Get("X-Run-Id"), Traceparent: r.Header.Get("Traceparent"), ProtoMajor: r.ProtoMajor,
		Client: gate.ClientAddr(httpkit.RemoteAddr(r)), Headers: r.Header,
	}
}

//go:noinline
func (r *request) prepare() {
	req := r.c.Request()
	r.client = r.h.Limit.Client(httpkit.RemoteAddr(req))
	r.start.Method, r.start.Path = req.Method, req.URL.EscapedPath()
	r.start.Origin, r.start.ProtoMajor = req.Header.Get("Origin"), req.ProtoMajor
	r.start.Client, r.start.Record = r.client, r.h.Trace
	if r.start.Run != "" {
		r.start.Query, r.start.Headers, r.start.ProtoMinor = req.URL.RawQuery, req.Header, req.ProtoMinor
		r.start.Connection, r.start.Reused = program.ConnectionOf(r.c.Response(), r.h.Engine.NextConnection)
	}
}

// await waits for the flow's due time or signal, and resumes the flow.
func (r *request) await() {
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

// cause returns the cause to cancel the flow with if the context or the connection
// failed with err.
func (r *request) cause(err error) error {
	switch {
	case errors.Is(err, flow.ErrShutdown):
		return flow.ErrShutdown
	case program.ClientGone(r.c.Request(), err):
		r.err = flow.ErrClientGone
		return flow.ErrClientGone
	}
	r.h.Log.Error("request failed", "method", r.c.Request().Method, "path", r.c.Request().URL.Path, "error", err)
	return err
}

// abort ends the flow after a panic: a forwarded response broke off, or there was an
// internal error.
func (r *request) abort() {
	if r.flow.Running() {
		r.err = flow.ErrInternal
		if r.forwards {
			r.err = flow.ErrClientGone
		}
		r.flow.Cancel(r.err)
	}
	r.client.Release()
}

// end returns the error of a request whose flow is done.
func (r *request) end() error {
	if w := r.flow.Wait(); w != nil {
		annotate(r.c, w, w.Outcome)
	}
	if r.aborted {
		panic(http.ErrAbortHandler)
	}
	return r.err
}

// Wait implements flow.Output.
func (r *request) Wait(due time.Time) {
	r.due = due
	if r.c.Response().Committed {
		r.flush()
	}
}

func (r *request) flush() {
	if err := http.NewResponseController(r.c.Response()).Flush(); err != nil {
		r.err = err
	}
}

// Wake implements flow.Output.
func (r *request) Wake() { r.signal.Fire() }

// Begin implements flow.Output.
//
//go:noinline
func (r *request) Begin(h *answer.Head, length int64, timing *answer.Timing, close bool) {
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
		r.flush() // otherwise net/http sets Content-Length for a short body
	}
}

// Send implements flow.Output. Over HTTP/2 net/http rejects even an empty Write for
// a status without body.
func (r *request) Send(b []byte, last bool) bool {
	if r.err == nil && len(b) > 0 {
		_, r.err = r.c.Response().Write(b)
	}
	return r.err == nil
}

// Fault implements flow.Output.
func (r *request) Fault(f answer.Fault) (err error) {
	if r.aborted, err = sendFault(r.c.Response(), r.c.Request(), f); err != nil {
		err = r.cause(err)
	}
	return err
}

// Done implements flow.Output.
func (r *request) Done() {}

// Forward implements flow.Forwarder.
func (r *request) Forward(target *url.URL, h *answer.Head, timing *answer.Timing, begins func(int, http.Header),
	sent func()) (journal.Outcome, *problem.Problem) {
	r.forwards = true
	h.CopyTo(r.c.Response().Header(), answer.NoLength, timing)
	r.err = r.h.Proxy.Forward(r.c, target, begins, sent)
	var p *problem.Problem
	switch {
	case r.err == nil:
		return journal.Answered, nil
	case errors.As(r.err, &p):
		if errors.Is(r.err, flow.ErrShutdown) {
			return journal.Shutdown, p
		}
		return journal.Answered, p // after the whole wait, with the upstream's problem
	case errors.Is(context.Cause(r.c.Request().Context()), flow.ErrShutdown):
		r.err = flow.ErrShutdown
		return journal.Shutdown, flow.ErrShutdown
	case program.ClientGone(r.c.Request(), r.err):
		r.err = flow.ErrClientGone
		return journal.ClientClosed, nil
	default:
		return journal.Failed, flow.ErrInternal
	}
}
