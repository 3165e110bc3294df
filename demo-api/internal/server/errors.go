package server

import (
	"errors"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/upstream"
)

// errShutdown is the cause of the contexts of requests that a shutdown ends.
var errShutdown = problem.ShuttingDown.New("server is shutting down")

// handleError responds with the problem of err.
func (s *Server) handleError(err error, c echo.Context) {
	committed := c.Response().Committed
	p := s.problem(err, c)
	if committed {
		s.log.Debug("response failed", "path", c.Path(), "error", err)
		return
	}
	if errors.Is(err, problem.ShuttingDown) {
		c.Response().Header().Set("Connection", "close")
	}
	if err := p.Write(c.Response()); err != nil {
		s.log.Debug("response failed", "path", c.Path(), "error", err)
	}
}

// problem maps an error to a problem. It logs internal errors.
func (s *Server) problem(err error, c echo.Context) *problem.Problem {
	if p := httpkit.RouteProblem(err, c, "use "+paths); p != nil {
		return p
	}
	r := c.Request()
	var known *problem.Problem
	var badStatus *sweep.StatusError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, upstream.ErrUnreachable), errors.Is(err, upstream.ErrUnexpected),
		errors.As(err, &badStatus):
		return s.callProblem(problem.CallFailed, err, c)
	case errors.Is(err, upstream.ErrTimeout):
		return s.callProblem(problem.CallTimeout, err, c)
	case program.ClientGone(r, err):
		return problem.ClientClosed.New("client closed the request; all calls were cancelled")
	}
	s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return problem.Internal.New("internal error; see the log of the server")
}

// callProblem returns the problem of a failed call, and logs its cause, which may
// name what a client must not see.
func (s *Server) callProblem(t problem.Type, err error, c echo.Context) *problem.Problem {
	p := t.New("%v", err)
	var call *fetch.Error
	if errors.As(err, &call) {
		p.Call = call.Call
	}
	var detail *upstream.Error
	if errors.As(err, &detail) {
		s.log.Warn("call failed", "path", c.Path(), "run", c.Get(runKey), "error", err, "cause", detail.Cause)
	}
	return p
}
