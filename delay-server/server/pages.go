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
	"flash.test/delay-server/kit/httpkit"
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
	if s.AdminToken() != "" {
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
		httpkit.PageHeader(h)
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

// serveOpenAPI returns the handler of the description of all endpoints.
func serveOpenAPI() echo.HandlerFunc {
	body, err := pages.ReadFile("pages/openapi.yaml")
	if err != nil {
		panic(err)
	}
	return func(c echo.Context) error { return httpkit.SendFile(c, "application/yaml", body) }
}
