package server

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/flow"
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

// planProblem is clientProblem for an error of a plan. With FLASH_COMPAT it returns nil
// for an invalid delay: net/http answers it in Flash's form.
func (s *Server) planProblem(err error) *problem.Problem {
	if s.config.FlashCompat && errors.As(err, new(*plan.DelayError)) {
		return nil
	}
	return clientProblem(err)
}
