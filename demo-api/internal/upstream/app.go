package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AppRequest is a request to an app that makes slow calls itself: demo-api in
// another language, or an earlier version of it.
type AppRequest struct {
	Base    string        // http or https URL of the app, without a path
	Path    string        // "/get_data" or "/async_get_data"
	Query   string        // without ?
	RunID   string        // sent as X-Run-Id; the app should pass it on with its calls
	Timeout time.Duration // of the whole request
}

// maxAppBody is the maximum size of an app's response, 4000 calls and more.
const maxAppBody = 256 << 10

// App makes a request and returns the body of the response. It follows no redirect,
// and sends no credentials. Without a response whose status is 200, the error is an
// *Error, or the cause of ctx once ctx is done.
func (c *Client) App(ctx context.Context, r AppRequest) (body []byte, err error) {
	app := service{"app", strings.TrimRight(r.Base, "/"), r.Timeout}
	ctx, cancel := app.withTimeout(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, app.address+r.Path+"?"+r.Query, nil)
	if err != nil {
		return nil, fmt.Errorf("create a request for %s: %w", app.address, err)
	}
	req.Header.Set("X-Run-Id", r.RunID)
	resp, err := c.traced.RoundTrip(req) // RoundTrip follows no redirects and keeps no cookies
	if err != nil {
		return nil, app.wrap(ctx, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAppBody+1))
	if err != nil {
		return nil, app.wrap(ctx, err)
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, &Error{"app", ErrUnexpected, fmt.Sprintf("%s%s: got status %d %s, want 200%s",
			app.address, r.Path, resp.StatusCode, http.StatusText(resp.StatusCode), quoteReason(body)), ErrUnexpected}
	case len(body) > maxAppBody:
		return nil, &Error{"app", ErrUnexpected, fmt.Sprintf("%s%s: the response is longer than %d bytes",
			app.address, r.Path, maxAppBody), ErrUnexpected}
	}
	return body, nil
}

// quoteReason returns the start of a response that is a short text, as what it says.
func quoteReason(body []byte) string {
	const maxReason = 200
	text := strings.TrimSpace(string(body))
	isText := utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
	if text == "" || len(text) > maxReason || !isText || strings.HasPrefix(text, "<") {
		return ""
	}
	return "; it says " + text
}
