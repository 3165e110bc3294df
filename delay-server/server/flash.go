package server

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/urlpath"
)

// What FLASH_COMPAT changes. Flash is an Express application (observed; see
// testdata/flash-contract.json): the case of a path's fixed parts and a slash at
// its end make no difference, /delay/{delay} takes any method and all else GET and
// HEAD, which lead to / where nothing is at the path; any other method of any other
// path is Express' own 404, and OPTIONS is told so.

// flashSentence is what Flash answers to each delay that it cannot read, with
// status 500.
const flashSentence = `Delay value should be valid number(in milliseconds) or "random"`

// flashURL returns u with the fixed parts of Flash's paths as its routes have
// them: u itself where they are so already.
func flashURL(u *url.URL) *url.URL {
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

// flashRedirects serves a redirect as Flash does: for GET and HEAD, and for a
// path that has a URL.
func flashRedirects(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		m := c.Request().Method
		if isRead(m) && c.Param("*") == "" || !isRead(m) && m != http.MethodConnect && m != http.MethodTrace {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// failAsFlash answers the errors that Flash has as Flash does.
func (s *Server) failAsFlash(err error, c echo.Context) bool {
	var (
		bad   *plan.DelayError
		route *echo.HTTPError
	)
	r := c.Request()
	switch {
	case errors.As(err, &bad):
		s.log.Debug("bad delay, answered as Flash does", "error", bad)
		_ = c.Blob(http.StatusInternalServerError, "text/html; charset=utf-8", []byte(flashSentence))
	case !errors.As(err, &route) || admin.IsPath(r.URL.Path) || r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return false
	case isRead(r.Method) && route.Code == http.StatusNotFound:
		s.allow(c)
		_ = c.Redirect(http.StatusFound, "/")
	case r.Method == http.MethodOptions && route.Code == http.StatusNotFound:
		_ = s.flashOptions(c)
	case route.Code == http.StatusNotFound || route.Code == http.StatusMethodNotAllowed:
		s.expressNotFound(c)
	default:
		return false
	}
	return true
}

// flashOptions answers OPTIONS as Express does for a route that takes GET.
func (s *Server) flashOptions(c echo.Context) error {
	s.allowPreflight(c, methods[0])
	c.Response().Header().Set(echo.HeaderAllow, "GET,HEAD")
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", []byte("GET,HEAD"))
}

// expressNotFound answers as Express does where no route takes the method.
func (s *Server) expressNotFound(c echo.Context) {
	s.allow(c)
	h := c.Response().Header()
	h.Del(echo.HeaderAllow)
	h.Set("Content-Security-Policy", "default-src 'none'")
	h["X-Content-Type-Options"] = nosniff
	path, _, _ := strings.Cut(c.Request().RequestURI, "?")
	_ = c.Blob(http.StatusNotFound, "text/html; charset=utf-8", fmt.Appendf(nil, expressPage, html.EscapeString(c.Request().Method+" "+path)))
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
