package server

import (
	"bytes"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/problem"
	"flash.test/delay-server/version"

	"flash.test/demo-api/internal/web"
)

const contentSecurityPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page says what this is and how to try it.
func (s *Server) page(c echo.Context) error {
	var html bytes.Buffer
	err := web.Page(&html, web.View{
		Base:     "http://" + c.Request().Host,
		Calls:    s.options.Calls,
		MaxCalls: s.options.MaxCalls,
		Delay:    s.options.Delay,
		Upstream: s.options.UpstreamURL,
		Build:    version.Get().String(),
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Security-Policy", contentSecurityPolicy)
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", html.Bytes())
}

// asset answers one of the files that the page refers to.
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

// readyz says that the process wants requests: not while it drains.
func (s *Server) readyz(c echo.Context) error {
	if s.draining.Load() {
		return problem.New(http.StatusServiceUnavailable, "draining: %d requests wait", s.waiting.Load())
	}
	return c.String(http.StatusOK, "ready\n")
}

func (s *Server) version(c echo.Context) error { return c.JSON(http.StatusOK, version.Get()) }
