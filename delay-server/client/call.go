package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxReplyBytes bounds a reply.
const maxReplyBytes = 64 << 20

// request is one call of the API.
type request struct {
	method string
	path   []string // segments behind /admin, not escaped, none empty
	query  url.Values
	body   any // nil for none; yaml is sent as it is, anything else as JSON

	// accepts is a status besides 2xx that has a reply to decode, or 0.
	accepts int
}

// yaml is the body of a request.
type yaml string

// call sends r and decodes the reply: text into a *string, JSON into any other
// pointer. A nil into discards it.
func (c *Client) call(ctx context.Context, r request, into any) error {
	target := c.base + "/admin"
	for _, segment := range r.path {
		target += "/" + url.PathEscape(segment)
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	err := c.exchange(ctx, r, target, into)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, target, err)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, r request, target string, into any) error {
	// An empty name would address all runs or holds.
	if slices.Contains(r.path, "") {
		return errors.New("name is empty")
	}
	res, err := c.send(ctx, r, target)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := readBody(res, maxReplyBytes)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 && (res.StatusCode != r.accepts || isProblem(res)) {
		return apiError(res, text)
	}
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(text)
	default:
		if err := json.Unmarshal(text, into); err != nil {
			return fmt.Errorf("%w (%w)", unexpectedReply(res, text), err)
		}
	}
	return nil
}

// send returns the reply. The error omits the method and URL that net/http adds,
// since call adds them too.
func (c *Client) send(ctx context.Context, r request, target string) (*http.Response, error) {
	body, contentType, err := encode(r.body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return res, err
}

// encode returns the body of a request and its type. The reader is nil for no body.
func encode(body any) (io.Reader, string, error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case yaml:
		return strings.NewReader(string(body)), "application/yaml", nil
	default:
		text, err := json.Marshal(body)
		return bytes.NewReader(text), "application/json", err
	}
}

// apiError returns the error for a reply of another status than 2xx. It wraps a
// *Problem if the reply is one.
func apiError(res *http.Response, text []byte) error {
	if isProblem(res) {
		if p, err := parseProblem(res, text); err == nil {
			return fmt.Errorf("%s: %w", res.Status, p)
		}
	}
	return unexpectedReply(res, text)
}

// unexpectedReply returns the error for a reply that the admin API does not send.
func unexpectedReply(res *http.Response, text []byte) error {
	return fmt.Errorf("unexpected reply %s (is this a delay-server?): %.200q", res.Status, text)
}

// maxAwait is the longest timeout that the server accepts.
const maxAwait = 10 * time.Minute

// await requests path with a condition to wait for.
func (c *Client) await(ctx context.Context, path []string, condition url.Values, into any) error {
	setTimeout(ctx, condition)
	return c.call(ctx, request{method: http.MethodGet, path: path, query: condition}, into)
}

// setTimeout sets a timeout shortly before ctx's deadline, or none: then the server waits
// 10 s.
func setTimeout(ctx context.Context, condition url.Values) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		left -= min(left/10, time.Second)
		condition.Set("timeout", min(max(left.Truncate(time.Millisecond), time.Millisecond), maxAwait).String())
	}
}
