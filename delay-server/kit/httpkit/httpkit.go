// Package httpkit has the HTTP code that delay-server and demo-api share: settings,
// limits on requests, panic recovery, probes, headers of pages and files, and the pages
// of problem types. It has no state and no logic of either program.
package httpkit

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
)

// MaxURL is the maximum size of a request's path and query in bytes. If the headers
// exceed MAX_HEADER_SIZE, net/http itself answers 431.
const MaxURL = 8 << 10

// Method matches a token of RFC 9110. net/http rejects any other method over
// HTTP/1.1 and accepts it over HTTP/2.
var Method = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// CheckRequest returns the problem of a request whose URL is too long or whose
// method is invalid, or nil. Call it before routing.
func CheckRequest(r *http.Request) *problem.Problem {
	switch n := len(r.RequestURI); {
	case n > MaxURL:
		return problem.URLTooLong.New("URL of %d bytes is too long: use up to %d", n, MaxURL)
	case r.ProtoMajor > 1 && !Method.MatchString(r.Method):
		return problem.InvalidMethod.New("method %s is invalid: use letters, digits and !#$%%&'*+-.^_`|~",
			problem.Quote(r.Method))
	}
	return nil
}

// RemoteAddr returns the remote address of the connection; any client could forge a
// header. It is zero if the connection is not TCP.
func RemoteAddr(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr()
}

// LimitUnreadBody gives the client of an HTTP/1.1 request timeout to send a body
// that no handler reads: net/http reads it before it sends the response.
func LimitUnreadBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
	}
}

// RecoverPanics is middleware that turns a panic into an error with the stack. It does
// not recover http.ErrAbortHandler, which ends the connection.
func RecoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: // a recovered value, compared as net/http does
				panic(p)
			default:
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// RouteProblem returns the problem of an error of Echo's router, or nil for any
// other error. hint ends the detail of a 404, such as "see /doc".
func RouteProblem(err error, c echo.Context, hint string) *problem.Problem {
	switch {
	case isStatus(err, http.StatusNotFound):
		return problem.NotFound.New("no page at %s; %s", problem.Quote(c.Request().URL.Path), hint)
	case isStatus(err, http.StatusMethodNotAllowed):
		return MethodNotAllowed(c, c.Response().Header().Get(echo.HeaderAllow))
	}
	return nil
}

// MethodNotAllowed sets Allow and returns the problem of a path that takes only the
// allowed methods.
func MethodNotAllowed(c echo.Context, allowed string) *problem.Problem {
	c.Response().Header().Set(echo.HeaderAllow, allowed)
	r := c.Request()
	return problem.MethodNotAllowed.New("method %s is not allowed at %s; use %s",
		problem.Quote(r.Method), problem.Quote(r.URL.Path), allowed)
}
