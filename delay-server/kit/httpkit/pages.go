package httpkit

import (
	_ "embed"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/version"
)

// Healthz answers that the process is alive.
func Healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// Readyz returns a handler that answers 200, or the error of check.
func Readyz(check func(r *http.Request) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := check(c.Request()); err != nil {
			return err
		}
		return c.String(http.StatusOK, "ready\n")
	}
}

// Version answers which build this is.
func Version(c echo.Context) error { return c.JSON(http.StatusOK, version.Get()) }

// PageHeader sets the header of an HTML page: it may use only files of its own host.
func PageHeader(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
		"img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", echo.MIMETextHTMLCharsetUTF8)
}

// SendFile answers with body, which all responses share.
func SendFile(c echo.Context, mediaType string, body []byte) error {
	h := c.Response().Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return c.Blob(http.StatusOK, mediaType, body)
}

// assetTypes are the media types of assets by their file name's extension.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// Assets returns the handler of a route with :name that answers the style sheets,
// scripts and pictures in dir of fsys. It reads them once and panics if it cannot.
func Assets(fsys fs.FS, dir string) echo.HandlerFunc {
	entries, err := fs.ReadDir(fsys, dir)
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if assetTypes[path.Ext(entry.Name())] == "" {
			continue
		}
		body, readErr := fs.ReadFile(fsys, path.Join(dir, entry.Name()))
		files[entry.Name()], err = body, errors.Join(err, readErr)
	}
	if err != nil {
		panic(err)
	}
	return func(c echo.Context) error {
		name := c.Param("name")
		body, ok := files[name]
		if !ok {
			return echo.ErrNotFound
		}
		return SendFile(c, assetTypes[path.Ext(name)], body)
	}
}

//go:embed problems.html
var problemsHTML string

var problemsTemplate = template.Must(template.New("problems").Parse(problemsHTML))

// Problems returns the handler of /problems, which lists the types of problem, and
// of /problems/:name, which shows one. They link to doc, the path of the program's
// documentation, unless it is empty. They use the program's /assets/style.css.
func Problems(program, doc string) echo.HandlerFunc {
	pages := map[string]echo.HandlerFunc{"": problemsPage(program, doc, false, problem.Types)}
	for _, info := range problem.Types {
		pages[info.Type.Name()] = problemsPage(program, doc, true, []problem.Info{info})
	}
	return func(c echo.Context) error {
		page, ok := pages[c.Param("name")]
		if !ok {
			return echo.ErrNotFound
		}
		return page(c)
	}
}

func problemsPage(program, doc string, one bool, types []problem.Info) echo.HandlerFunc {
	view := struct {
		Program string
		Doc     string
		One     bool
		Types   []problem.Info
	}{program, doc, one, types}
	return Page(func(w io.Writer) error { return problemsTemplate.Execute(w, view) })
}

func isStatus(err error, status int) bool {
	var routed *echo.HTTPError
	return errors.As(err, &routed) && routed.Code == status
}
