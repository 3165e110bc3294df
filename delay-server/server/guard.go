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

// bounds is the server's handler within bounds: it refuses URLs that are too
// long, before routing, and limits the time that a body may take which nobody
// reads.
type bounds struct{ *Server }

// ServeHTTP implements http.Handler.
func (b bounds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// net/http reads on for the body before it sends a reply that did not.
		b.endBody(w)
	}
	if len(r.RequestURI) > maxURL {
		b.refuseURL(w, len(r.RequestURI))
		return
	}
	b.echo.ServeHTTP(w, r)
}

func (b bounds) endBody(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(b.config.ReadTimeout))
}

func (b bounds) refuseURL(w http.ResponseWriter, length int) {
	b.write(w, problem.New(http.StatusRequestURITooLong, "the URL is %d bytes long; accepted: up to %d", length, maxURL))
}

// guard turns a panic into an error.
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
		return next(c)
	}
}
