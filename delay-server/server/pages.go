package server

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
	"flash.test/delay-server/settings"
	"flash.test/delay-server/version"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"short": short}).ParseFS(pages, "pages/*.html"))

// short writes a duration without the units that are 0: "10m", not "10m0s".
func short(d time.Duration) string {
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// pageView is what a page is made of.
type pageView struct {
	Base   string // the scheme and host that the client used, for curl lines
	Host   string // that host, with its port
	Name   string // that host, without
	Secure string // the same as Base over TLS, by the first of TLS_HOSTS; "" without
	Run    string // a run that nobody else has, for lines that count within one
	Auth   string // what a curl line of the admin API needs besides, if anything
	Config Config
	Build  version.Info

	Forms    []delay.Form
	Faults   []answer.Fault
	Settings []settings.Setting
}

func (s *Server) newPageView(r *http.Request) pageView {
	scheme, secure := "http://", ""
	if r.TLS != nil {
		scheme = "https://"
	}
	if s.config.TLS() {
		secure = "https://" + net.JoinHostPort(s.config.TLSHosts[0], strconv.Itoa(s.config.TLSPort))
	}
	auth := ""
	if s.access.token != "" {
		auth = ` -H "Authorization: Bearer $ADMIN_TOKEN"`
	}
	return pageView{
		Base: scheme + r.Host, Host: r.Host, Name: hostname(r.Host), Secure: secure, Run: strings.ToLower(rand.Text()[:6]),
		Auth: auth, Config: s.config, Build: version.Get(),
		Forms: delay.Forms, Faults: answer.Faults, Settings: settings.List(Config{}),
	}
}

// hostname returns the host of a Host header, without port and brackets.
func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// page answers one of the embedded pages.
func (s *Server) page(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var html bytes.Buffer
		if err := templates.ExecuteTemplate(&html, name, s.newPageView(c.Request())); err != nil {
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
	mediaType, known := assetTypes[name]
	if !known {
		return echo.ErrNotFound
	}
	return s.file(c, name, mediaType)
}

// openAPI answers the description of all endpoints.
func (s *Server) openAPI(c echo.Context) error { return s.file(c, "openapi.yaml", "application/yaml") }

// file answers an embedded file.
func (s *Server) file(c echo.Context, name, mediaType string) error {
	body, err := pages.ReadFile("pages/" + name)
	if err != nil {
		return err
	}
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, mediaType, body)
}

// healthz says that the process answers.
func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says whether a request from this client would be admitted.
func (s *Server) readyz(c echo.Context) error {
	if s.draining.Load() {
		return problem.New(http.StatusServiceUnavailable, "draining: %d requests wait", s.journal.Waiting())
	}
	client := s.limit.Client(clientAddr(c.Request()))
	defer client.Release()
	if err := client.Full(); err != nil {
		return s.full(err)
	}
	return c.String(http.StatusOK, "ready\n")
}

func (s *Server) version(c echo.Context) error { return c.JSON(http.StatusOK, version.Get()) }
