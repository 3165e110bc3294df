package server

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/problem"
	"flash.test/delay-server/version"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/*.html"))

// pageView is what a page is made of.
type pageView struct {
	Base   string // the scheme and host that the client used, for curl lines
	Config Config
	Build  version.Info
}

// page answers one of the embedded pages.
func (s *Server) page(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var html bytes.Buffer
		view := pageView{Base: "http://" + c.Request().Host, Config: s.config, Build: version.Get()}
		if err := templates.ExecuteTemplate(&html, name, view); err != nil {
			return err
		}
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		return c.Blob(http.StatusOK, echo.MIMETextHTMLCharsetUTF8, html.Bytes())
	}
}

// assetTypes are the embedded files that pages refer to.
var assetTypes = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"try.js":    "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

// asset answers one of the files that the pages refer to.
func (s *Server) asset(c echo.Context) error {
	name := c.Param("name")
	body, err := pages.ReadFile("pages/" + name)
	if assetTypes[name] == "" || err != nil {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, assetTypes[name], body)
}

// healthz says that the process answers.
func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says that the process wants requests: not while it drains.
func (s *Server) readyz(c echo.Context) error {
	if s.draining.Load() {
		return problem.New(http.StatusServiceUnavailable, "draining: %d requests wait", s.journal.Waiting())
	}
	return c.String(http.StatusOK, "ready\n")
}

func (s *Server) version(c echo.Context) error { return c.JSON(http.StatusOK, version.Get()) }
