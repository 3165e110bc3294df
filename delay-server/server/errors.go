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

// fail answers an error: the one map from error to status. Where no answer can
// be given any more it ends the connection, or the stream of HTTP/2: net/http
// would make a whole answer of what was sent so far.
func (s *Server) fail(err error, c echo.Context) {
	committed := c.Response().Committed
	if !committed && s.config.FlashCompat && s.failAsFlash(err, c) {
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
		s.log.Debug("answer", "error", err)
	}
}

// problem returns what err is to the client, nil where the client has left, and
// logs one of the server's own.
func (s *Server) problem(err error, c echo.Context) *problem.Problem {
	r := c.Request()
	if p := clientProblem(err); p != nil {
		return p
	}
	if s.adminIsOff(r) && errors.Is(err, echo.ErrNotFound) {
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

// clientProblem returns an error that is made for the client, nil for any other.
func clientProblem(err error) *problem.Problem {
	var known *problem.Problem
	var bad *plan.DelayError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &bad):
		return problem.InvalidDelay.New("%v", bad)
	}
	return nil
}

// planProblem is clientProblem of an error of a plan that is not answered as Flash
// does.
func (s *Server) planProblem(err error) *problem.Problem {
	if s.config.FlashCompat && errors.As(err, new(*plan.DelayError)) {
		return nil
	}
	return clientProblem(err)
}

// adminIsOff reports whether r asks for the admin API where there is none.
func (s *Server) adminIsOff(r *http.Request) bool {
	return s.admin == nil && admin.IsPath(r.URL.Path)
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }
