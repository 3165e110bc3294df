package server

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/settings"
	"flash.test/delay-server/kit/version"
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

// pageView is what a page is made of. What depends on the request is a gap.
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
	Problems []problem.Info
	Settings []settings.Setting
}

// The gaps of a page are characters of Unicode's private use. They stand in the
// text of elements alone: what fills them is escaped for that.
const (
	baseGap = "\uE000"
	hostGap = "\uE001"
	nameGap = "\uE002"
	runGap  = "\uE003"
)

var gaps = regexp.MustCompile("[" + baseGap + hostGap + nameGap + runGap + "]")

func (s *Server) pageView() pageView {
	secure, auth := "", ""
	if s.config.TLS() {
		secure = "https://" + net.JoinHostPort(s.config.TLSHosts[0], strconv.Itoa(s.config.TLSPort))
	}
	if s.access.token != "" {
		auth = ` -H "Authorization: Bearer $ADMIN_TOKEN"`
	}
	return pageView{
		Base: baseGap, Host: hostGap, Name: nameGap, Secure: secure, Run: runGap,
		Auth: auth, Config: s.config, Build: version.Get(),
		Forms: delay.Forms, Faults: answer.Faults, Problems: problem.Types, Settings: settings.List(Config{}),
	}
}

// fill returns what stands in the gaps of the answer to r, as HTML.
func fill(r *http.Request) map[string][]byte {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	escaped := func(text string) []byte { return []byte(template.HTMLEscapeString(text)) }
	return map[string][]byte{
		baseGap: escaped(scheme + r.Host), hostGap: escaped(r.Host), nameGap: escaped(hostname(r.Host)),
		runGap: escaped(strings.ToLower(rand.Text()[:6])),
	}
}

// hostname returns the host of a Host header, without port and brackets.
func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// splitAtGaps returns html in parts: each gap, and all that stands between two.
func splitAtGaps(html []byte) [][]byte {
	var parts [][]byte
	end := 0
	for _, at := range gaps.FindAllIndex(html, -1) {
		parts = append(parts, html[end:at[0]], html[at[0]:at[1]])
		end = at[1]
	}
	return append(parts, html[end:])
}

// page answers one of the embedded pages. It is rendered once, and all answers
// share its bytes: a client that does not read them holds no copy.
func (s *Server) page(name string) echo.HandlerFunc {
	render := sync.OnceValues(func() ([][]byte, error) {
		var html bytes.Buffer
		err := templates.ExecuteTemplate(&html, name, s.pageView())
		return splitAtGaps(html.Bytes()), err
	})
	return func(c echo.Context) error {
		parts, err := render()
		if err != nil {
			return err
		}
		fill := fill(c.Request())
		filled := func(part []byte) []byte {
			if text, ok := fill[string(part)]; ok {
				return text
			}
			return part
		}
		length := 0
		for _, part := range parts {
			length += len(filled(part))
		}
		w := c.Response()
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Type", echo.MIMETextHTMLCharsetUTF8)
		h.Set("Content-Length", strconv.Itoa(length))
		w.WriteHeader(http.StatusOK)
		for _, part := range parts {
			if _, err := w.Write(filled(part)); err != nil {
				return err
			}
		}
		return nil
	}
}

// assetTypes are the embedded files that pages refer to.
var assetTypes = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"try.js":    "text/javascript; charset=utf-8",
	"doc.js":    "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

// asset answers one of the files that the pages refer to.
func (s *Server) asset(c echo.Context) error {
	name := c.Param("name")
	mediaType, known := assetTypes[name]
	if !known {
		return echo.ErrNotFound
	}
	return file(c, name, mediaType)
}

// openAPI answers the description of all endpoints.
func (s *Server) openAPI(c echo.Context) error { return file(c, "openapi.yaml", "application/yaml") }

// files are the embedded files, whose bytes all answers share: each ReadFile
// returns a copy.
var files = func() map[string][]byte {
	entries, err := pages.ReadDir("pages")
	all := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if all[entry.Name()], err = pages.ReadFile("pages/" + entry.Name()); err != nil {
			break
		}
	}
	if err != nil {
		panic(err)
	}
	return all
}()

// file answers an embedded file.
func file(c echo.Context, name, mediaType string) error {
	body := files[name]
	h := c.Response().Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(body)))
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
