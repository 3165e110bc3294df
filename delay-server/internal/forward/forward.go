package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// MaxBufferedBody is the maximum size of a body that is read before the wait.
const MaxBufferedBody = 16 << 10

// ForwardBody prepares the body of a request that is forwarded after its wait. A
// body of a known length up to MaxBufferedBody is read now, so that net/http
// notices if the client leaves during the wait. Any other body is streamed to the
// target: over HTTP/1.1 a client that leaves is noticed only then, over HTTP/2
// always. Each part may take timeout. The error is as from httpkit.ReadBody.
func ForwardBody(c echo.Context, timeout time.Duration) error {
	r := c.Request()
	switch {
	case r.ContentLength == 0:
		return nil
	case r.ContentLength > 0 && r.ContentLength <= MaxBufferedBody:
		var buffered bytes.Buffer
		err := httpkit.ReadBody(c, &buffered, timeout)
		setBody(c, io.NopCloser(&buffered))
		return err
	}
	control := http.NewResponseController(c.Response())
	if r.ProtoMajor == 1 {
		// Otherwise net/http discards unread bytes when the response begins, and reads
		// them as a request when it ends.
		_ = control.EnableFullDuplex()
		c.Response().Header().Set("Connection", "close")
	}
	setBody(c, &streamedBody{ReadCloser: r.Body, timeout: timeout, control: control})
	return nil
}

// setBody replaces the request's body. net/http's own request keeps its body: by
// that, net/http decides whether the client may read the response to the end before
// it closes the connection.
func setBody(c echo.Context, body io.ReadCloser) {
	r := c.Request().WithContext(c.Request().Context())
	r.Body = body
	c.SetRequest(r)
}

// streamedBody gives the client timeout for each part that is read.
type streamedBody struct {
	io.ReadCloser
	timeout time.Duration

	mu       sync.Mutex
	control  *http.ResponseController // nil after detach
	deadline time.Time                // of the current Read; zero for none
	n        int64                    // bytes read
}

// Read implements io.Reader. The error is io.EOF, or as from
// httpkit.ReadBody.
func (b *streamedBody) Read(p []byte) (int, error) {
	b.setDeadline(time.Now().Add(b.timeout))
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	b.n += int64(n)
	b.mu.Unlock()
	if err != nil && err != io.EOF { // as an io.Reader returns it, never wrapped
		return n, b.problem(err)
	}
	b.setDeadline(time.Time{}) // over HTTP/2 it would expire between two reads too
	return n, err
}

func (b *streamedBody) setDeadline(deadline time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deadline = deadline; b.control != nil {
		_ = b.control.SetReadDeadline(deadline)
	}
}

func (b *streamedBody) problem(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return httpkit.BodyError(err, "next part of the request body", b.n, b.timeout)
}

// timedOut reports whether the deadline of a Read has passed. Over HTTP/1.1
// net/http cancels the request's context then, as for a client that left.
func (b *streamedBody) timedOut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.deadline.IsZero() && !time.Now().Before(b.deadline)
}

// detach leaves the deadline to net/http, which reads the rest of the body: a Read
// may outlast the request.
func (b *streamedBody) detach() {
	b.setDeadline(time.Now().Add(b.timeout))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control = nil
}

// Forward answers c with target's response. It calls begins with status and header
// before the response begins, and beforeLastByte before the last byte of a response that
// has no body or a known length. The error is as from Serve.
func (p *Proxy) Forward(c echo.Context, target *url.URL, begins func(int, http.Header), beforeLastByte func()) error {
	body, streamed := c.Request().Body.(*streamedBody)
	if streamed {
		defer body.detach()
	}
	head := c.Request().Method == http.MethodHead
	w := &response{Response: c.Response(), head: head, begins: begins, beforeLastByte: beforeLastByte}
	err := p.Serve(w, c.Request(), target)
	if streamed && errors.Is(err, context.Canceled) && body.timedOut() {
		err = body.problem(os.ErrDeadlineExceeded)
	}
	if errors.As(err, new(*problem.Problem)) {
		p.log.Info("upstream failed", "host", target.Host, "error", err)
	}
	return err
}
