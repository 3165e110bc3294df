package server

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/upstream"
)

// statusLeft is what nginx logs for a client that left before its answer. It
// is seen only by one that closed no more than its own half of the connection.
const statusLeft = 499

// fail answers an error.
func (s *Server) fail(err error, c echo.Context) {
	committed := c.Response().Committed
	p := s.problem(err, c)
	if committed {
		s.log.Debug("answer", "path", c.Path(), "error", err)
		return
	}
	if errors.Is(err, errCut) {
		c.Response().Header().Set("Connection", "close")
	}
	if err := p.Write(c.Response()); err != nil {
		s.log.Debug("answer", "path", c.Path(), "error", err)
	}
}

// problem is the one map from error to status. It logs an error of the server's own.
func (s *Server) problem(err error, c echo.Context) *problem.Problem {
	r := c.Request()
	var known *problem.Problem
	var refused *sweep.StatusError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, echo.ErrNotFound):
		return problem.New(http.StatusNotFound, "nothing is at %s; accepted: %s", problem.Quote(r.URL.Path), paths)
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return problem.New(http.StatusMethodNotAllowed, "method %s is not accepted at %s; accepted: %s",
			problem.Quote(r.Method), problem.Quote(r.URL.Path), c.Response().Header().Get("Allow"))
	case errors.Is(err, upstream.ErrUnreachable), errors.As(err, &refused):
		return s.callFailed(http.StatusBadGateway, err, c)
	case errors.Is(err, upstream.ErrTooSlow):
		return s.callFailed(http.StatusGatewayTimeout, err, c)
	case program.ClientGone(r, err):
		return problem.New(statusLeft, "the client left; all calls were cancelled")
	}
	s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return problem.New(http.StatusInternalServerError, "an error of the server's own; its log says more")
}

// callFailed tells the client which call failed, and the log why in full.
func (s *Server) callFailed(status int, err error, c echo.Context) *problem.Problem {
	p := problem.New(status, "%v", err)
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
