package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/kit/problem"
)

// maxRequestBody is the most bytes of a request's body that are read. net/http
// sees a client leave only once the body is read.
const maxRequestBody = 1 << 20

var errTooLarge = problem.New(http.StatusRequestEntityTooLarge, "the body is over %d bytes; accepted: any body up to that, or none", maxRequestBody)

// discardBody reads the body to its end. The error is that of readBody.
func (s *Server) discardBody(c echo.Context) error {
	r := c.Request()
	if r.Body == http.NoBody || r.Body == nil {
		return nil
	}
	return s.readBody(c, io.Discard)
}

// readBody reads the body into w, to its end. The error is errTooLarge, another
// *problem.Problem, 408 or 400, or flow.ErrClientGone.
func (s *Server) readBody(c echo.Context, w io.Writer) error {
	control := http.NewResponseController(c.Response())
	// A recorder in a test has no deadline, and net/http's own connections have.
	_ = control.SetReadDeadline(time.Now().Add(s.config.ReadTimeout))
	r := c.Request()
	n := r.ContentLength
	if n <= maxRequestBody {
		var err error
		if n, err = io.Copy(w, io.LimitReader(r.Body, maxRequestBody+1)); err != nil {
			return s.bodyError(err, "the body", n)
		}
	}
	if n > maxRequestBody {
		if r.Close && r.Header.Get("Expect") == "" {
			// Else net/http would close upon what is unread, and the client lose the reply.
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return errTooLarge
	}
	// Left in place it would end the wait: net/http reads on to see the client
	// leave. After an error it stays, since net/http reads on for the rest.
	_ = control.SetReadDeadline(time.Time{})
	return nil
}

// bodyError returns what err, of reading the body after n bytes, is to the client.
func (s *Server) bodyError(err error, what string, n int64) error {
	var timeout interface{ Timeout() bool }
	var lost *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(http.StatusRequestTimeout, "%s did not come within %v, this server's READ_TIMEOUT; %d bytes did", what, s.config.ReadTimeout, n)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) || errors.As(err, &lost):
		return flow.ErrClientGone
	default:
		return problem.New(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
}
