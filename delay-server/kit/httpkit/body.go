package httpkit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
)

// MaxBody is the maximum size of a request's body in bytes.
const MaxBody = 1 << 20

var errTooLarge = problem.BodyTooLarge.New("request body is too large: use up to %d bytes", MaxBody)

// DiscardBody reads the request's body to its end. Only after that does net/http notice
// that a client leaves. The error is as from ReadBody.
func DiscardBody(c echo.Context, timeout time.Duration) error {
	r := c.Request()
	if r.Body == http.NoBody || r.Body == nil {
		return nil
	}
	return ReadBody(c, io.Discard, timeout)
}

// ReadBody copies the request's body to w. The error is context.Canceled if the
// client left, or else a *problem.Problem: BodyTooLarge, BodyTimeout or InvalidBody.
func ReadBody(c echo.Context, w io.Writer, timeout time.Duration) error {
	control := http.NewResponseController(c.Response())
	// A connection of net/http has deadlines; httptest.ResponseRecorder has not.
	_ = control.SetReadDeadline(time.Now().Add(timeout))
	r := c.Request()
	n := r.ContentLength
	if n <= MaxBody {
		var err error
		if n, err = io.Copy(w, io.LimitReader(r.Body, MaxBody+1)); err != nil {
			return BodyError(err, "request body", n, timeout)
		}
	}
	if n > MaxBody {
		if r.Close && r.Header.Get("Expect") == "" {
			// Otherwise net/http closes with bytes unread, and the client loses the response.
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return errTooLarge
	}
	// The deadline would end the wait: net/http reads on to notice a client that leaves.
	// After an error it stays, since net/http reads the rest of the body.
	_ = control.SetReadDeadline(time.Time{})
	return nil
}

// BodyError returns the error to answer with after reading failed with err after n
// bytes: context.Canceled if the client left, or a *problem.Problem. what names the body
// in its text, such as "request body".
func BodyError(err error, what string, n int64, timeout time.Duration) error {
	var timedOut interface{ Timeout() bool }
	var lost *net.OpError
	switch {
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return problem.NewBodyTimeout(what, n, timeout)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) || errors.As(err, &lost):
		return context.Canceled
	default:
		return problem.InvalidBody.New("read request body: %v", err)
	}
}
