package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// mostKept is the most bytes of a body that are kept while its request waits.
const mostKept = 16 << 10

// passBody leaves the body to the upstream. One whose length is told, up to
// mostKept, is read before the wait, so that net/http sees the client leave
// during it. Any other is read as the upstream takes it: over HTTP/1.1 its client
// is seen to leave only then, over HTTP/2 always. The error is that of readBody.
func (s *Server) passBody(c echo.Context) error {
	r := c.Request()
	switch {
	case r.ContentLength == 0:
		return nil
	case r.ContentLength > 0 && r.ContentLength <= mostKept:
		var kept bytes.Buffer
		err := httpkit.ReadBody(c, &kept, s.config.ReadTimeout)
		setBody(c, io.NopCloser(&kept))
		return err
	}
	control := http.NewResponseController(c.Response())
	if r.ProtoMajor == 1 {
		// Else net/http would discard what is unread when the reply begins, and take
		// for a request what is unread at its end.
		_ = control.EnableFullDuplex()
		c.Response().Header().Set("Connection", "close")
	}
	setBody(c, &streamedBody{ReadCloser: r.Body, server: s, control: control})
	return nil
}

// setBody gives the request another body. net/http's own request keeps its own,
// by which net/http sees whether to let the client read the reply to the end
// before it closes the connection.
func setBody(c echo.Context, body io.ReadCloser) {
	r := c.Request().WithContext(c.Request().Context())
	r.Body = body
	c.SetRequest(r)
}

// streamedBody gives the client READ_TIMEOUT for each part that is waited for.
type streamedBody struct {
	io.ReadCloser
	server *Server

	mu      sync.Mutex
	control *http.ResponseController // nil once the request has ended
	due     time.Time                // of the part that is waited for; zero for none
	n       int64                    // bytes read
}

// Read implements io.Reader. The error is io.EOF, or as that of readBody.
func (b *streamedBody) Read(p []byte) (int, error) {
	b.await(time.Now().Add(b.server.config.ReadTimeout))
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	b.n += int64(n)
	b.mu.Unlock()
	if err != nil && err != io.EOF { // io.Reader's own word, never wrapped
		return n, b.failure(err)
	}
	b.await(time.Time{}) // over HTTP/2 it would pass between two parts too
	return n, err
}

func (b *streamedBody) await(due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.due = due; b.control != nil {
		_ = b.control.SetReadDeadline(due)
	}
}

func (b *streamedBody) failure(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return httpkit.BodyError(err, "next part of the request body", b.n, b.server.config.ReadTimeout)
}

// late reports whether a part did not come in time. Over HTTP/1.1 net/http takes
// that for the client's leaving.
func (b *streamedBody) late() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.due.IsZero() && !time.Now().Before(b.due)
}

// end leaves the control of the connection to net/http, which reads on for the
// rest: a Read may outlast the request.
func (b *streamedBody) end() {
	b.await(time.Now().Add(b.server.config.ReadTimeout))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control = nil
}

// passOn has the target answer, and calls last before the last of an answer that
// has no body or tells its length. The error is flow.ErrClientGone, flow.ErrShutdown, or wraps a
// *problem.Problem.
func (s *Server) passOn(c echo.Context, target *url.URL, last func()) error {
	body, streamed := c.Request().Body.(*streamedBody)
	if streamed {
		defer body.end()
	}
	head := c.Request().Method == http.MethodHead
	err := s.proxy.Serve(&streamedReply{Response: c.Response(), head: head, last: last}, c.Request(), target)
	if streamed && errors.Is(err, context.Canceled) && body.late() {
		err = body.failure(os.ErrDeadlineExceeded)
	}
	if isProblem(err) {
		s.log.Info("upstream failed", "host", target.Host, "error", err)
	}
	return err
}

// streamedReply calls last before the last of an answer is sent.
type streamedReply struct {
	*echo.Response
	head bool  // the reply is to HEAD: no body follows
	left int64 // bytes of the body; negative where that is not known
	last func()

	noContent bool // the status has none, whatever the target sends
}

// WriteHeader implements http.ResponseWriter. Echo takes an informational reply
// for the final one.
func (r *streamedReply) WriteHeader(code int) {
	if code < http.StatusOK {
		r.Writer.WriteHeader(code)
		return
	}
	var err error
	if r.left, err = strconv.ParseInt(r.Header().Get("Content-Length"), 10, 64); err != nil {
		r.left = -1
	}
	r.noContent = !answer.HasBody(code)
	if code == http.StatusResetContent { // net/http would take what a target sends with it for a body
		r.Header().Set("Content-Length", "0")
	}
	if r.left == 0 || r.head || r.noContent {
		r.last()
	}
	r.Response.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *streamedReply) Write(p []byte) (n int, err error) {
	if r.noContent {
		return len(p), nil
	}
	if r.left -= int64(len(p)); r.left == 0 {
		r.last()
	}
	return r.Response.Write(p)
}

// FlushError is what http.ResponseController has for Flush.
func (r *streamedReply) FlushError() error { return http.NewResponseController(r.Writer).Flush() }

func isProblem(err error) bool {
	var known *problem.Problem
	return errors.As(err, &known)
}
