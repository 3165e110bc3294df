package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"flash.test/delay-server/kit/problem"
)

// Client calls the admin API of one server. It may be used by several
// goroutines at once. Use New.
type Client struct {
	base  string // without a slash at its end
	token string
	http  http.Client
}

// Option is a choice that New takes.
type Option func(*Client)

// WithToken sends token, the server's ADMIN_TOKEN, with each request.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// WithHTTPClient sends requests as h does, which may not be nil, but for
// redirects: none is followed. A Timeout of h ends the Await calls too.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = *h } }

// transport is that of all clients without WithHTTPClient. It takes no proxy
// from the environment: the server is the test's own, and its token nobody else's.
var transport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
}()

// New returns the client of the server at base, such as http://127.0.0.1:3000,
// with a path where the server is behind one. It makes no request. The error is
// that base is no http or https URL, or has a user, a query or a fragment.
func New(base string, opts ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, unaccepted(base)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(base, "?#") {
		return nil, unaccepted(u.Redacted())
	}
	c := &Client{base: strings.TrimRight(base, "/"), http: http.Client{Transport: transport}}
	for _, opt := range opts {
		opt(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func unaccepted(base string) error {
	return fmt.Errorf("base URL %s is not accepted; accepted: http://HOST:PORT or https://HOST:PORT, perhaps with a path", problem.Quote(base))
}
