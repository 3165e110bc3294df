package server

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/problem"
)

// maxURL is the most bytes of a request's path and query. net/http itself ends
// a request whose headers are over 1 MiB, with its own 431.
const maxURL = 8 << 10

// guard refuses URLs that are too long, before routing, bounds the time that a
// body may take which nobody reads, and turns a panic into an error.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: // a recovered value, compared as net/http does
				panic(p)
			default:
				s.log.Error("panic", "path", c.Request().URL.Path, "panic", p, "stack", string(debug.Stack()))
				err = errOwn
			}
		}()
		r := c.Request()
		if r.ProtoMajor == 1 && r.ContentLength != 0 {
			// net/http reads on for the body before it sends a reply that did not.
			_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(s.config.ReadTimeout))
		}
		if n := len(r.RequestURI); n > maxURL {
			return problem.New(http.StatusRequestURITooLong, "the URL is %d bytes long; accepted: up to %d", n, maxURL)
		}
		return next(c)
	}
}
