package server

import (
	"embed"
	"html/template"
	"io"
	"net"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/settings"
	"flash.test/delay-server/kit/version"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{
		"short": short, "markdown": markdown, "help": help, "slug": slug,
		"of": of, "values": values, "distributions": distributions, "formName": formName,
		"base": path.Base, "megabytes": megabytes,
		"program": programHTML, "file": newProgramView, "next": func(i int) int { return i + 1 },
	}).
	ParseFS(pages, "pages/*.html"))

// short writes a duration without the units that are 0: "10m", not "10m0s".
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

var (
	codeSpan = regexp.MustCompile("`([^`]*)`")
	link     = regexp.MustCompile(`\[([^]]*)\]\(([^)]*)\)`)
)

// markdown is help for the page /doc: a link to /doc stays on the page, so that it works
// in a saved file too.
func markdown(text string) template.HTML { return help(strings.ReplaceAll(text, "](/doc#", "](#")) }

// help returns text as HTML, with Markdown's `code` and [links](/doc#to).
func help(text string) template.HTML {
	html := codeSpan.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>")
	return template.HTML(link.ReplaceAllString(html, `<a href="$2">$1</a>`))
}

// slug returns a path as part of an HTML id, such as "barrier-name".
func slug(path string) string {
	words := strings.FieldsFunc(path, func(c rune) bool { return !unicode.IsLetter(c) })
	return strings.Join(words, "-")
}

// pageView is the view of a page. A placeholder of httpkit stands for each value of
// the request.
type pageView struct {
	Path  string     // of the page
	Pages []pageLink // of the navigation

	OpenBoard bool // everybody sees the board, even with ADMIN_TOKEN

	Base   string // scheme and host that the client used, for curl commands
	Host   string // the host with its port
	Name   string // the host without its port
	Secure string // Base over TLS, with the first of TLS_HOSTS; "" without TLS
	Run    string // an unused run ID
	Auth   string // option that a curl command of the admin API needs, or ""
	Config Config
	Build  version.Info

	Forms      []delay.Form
	Endpoints  []plan.Endpoint
	Parameters []plan.Parameter // of all endpoints with a query
	Checks     []check.Check    // then modifiers
	Settable   []string         // header fields that a request may set
	Reserved   []string         // X-… fields that a request may not set
	Faults     []answer.Fault
	Problems   []problem.Info
	Settings   []settings.Setting
}

// pageLink is a link of the navigation.
type pageLink struct {
	Path, Title string
	Local       bool // another program on this machine: page.js uses the page's own host
}

// pageLinks returns the links to the pages that s serves.
func (s *Server) pageLinks() []pageLink {
	var links []pageLink
	if s.config.Admin {
		links = append(links, pageLink{Path: "/live", Title: "Live"})
	}
	if s.board != nil {
		links = append(links,
			pageLink{Path: "/board", Title: "Board"}, pageLink{Path: "/exercises", Title: "Exercises"})
	}
	if s.bundle != nil {
		links = append(links, pageLink{Path: "/get", Title: "Get"})
	}
	links = append(links, pageLink{Path: "/doc", Title: "Documentation"})
	if demo := httpkit.Link(s.config.DemoAPIURL); demo != "" {
		links = append(links, pageLink{Path: demo, Title: "demo-api", Local: httpkit.IsLocal(demo)})
	}
	return links
}

func (s *Server) pageView(path string) pageView {
	secure, auth := "", ""
	if s.config.TLS() {
		secure = "https://" + net.JoinHostPort(s.config.TLSHosts[0], strconv.Itoa(s.config.TLSPort))
	}
	if s.AdminToken() != "" {
		auth = ` -H "Authorization: Bearer $ADMIN_TOKEN"`
	}
	return pageView{
		Path: path, Pages: s.pageLinks(), OpenBoard: s.config.Board != nil && *s.config.Board,
		Base: httpkit.BaseURL, Host: httpkit.Host, Name: httpkit.Hostname, Secure: secure, Run: httpkit.NewRun,
		Auth: auth, Config: s.config, Build: version.Get(),
		Forms: delay.Forms, Endpoints: plan.Endpoints(), Parameters: plan.QueryParameters(),
		Checks: check.Checks(), Settable: plan.SettableHeaders(), Reserved: plan.ReservedHeaders(),
		Faults:   answer.Faults,
		Problems: problem.Types, Settings: settings.List(Config{}),
	}
}

// page returns a handler that serves one of the embedded pages at path.
func (s *Server) page(path, name string) echo.HandlerFunc {
	return httpkit.Page(func(w io.Writer) error { return templates.ExecuteTemplate(w, name, s.pageView(path)) })
}

// serve returns the handler of a document.
func serve(mediaType string, body []byte) echo.HandlerFunc {
	return func(c echo.Context) error { return httpkit.SendFile(c, mediaType, body) }
}
