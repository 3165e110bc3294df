package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/problem"
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
		if err := s.discardBody(c); err != nil {
			return err
		}
		waited, err := s.sleep(c.Request(), p, start)
		if err != nil {
			return err
		}
		report(c.Response().Header(), p, waited)
		return p.Answer.Write(c.Response())
	}
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

// sleep waits until the plan's wait, counted from start, is over, and returns
// how long it was. The error is errLeft, errCut or a refusal.
func (s *Server) sleep(r *http.Request, p plan.Plan, start time.Time) (time.Duration, error) {
	w := journal.Wait{Run: p.Run, Method: r.Method, Path: r.URL.Path, Asked: p.Wait, Start: start}
	if !s.limit.Enter() {
		s.journal.Refuse(w)
		full := problem.New(http.StatusServiceUnavailable, "%d requests wait already, as many as this server's MAX_IN_FLIGHT admits", s.config.MaxInFlight)
		full.RetryAfter = time.Second
		return 0, full
	}
	defer s.limit.Leave()
	s.journal.Begin(w)
	switch err := s.clock.SleepUntil(r.Context(), start.Add(p.Wait)); {
	case err == nil:
		return s.journal.End(w, journal.Answered).Waited, nil
	case errors.Is(err, errCut):
		s.journal.End(w, journal.Cut)
		return 0, errCut
	default:
		s.journal.End(w, journal.Left)
		return 0, errLeft
	}
}

// report sets the headers that say what was made of the request.
func report(h http.Header, p plan.Plan, waited time.Duration) {
	timing := make([]byte, 0, 64)
	timing = append(timing, "asked;dur="...)
	timing = delay.AppendMilliseconds(timing, p.Wait)
	timing = append(timing, ", waited;dur="...)
	timing = delay.AppendMilliseconds(timing, waited)
	h.Set("Server-Timing", string(timing))
	if len(p.Ignored) > 0 {
		h.Set("X-Ignored-Parameters", headerList(p.Ignored))
	}
}

// headerList joins names for a header: each as a token, or quoted with its
// escapes where it is none, so that no name can forge a header. It names at
// most 20, and says how many more there were.
func headerList(names []string) string {
	const most = 20
	tokens := make([]string, 0, most+1)
	for i, name := range names {
		if i == most {
			tokens = append(tokens, strconv.Itoa(len(names)-most)+" more")
			break
		}
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '"' }) {
			name = strconv.QuoteToASCII(name)
		}
		tokens = append(tokens, name)
	}
	return strings.Join(tokens, ", ")
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
	control := http.NewResponseController(c.Response())
	// A recorder in a test has no deadline, and net/http's own connections have.
	_ = control.SetReadDeadline(time.Now().Add(s.config.ReadTimeout))
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxRequestBody+1))
	var timeout interface{ Timeout() bool }
	switch {
	case n > maxRequestBody:
		return tooLarge
	case err == nil:
		// Left in place it would end the wait: net/http reads on to see the client
		// leave. After an error it stays, since net/http reads on for the rest.
		_ = control.SetReadDeadline(time.Time{})
		return nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(http.StatusRequestTimeout, "the body did not come within %v, this server's READ_TIMEOUT; %d bytes did", s.config.ReadTimeout, n)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled):
		return errLeft
	default:
		return problem.New(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
}
