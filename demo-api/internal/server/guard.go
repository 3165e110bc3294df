package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
)

// maxURL is the most bytes of a request's path and query. net/http itself ends
// a request whose headers are over MAX_HEADER_SIZE, with its own 431.
const maxURL = 8 << 10

// guard refuses URLs that are too long, before routing, bounds the time that a
// body may take which nobody reads, turns a panic into an error, and sets the
// headers of every answer.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
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
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r := c.Request(); r.ProtoMajor == 1 && r.ContentLength != 0 {
			// net/http reads on for the body before it sends a reply that did not.
			_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(s.options.ReadTimeout))
		}
		if n := len(c.Request().RequestURI); n > maxURL {
			return problem.New(http.StatusRequestURITooLong, "the URL is %d bytes long; accepted: up to %d", n, maxURL)
		}
		return next(c)
	}
}

// maxRequestBody is the most bytes of a request's body that are read and
// discarded.
const maxRequestBody = 1 << 20

// discardBody reads the body to its end, since net/http sees a client leave
// only then. The error is a *problem.Problem, 413, 408 or 400, or the
// cancellation of a client that left.
func (s *Server) discardBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 {
			return next(c)
		}
		if r.ContentLength > maxRequestBody {
			return errTooLarge
		}
		// net/http lifts the deadline when the body is read; a test's recorder has none.
		_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(s.options.ReadTimeout))
		n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxRequestBody+1))
		if n > maxRequestBody {
			return errTooLarge
		}
		if err != nil {
			return s.bodyProblem(n, err)
		}
		return next(c)
	}
}

var errTooLarge = problem.New(http.StatusRequestEntityTooLarge, "the body is over %d bytes; accepted: any body up to that, or none: it is read and not used", maxRequestBody)

// bodyProblem words err, with which a body ended after n bytes.
func (s *Server) bodyProblem(n int64, err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(http.StatusRequestTimeout, "the body did not come within %v, this server's READ_TIMEOUT; %d bytes did", s.options.ReadTimeout, n)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return context.Canceled
	default:
		return problem.New(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
}
