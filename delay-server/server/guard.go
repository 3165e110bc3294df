package server

import (
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/urlpath"
)

// maxURL is the most bytes of a request's path and query. net/http itself ends
// a request whose headers are over MAX_HEADER_SIZE, with its own 431.
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
	// A client that pipelines and reads nothing keeps its goroutine runnable: with 20
	// such clients the p99 of others' /delay/10 was 33 to 55 times what it is without
	// them, and with this about twice (2 cores). After the handler, it would hold
	// back answers that are due.
	runtime.Gosched()
	if r = b.routed(w, r); r != nil {
		b.echo.ServeHTTP(w, r)
	}
}

// method matches what RFC 9110 has as a method. net/http refuses any other over
// HTTP/1.1 and takes it over HTTP/2.
var method = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// routed returns r with its path as it is routed: what is equal by RFC 3986 is
// the same, and so is in FLASH_COMPAT what is the same to Flash. CONNECT without
// a path is routed to / and so refused. It returns nil for a request that it has
// answered itself. Inlined, it would grow the stack of each request that waits.
//
//go:noinline
func (b bounds) routed(w http.ResponseWriter, r *http.Request) *http.Request {
	switch n := len(r.RequestURI); {
	case n > maxURL:
		b.write(w, problem.New(http.StatusRequestURITooLong, "the URL is %d bytes long; accepted: up to %d", n, maxURL))
		return nil
	case r.ProtoMajor > 1 && !method.MatchString(r.Method):
		b.write(w, problem.New(http.StatusBadRequest, "method %s is no method; accepted: letters, digits and !#$%%&'*+-.^_`|~", problem.Quote(r.Method)))
		return nil
	}
	u := urlpath.Normalize(r.URL)
	if b.config.FlashCompat {
		u = flashURL(u)
	}
	return urlpath.WithURL(r, u)
}

func (b bounds) endBody(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(b.config.ReadTimeout))
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
				err = flow.ErrInternal
			}
		}()
		return next(c)
	}
}
