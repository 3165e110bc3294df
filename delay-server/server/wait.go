package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/problem"
	"flash.test/delay-server/query"
)

// planFunc makes a plan of a request.
type planFunc func(plan.Request) (plan.Plan, error)

// errLeft ends the handling of a request whose client has gone: nothing is sent.
var errLeft = errors.New("the client left")

// errCut is the cause with which a shutdown ends the waits that are left.
var errCut = problem.New(http.StatusServiceUnavailable, "the server is shutting down and ended this wait before its time")

// wait is the one way of a request that waits: plan, wait, answer.
func (s *Server) wait(read planFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.clock.Now()
		p, err := read(plan.Request{Request: c.Request(), Param: func(name string) string { return param(c, name) }})
		if err != nil {
			return err
		}
		takeBody := s.discardBody
		if p.Answer.Upstream != nil {
			takeBody = s.passBody
		}
		if err := takeBody(c); err != nil {
			return err
		}
		return s.follow(c, p, start)
	}
}

// follow does what the plan says and has the journal see it. The error is
// errLeft, errCut, a refusal, or an upstream's failure.
func (s *Server) follow(c echo.Context, p plan.Plan, start time.Time) error {
	r := c.Request()
	w := journal.Wait{Run: p.Run, Method: r.Method, Path: r.URL.Path, Asked: p.Wait, Start: start}
	if !s.limit.Enter() {
		s.journal.Refuse(w)
		return tooMany("%d requests wait already, as many as this server's MAX_IN_FLIGHT admits", s.config.MaxInFlight)
	}
	defer s.limit.Leave()
	s.journal.Begin(w)
	// Until the end is known it is that of a panic, with which faults end and
	// bodies that break off.
	outcome := journal.Left
	if p.Answer.Fault != "" {
		outcome = journal.Faulted
	}
	defer func() { s.journal.End(w, outcome) }()
	err := s.serve(c, p, &w)
	if err != nil {
		outcome, err = ended(err)
	} else if p.Answer.Fault == "" {
		outcome = journal.Answered
	}
	return err
}

// serve waits for a turn, waits as planned, and answers.
func (s *Server) serve(c echo.Context, p plan.Plan, w *journal.Wait) error {
	ctx := c.Request().Context()
	leave, err := s.admit(ctx, p)
	if err != nil {
		return err
	}
	defer leave()
	served := w.Start
	if p.Pool != nil {
		served = s.clock.Now()
		w.Queued = served.Sub(w.Start)
	}
	err = s.clock.SleepUntil(ctx, served.Add(p.Wait))
	w.Waited = s.clock.Now().Sub(served)
	if err != nil {
		return err
	}
	report(c.Response().Header(), p, *w)
	return s.send(c, p)
}

// admit passes the plan's limit, where there is one, and waits for a worker of
// its pool, where there is one.
func (s *Server) admit(ctx context.Context, p plan.Plan) (leave func(), err error) {
	if err := p.Limit.Enter(s.clock.Now()); err != nil {
		return nil, err
	}
	if p.Pool == nil {
		return func() {}, nil
	}
	return s.pools.Enter(ctx, *p.Pool)
}

// send sends the answer, whose parts are due from now on.
func (s *Server) send(c echo.Context, p plan.Plan) error {
	sent := s.clock.Now()
	sender := answer.Sender{
		Timeout: s.config.WriteTimeout,
		Sleep: func(due time.Duration) error {
			return s.clock.SleepUntil(c.Request().Context(), sent.Add(due))
		},
		Upstream: func(target *url.URL) error { return s.passOn(c, target) },
	}
	return sender.Send(c.Response(), c.Request(), p.Answer)
}

// ended says how a request ended that ended with err, and what that is to the
// client: errLeft where it is gone.
func ended(err error) (journal.Outcome, error) {
	var full *gate.FullError
	var conflict *gate.ConflictError
	var over *gate.RateError
	switch {
	case errors.Is(err, errCut):
		return journal.Cut, errCut
	case errors.As(err, &over):
		p := problem.New(http.StatusTooManyRequests, "%v; accepted: again, once the time of Retry-After has passed", over)
		p.RetryAfter = over.After
		return journal.Refused, p
	case errors.As(err, &full):
		return journal.Refused, tooMany("%v; accepted: again, once a place is free", full)
	case errors.As(err, &conflict):
		return journal.Refused, problem.New(http.StatusConflict, "%v; accepted: the same, or another name", conflict)
	case isProblem(err):
		return journal.Answered, err // after the whole wait, by an upstream's failure
	default:
		return journal.Left, errLeft
	}
}

func tooMany(format string, args ...any) error {
	p := problem.New(http.StatusServiceUnavailable, format, args...)
	p.RetryAfter = time.Second
	return p
}

// param returns a parameter of the path, unescaped: Echo leaves the escapes in
// where a path has any that need not be.
func param(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

// report sets the headers that say what was made of the request.
func report(h http.Header, p plan.Plan, w journal.Wait) {
	timing := make([]byte, 0, 96)
	timing = append(timing, "asked;dur="...)
	timing = delay.AppendMilliseconds(timing, p.Wait)
	if p.Cut {
		timing = append(timing, `;desc="cut at MAX_DELAY"`...)
	}
	if p.Pool != nil {
		timing = append(timing, ", queued;dur="...)
		timing = delay.AppendMilliseconds(timing, w.Queued)
	}
	timing = append(timing, ", waited;dur="...)
	timing = delay.AppendMilliseconds(timing, w.Waited)
	h.Set("Server-Timing", string(timing))
	h["X-Content-Type-Options"] = nosniff
	query.NameIgnored(h, p.Ignored)
}
