package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/problem"
)

// flashSentence is what Flash answers to each delay that it cannot read, with
// status 500 (observed; see testdata/flash-contract.json).
const flashSentence = `Delay value should be valid number(in milliseconds) or "random"`

// fail answers an error: the one map from error to status. Where no answer can
// be given any more it ends the connection, or the stream of HTTP/2: net/http
// would make a whole answer of what was sent so far.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed || errors.Is(err, errLeft) {
		panic(http.ErrAbortHandler)
	}
	if s.config.FlashCompat && s.failAsFlash(err, c) {
		return
	}
	p := s.problem(err, c)
	if p == errCut {
		c.Response().Header().Set("Connection", "close")
	}
	if err := p.Write(c.Response()); err != nil {
		s.log.Debug("answer", "error", err)
	}
}

func (s *Server) problem(err error, c echo.Context) *problem.Problem {
	r := c.Request()
	var (
		known *problem.Problem
		bad   *plan.DelayError
		route *echo.HTTPError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &bad):
		return problem.New(http.StatusBadRequest, "%v", bad)
	case errors.As(err, &route) && route.Code == http.StatusMethodNotAllowed:
		return problem.New(route.Code, "method %s is not accepted at %s; accepted: %s", problem.Quote(r.Method), problem.Quote(r.URL.Path), c.Response().Header().Get("Allow"))
	case errors.As(err, &route) && route.Code == http.StatusNotFound:
		accepted := "/delay/1000, /delay/1000/url/example.com and what /doc lists"
		if s.scenario != nil {
			accepted += ", and the routes of this server's SCENARIO"
		}
		return problem.New(route.Code, "nothing is at %s; accepted: %s", problem.Quote(r.URL.Path), accepted)
	}
	s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return problem.New(http.StatusInternalServerError, "an error of the server's own; its log says more")
}

// failAsFlash answers the errors that Flash has as Flash does.
func (s *Server) failAsFlash(err error, c echo.Context) bool {
	var (
		bad   *plan.DelayError
		route *echo.HTTPError
	)
	switch {
	case errors.As(err, &bad):
		s.log.Debug("bad delay, answered as Flash does", "error", bad)
		_ = c.Blob(http.StatusInternalServerError, "text/html; charset=utf-8", []byte(flashSentence))
	case errors.As(err, &route) && route.Code == http.StatusNotFound && isRead(c.Request().Method):
		_ = c.Redirect(http.StatusFound, "/")
	default:
		return false
	}
	return true
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// maxURL is the most bytes of a request's path and query. net/http itself ends
// a request whose headers are over 1 MiB, with its own 431.
const maxURL = 8 << 10

// guard refuses URLs that are too long, before routing, and turns a panic into
// an error.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: //nolint:errorlint // a recovered value, compared as net/http does
				panic(p)
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		if n := len(c.Request().RequestURI); n > maxURL {
			return problem.New(http.StatusRequestURITooLong, "the URL is %d bytes long; accepted: up to %d", n, maxURL)
		}
		return next(c)
	}
}

// cors lets the pages of CORS_ORIGINS read the answers. Flash names the
// methods on every reply, not just on a preflight's.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	everyone, named := false, map[string]bool{}
	for _, origin := range s.config.CORSOrigins {
		everyone = everyone || origin == "*"
		named[strings.ToLower(origin)] = origin != "none"
	}
	return func(c echo.Context) error {
		h, origin := c.Response().Header(), c.Request().Header.Get("Origin")
		if !everyone {
			h.Add("Vary", "Origin")
		}
		switch {
		case everyone:
			origin = "*"
		case !named[strings.ToLower(origin)]:
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Expose-Headers", "Retry-After, Server-Timing, X-Ignored-Parameters")
		h.Set("Timing-Allow-Origin", origin)
		return next(c)
	}
}

// options answers a preflight at once: a browser asks before it waits.
func (s *Server) options(c echo.Context) error { return preflight(c, allMethods) }

func preflight(c echo.Context, methods string) error {
	h := c.Response().Header()
	h.Set("Allow", methods)
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Max-Age", "600")
		if asked := c.Request().Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	return c.NoContent(http.StatusNoContent)
}

const allMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
