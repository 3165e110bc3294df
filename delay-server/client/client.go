package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"flash.test/delay-server/kit/problem"
)

// A Client calls the admin API of one server. Create it with [New]. It is safe
// for concurrent use.
type Client struct {
	base  string // without trailing slash
	token string
	http  http.Client
}

// An Option configures a [Client].
type Option func(*Client)

// WithToken sends token with each request. It is the server's ADMIN_TOKEN.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithHTTPClient sends requests with a copy of h that follows no redirects. A
// Timeout of h ends the Await methods too. h must not be nil.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = *h } }

// transport is shared by all clients without WithHTTPClient. It ignores HTTP_PROXY:
// no proxy should see the token.
var transport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
}()

// New returns a client of the server at base, such as http://127.0.0.1:3000 or,
// behind a proxy, https://example.com/path. It makes no request. The error is
// non-nil if base is not an http or https URL, or has a user, query or fragment.
func New(base string, opts ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, invalidBase(base)
	}
	isHTTP := u.Scheme == "http" || u.Scheme == "https"
	if !isHTTP || u.Hostname() == "" || u.User != nil || strings.ContainsAny(base, "?#") {
		return nil, invalidBase(u.Redacted())
	}
	c := &Client{base: strings.TrimRight(base, "/"), http: http.Client{Transport: transport}}
	for _, opt := range opts {
		opt(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func invalidBase(base string) error {
	return fmt.Errorf("base URL %s is invalid: use http://HOST:PORT or https://HOST:PORT, with or without a path",
		problem.Quote(base))
}
