package server

import (
	"bytes"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/version"

	"flash.test/demo-api/internal/web"
)

// html responds with a page that depends on the query. For other pages, see
// httpkit.Page.
func (s *Server) html(c echo.Context, status int, name string, view any) error {
	var html bytes.Buffer
	if err := web.Page(&html, name, view); err != nil {
		return err
	}
	httpkit.PageHeader(c.Response().Header())
	return c.HTMLBlob(status, html.Bytes())
}

// site returns the view of the parts that all pages share.
func (s *Server) site(path, baseURL string) web.Site {
	link := s.options.DelayServerLink
	return web.Site{
		Path: path, Base: baseURL, Build: version.Get().String(),
		DelayServer: link, Embedded: s.options.Embedded, Local: !s.options.Embedded && httpkit.IsLocal(link),
	}
}

// baseURL returns the scheme and host that the client used.
func baseURL(c echo.Context) string { return "http://" + c.Request().Host }

// checkReady returns nil if the server accepts requests: not while it drains or no
// more calls may be in flight.
func (s *Server) checkReady(*http.Request) error {
	if s.draining.Load() {
		return problem.ShuttingDown.New("draining: %d requests in flight", s.waiting.Load())
	}
	if !s.inFlight.TryAcquire(1) {
		return problem.TooManyCalls.New("too many calls in flight (MAX_IN_FLIGHT=%d)", s.options.MaxInFlight)
	}
	s.inFlight.Release(1)
	return nil
}
