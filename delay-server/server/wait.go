package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
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
		arrived := s.clock.Arrival()
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
		return s.follow(c, p, arrived)
	}
}

// follow does what the plan says and has the journal see it. The error is
// errLeft, errCut, a refusal, or an upstream's failure.
func (s *Server) follow(c echo.Context, p plan.Plan, arrived clock.Arrival) error {
	waiter := s.clock.Waiter(arrived)
	defer waiter.Leave() // last, so that an advance has all of it done
	r := c.Request()
	w := journal.Wait{Run: p.Run, Method: r.Method, Path: r.URL.Path, Asked: p.Wait, Start: waiter.Entered()}
	if !s.limit.Enter() {
		s.journal.Refuse(w)
		return tooMany("%d requests wait already, as many as this server's MAX_IN_FLIGHT admits", s.config.MaxInFlight)
	}
	defer s.limit.Leave()
	s.journal.Begin(&w)
	// Until the end is known it is that of a panic, with which faults end and
	// bodies that break off.
	outcome := journal.Left
	if p.Answer.Fault != "" {
		outcome = journal.Faulted
	}
	defer func() {
		s.journal.End(w, outcome)
		annotate(c, w, outcome)
	}()
	err := s.serve(c, p, waiter, &w)
	if err != nil {
		outcome, err = ended(err)
	} else if p.Answer.Fault == "" {
		outcome = journal.Answered
	}
	return err
}

// serve waits for a turn, waits as planned, and answers.
func (s *Server) serve(c echo.Context, p plan.Plan, waiter *clock.Waiter, w *journal.Wait) error {
	ctx := c.Request().Context()
	leave, err := s.admit(ctx, p, waiter)
	if err != nil {
		return err
	}
	defer leave()
	served := w.Start
	if p.Pool != nil {
		served = waiter.Now()
		w.Queued = served.Sub(w.Start)
	}
	err = s.await(ctx, p, waiter, served, w)
	w.Waited = waiter.Now().Sub(served)
	if err != nil {
		return err
	}
	s.report(c.Response().Header(), p, *w, waiter)
	return s.send(c, p, waiter, w)
}

// admit passes the plan's limit, where there is one, and waits for a worker of
// its pool, where there is one.
func (s *Server) admit(ctx context.Context, p plan.Plan, waiter *clock.Waiter) (leave func(), err error) {
	if err := p.Limit.Enter(waiter.Now()); err != nil {
		return nil, err
	}
	if p.Pool == nil {
		return func() {}, nil
	}
	return s.pools.Enter(ctx, waiter, *p.Pool)
}

// await waits for the plan's event, where there is one, and then for its time.
func (s *Server) await(ctx context.Context, p plan.Plan, waiter *clock.Waiter, from time.Time, w *journal.Wait) (err error) {
	switch {
	case p.Barrier != nil:
		err = s.barriers.Enter(ctx, waiter, *p.Barrier)
	case p.Hold != nil:
		err = s.holds.Enter(ctx, waiter, *p.Hold)
	default:
		return waiter.Until(ctx, from.Add(p.Wait))
	}
	happened := waiter.Now()
	w.Held = happened.Sub(from)
	if err != nil {
		return err
	}
	return waiter.Until(ctx, happened.Add(p.Wait))
}

// send sends the answer, whose parts are due from now on.
func (s *Server) send(c echo.Context, p plan.Plan, waiter *clock.Waiter, w *journal.Wait) error {
	sent := waiter.Now()
	last := func() { s.journal.Sent(w) }
	sender := answer.Sender{
		Timeout: s.config.WriteTimeout,
		Sleep: func(due time.Duration) error {
			return waiter.Until(c.Request().Context(), sent.Add(due))
		},
		Last:     last,
		Upstream: func(target *url.URL) error { return s.passOn(c, target, last) },
	}
	return sender.Send(c.Response(), c.Request(), p.Answer)
}

// ended says how a request ended that ended with err, and what that is to the
// client: errLeft where it is gone.
func ended(err error) (journal.Outcome, error) {
	var full *gate.FullError
	var conflict *gate.ConflictError
	var parties *gate.PartiesError
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
// where a path has any that need not be. A slash at the end of a name is
// none of its, as in /delay/1000/.
func param(c echo.Context, name string) string {
	value := c.Param(name)
	if name == "name" {
		value = strings.TrimSuffix(value, "/")
	}
	if c.Request().URL.RawPath != "" {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

// report sets the headers that say what was made of the request. All times are
// by the server's clock, and real by the machine's, where the two may differ.
func (s *Server) report(h http.Header, p plan.Plan, w journal.Wait, waiter *clock.Waiter) {
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
	if p.Barrier != nil || p.Hold != nil {
		timing = append(timing, ", held;dur="...)
		timing = delay.AppendMilliseconds(timing, w.Held)
	}
	timing = append(timing, ", waited;dur="...)
	timing = delay.AppendMilliseconds(timing, w.Waited)
	if s.clock.Adjusted() {
		timing = append(timing, ", real;dur="...)
		timing = delay.AppendMilliseconds(timing, waiter.Lasted())
	}
	h.Set("Server-Timing", string(timing))
	h["X-Content-Type-Options"] = nosniff
	query.NameIgnored(h, p.Ignored)
}
