package server

import (
	"context"
	"errors"
	"io"
	"net"
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
func (s *Server) follow(c echo.Context, p plan.Plan, start time.Time) (err error) {
	r := c.Request()
	w := journal.Wait{Run: p.Run, Method: r.Method, Path: r.URL.Path, Asked: p.Wait, Start: start}
	if !s.limit.Enter() {
		s.journal.Refuse(w)
		return tooMany("%d requests wait already, as many as this server's MAX_IN_FLIGHT admits", s.config.MaxInFlight)
	}
	defer s.limit.Leave()
	s.journal.Begin(w)
	outcome := journal.Left
	defer func() { s.journal.End(w, outcome) }() // in a fault's panic too

	leave, err := s.admit(r.Context(), p)
	if err != nil {
		outcome = outcomeOf(err)
		return ending(err)
	}
	defer leave()
	served := start
	if p.Pool != nil {
		served = s.clock.Now()
		w.Queued = served.Sub(start)
	}
	err = s.clock.SleepUntil(r.Context(), served.Add(p.Wait))
	w.Waited = s.clock.Now().Sub(served)
	if err != nil {
		outcome = outcomeOf(err)
		return ending(err)
	}
	if outcome = journal.Answered; p.Answer.Fault != "" {
		outcome = journal.Faulted
	}
	report(c.Response().Header(), p, w)
	if err := s.send(c, p); err != nil {
		outcome = outcomeOf(err)
		return ending(err)
	}
	return nil
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

// outcomeOf says how a request ended that ended with err.
func outcomeOf(err error) journal.Outcome {
	var full *gate.FullError
	var conflict *gate.ConflictError
	var over *gate.RateError
	switch {
	case errors.Is(err, errCut):
		return journal.Cut
	case errors.As(err, &full), errors.As(err, &conflict), errors.As(err, &over):
		return journal.Refused
	case isProblem(err):
		return journal.Answered // after the whole wait, by an upstream's failure
	default:
		return journal.Left
	}
}

// ending returns what err is to the client, errLeft where it is gone.
func ending(err error) error {
	var full *gate.FullError
	var conflict *gate.ConflictError
	var over *gate.RateError
	switch {
	case errors.Is(err, errCut):
		return errCut
	case errors.As(err, &over):
		p := problem.New(http.StatusTooManyRequests, "%v; accepted: again, once the time of Retry-After has passed", over)
		p.RetryAfter = over.After
		return p
	case errors.As(err, &full):
		return tooMany("%v; accepted: again, once a place is free", full)
	case errors.As(err, &conflict):
		return problem.New(http.StatusConflict, "%v; accepted: the same, or another name", conflict)
	case isProblem(err):
		return err
	default:
		return errLeft
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
	h.Set("X-Content-Type-Options", "nosniff")
	query.NameIgnored(h, p.Ignored)
}

// maxRequestBody is the most bytes of a request's body that are read and
// discarded. net/http sees a client leave only once the body is read.
const maxRequestBody = 1 << 20

// discardBody reads the body to its end. The error is a *problem.Problem, 413,
// 408 or 400, or errLeft.
func (s *Server) discardBody(c echo.Context) error {
	r := c.Request()
	if r.Body == http.NoBody || r.Body == nil {
		return nil
	}
	tooLarge := problem.New(http.StatusRequestEntityTooLarge, "the body is over %d bytes; accepted: any body up to that, or none: it is read and not used", maxRequestBody)
	if r.ContentLength > maxRequestBody {
		return tooLarge
	}
	n, err := s.readBody(c, io.Discard)
	if n > maxRequestBody {
		return tooLarge
	}
	return err
}

// readBody reads the body into w, to its end or just over maxRequestBody. The
// error is a *problem.Problem, 408 or 400, or errLeft.
func (s *Server) readBody(c echo.Context, w io.Writer) (n int64, err error) {
	control := http.NewResponseController(c.Response())
	// A recorder in a test has no deadline, and net/http's own connections have.
	_ = control.SetReadDeadline(time.Now().Add(s.config.ReadTimeout))
	n, err = io.Copy(w, io.LimitReader(c.Request().Body, maxRequestBody+1))
	if err != nil {
		return n, s.bodyError(err, "the body", n)
	}
	// Left in place it would end the wait: net/http reads on to see the client
	// leave. After an error it stays, since net/http reads on for the rest.
	_ = control.SetReadDeadline(time.Time{})
	return n, nil
}

// bodyError returns what err, of reading the body after n bytes, is to the client.
func (s *Server) bodyError(err error, what string, n int64) error {
	var timeout interface{ Timeout() bool }
	var lost *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(http.StatusRequestTimeout, "%s did not come within %v, this server's READ_TIMEOUT; %d bytes did", what, s.config.ReadTimeout, n)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) || errors.As(err, &lost):
		return errLeft
	default:
		return problem.New(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
}
