package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"flash.test/delay-server/kit/problem"
)

// mostBytes bounds a reply.
const mostBytes = 64 << 20

// request is one call of the API.
type request struct {
	method string
	path   []string // segments behind /admin, not escaped, none empty
	query  url.Values
	body   any // as JSON, where it is not nil
}

// call sends r and reads the reply: JSON into a value, text into a *string,
// nothing where into is nil.
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
	// An empty name would address all of them.
	if slices.Contains(r.path, "") {
		return errors.New("the name is empty; accepted: 1 byte or more")
	}
	res, err := c.send(ctx, r, target)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := read(res, mostBytes)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return refusal(res, text)
	}
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(text)
	default:
		if err := json.Unmarshal(text, into); err != nil {
			return fmt.Errorf("%w (%w)", stranger(res, text), err)
		}
	}
	return nil
}

// send returns the reply's head. The error is without the method and URL that
// net/http would say again.
func (c *Client) send(ctx context.Context, r request, target string) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
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

// read returns the whole body, of most bytes at the most.
func read(res *http.Response, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read the reply, %s: %w", res.Status, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("the reply, %s, is over %d bytes", res.Status, most)
	}
	return text, nil
}

// refusal is a reply without success: a *problem.Problem with its status before
// it, or a stranger's.
func refusal(res *http.Response, text []byte) error {
	var p problem.Problem
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if mediaType != problem.ContentType || json.Unmarshal(text, &p) != nil {
		return stranger(res, text)
	}
	p.Status = res.StatusCode
	return fmt.Errorf("%s: %w", res.Status, &p)
}

// stranger is a reply that delay-server's admin API does not give.
func stranger(res *http.Response, text []byte) error {
	return fmt.Errorf("%s, but not from an admin API of delay-server: %q", res.Status, text[:min(len(text), 200)])
}

// longestAwait is the longest time that the server has a request await something.
const longestAwait = 10 * time.Minute

// await asks for path once a condition holds, for as long as ctx has and for
// longestAwait at the most, or 10 s where it has no deadline. The error is a 504
// where the time was not enough.
func (c *Client) await(ctx context.Context, path []string, condition url.Values, into any) error {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		left -= min(left/10, time.Second)
		condition.Set("timeout", min(max(left.Truncate(time.Millisecond), time.Millisecond), longestAwait).String())
	}
	return c.call(ctx, request{method: http.MethodGet, path: path, query: condition}, into)
}
