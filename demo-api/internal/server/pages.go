package server

import (
	"bytes"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/version"

	"flash.test/demo-api/internal/web"
)

const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// html answers one of the pages.
func (s *Server) html(c echo.Context, status int, name string, view any) error {
	var html bytes.Buffer
	if err := web.Page(&html, name, view); err != nil {
		return err
	}
	c.Response().Header().Set("Content-Security-Policy", contentSecurityPolicy)
	return c.Blob(status, "text/html; charset=utf-8", html.Bytes())
}

// site returns what every page says.
func site(c echo.Context) web.Site {
	return web.Site{Here: c.Path(), Base: base(c), Build: version.Get().String()}
}

// base returns the scheme and host that the client used.
func base(c echo.Context) string { return "http://" + c.Request().Host }

// asset answers one of the files that the pages refer to.
func (s *Server) asset(c echo.Context) error {
	body, contentType, ok := web.Asset(c.Param("name"))
	if !ok {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, contentType, body)
}

// healthz says that the process answers.
func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says that the process wants requests: not while it drains, nor
// while its calls in flight leave room for none.
func (s *Server) readyz(c echo.Context) error {
	if s.draining.Load() {
		return problem.New(http.StatusServiceUnavailable, "draining: %d requests wait", s.waiting.Load())
	}
	if s.room.full() {
		return problem.New(http.StatusServiceUnavailable, "%d calls are in flight, as many as this server makes (MAX_IN_FLIGHT)", s.options.MaxInFlight)
	}
	return c.String(http.StatusOK, "ready\n")
}

func (s *Server) version(c echo.Context) error { return c.JSON(http.StatusOK, version.Get()) }
