package server

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/flash"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// fail answers err. If the response has begun or the client has left, it ends the
// connection, or the HTTP/2 stream: net/http would complete the response.
func (s *Server) fail(err error, c echo.Context) {
	committed := c.Response().Committed
	if !committed && s.config.FlashCompat && !admin.IsPath(c.Request().URL.Path) && s.flash().Fail(err, c) {
		return
	}
	p := s.problem(err, c)
	if committed || p == nil {
		panic(http.ErrAbortHandler)
	}
	if p == flow.ErrShutdown {
		c.Response().Header().Set("Connection", "close")
	}
	s.write(c.Response(), p)
}

func (s *Server) write(w http.ResponseWriter, p *problem.Problem) {
	if err := p.Write(w); err != nil {
		s.log.Debug("response not sent", "error", err)
	}
}

// problem returns the problem of any error, or nil if the client has left. It logs
// internal errors.
func (s *Server) problem(err error, c echo.Context) *problem.Problem {
	r := c.Request()
	if p := clientProblem(err); p != nil {
		return p
	}
	if s.admin == nil && admin.IsPath(r.URL.Path) && errors.Is(err, echo.ErrNotFound) {
		return problem.AdminDisabled.New("the admin API is disabled (ADMIN=false)")
	}
	if p := httpkit.RouteProblem(err, c, "see /doc"); p != nil {
		return p
	}
	if errors.Is(err, flow.ErrClientGone) || program.ClientGone(r, err) {
		return nil
	}
	s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return flow.ErrInternal
}

// clientProblem returns the problem of an error that the client can see, or nil.
func clientProblem(err error) *problem.Problem {
	var p *problem.Problem
	var invalid *plan.DelayError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &invalid):
		return problem.InvalidDelay.New("%v", invalid)
	}
	return nil
}

// planProblem is clientProblem for an error of a plan. It returns nil for an error that
// Flash has: net/http answers it.
func (s *Server) planProblem(err error) *problem.Problem {
	if s.isFlash(err) {
		return nil
	}
	return clientProblem(err)
}

// rejection returns what the journal records of the response to an error of a plan or a
// body. It is zero for an error that the client cannot see.
func (s *Server) rejection(err error) journal.Response {
	if s.isFlash(err) {
		return journal.Response{Status: flash.InvalidDelayStatus}
	}
	if p := clientProblem(err); p != nil {
		return flow.ResponseOf(p)
	}
	return journal.Response{}
}

// isFlash reports whether an error of a plan is answered as Flash does.
func (s *Server) isFlash(err error) bool {
	return s.config.FlashCompat && errors.As(err, new(*plan.DelayError))
}
