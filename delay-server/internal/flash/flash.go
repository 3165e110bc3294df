// Package flash implements FLASH_COMPAT: it routes and answers errors like Flash, the
// Express application that delay-server replaces. flash-contract.json in the server's
// testdata records the observed behaviour:
//
//   - Paths ignore the case of their fixed parts and a trailing slash.
//   - /delay/{delay} takes any method. All other paths take GET and HEAD.
//   - GET of an unknown path redirects to /. OPTIONS lists GET and HEAD. Any other method
//     gets the 404 of Express.
package flash

import (
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/cors"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/urlpath"
)

// InvalidDelayStatus is the status of Flash's answer to an invalid delay.
const InvalidDelayStatus = http.StatusInternalServerError

const invalidDelay = `Delay value should be valid number(in milliseconds) or "random"`

// URL returns u with the fixed parts of Flash's paths in lower case, and /doc without a
// trailing slash. It returns u itself if nothing changes.
func URL(u *url.URL) *url.URL {
	path := u.EscapedPath()
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if strings.EqualFold(parts[0], "delay") {
		parts[0] = "delay"
		if len(parts) > 3 && strings.EqualFold(parts[2], "url") {
			parts[2] = "url"
		}
	}
	if strings.EqualFold(parts[0], "doc") && (len(parts) == 1 || len(parts) == 2 && parts[1] == "") {
		parts = []string{"doc"}
	}
	folded := "/" + strings.Join(parts, "/")
	if folded == path {
		return u
	}
	return urlpath.WithPath(u, folded)
}

// Redirects is middleware that serves redirects like Flash: only for GET and HEAD, and
// only with a URL.
func Redirects(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		m := c.Request().Method
		if isRead(m) && c.Param("*") == "" || !isRead(m) && m != http.MethodConnect && m != http.MethodTrace {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// Compat answers errors like Flash.
type Compat struct {
	CORS cors.Policy
	Log  *slog.Logger
}

// Fail answers err like Flash and returns true. It returns false for an error that Flash
// does not have.
func (f Compat) Fail(err error, c echo.Context) bool {
	var (
		invalid *plan.DelayError
		routed  *echo.HTTPError
	)
	method := c.Request().Method
	switch {
	case errors.As(err, &invalid):
		f.Log.Debug("invalid delay, answered as Flash does", "error", invalid)
		_ = c.Blob(InvalidDelayStatus, "text/html; charset=utf-8", []byte(invalidDelay))
	case !errors.As(err, &routed) || method == http.MethodConnect || method == http.MethodTrace:
		return false
	case isRead(method) && routed.Code == http.StatusNotFound:
		f.setCORS(c)
		_ = c.Redirect(http.StatusFound, "/")
	case method == http.MethodOptions && routed.Code == http.StatusNotFound:
		_ = f.Options(c)
	case routed.Code == http.StatusNotFound || routed.Code == http.StatusMethodNotAllowed:
		f.notFound(c)
	default:
		return false
	}
	return true
}

func (f Compat) setCORS(c echo.Context) {
	f.CORS.SetHeaders(c.Response().Header(), c.Request().Header.Get("Origin"))
}

// Options answers OPTIONS as Express does for a route that takes GET.
func (f Compat) Options(c echo.Context) error {
	h := c.Response().Header()
	f.CORS.SetPreflight(h, c.Request(), cors.Methods)
	h.Set(echo.HeaderAllow, "GET,HEAD")
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", []byte("GET,HEAD"))
}

// notFound answers as Express does if no route takes the method.
func (f Compat) notFound(c echo.Context) {
	f.setCORS(c)
	h := c.Response().Header()
	h.Del(echo.HeaderAllow)
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	path, _, _ := strings.Cut(c.Request().RequestURI, "?")
	page := fmt.Appendf(nil, expressPage, html.EscapeString(c.Request().Method+" "+path))
	_ = c.Blob(http.StatusNotFound, "text/html; charset=utf-8", page)
}

const expressPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot %s</pre>
</body>
</html>
`

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }
