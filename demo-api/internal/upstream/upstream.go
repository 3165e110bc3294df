// Package upstream makes the slow calls: requests to delay-server, or to a server
// with the same API, and database queries.
package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/tracing"
)

// Client makes requests to one delay-server. Use New. It is safe for concurrent use.
type Client struct {
	// Token is the ADMIN_TOKEN of delay-server, which Peak sends, or "". It must
	// not change after the first request.
	Token string

	service   // its address is the base URL without a final slash
	transport *http.Transport
	traced    http.RoundTripper // wraps transport
}

// New returns a client of the delay-server at base, an http or https URL. A
// request that takes longer than timeout fails. The client keeps up to maxIdle
// idle connections; the number of active connections has no limit.
func New(base string, timeout time.Duration, maxIdle int) *Client {
	protocols := new(http.Protocols)
	// No HTTP/2: its streams would share the flow control of one connection and
	// the server's limit on streams.
	protocols.SetHTTP1(true)
	c := &Client{
		service: service{"delay-server", strings.TrimRight(base, "/"), timeout},
		transport: &http.Transport{
			// No proxy: the call is local, and Docker sets HTTP_PROXY in every
			// container if the engine is configured with one.
			Proxy:       nil,
			DialContext: (&net.Dialer{}).DialContext,
			Protocols:   protocols,
			// No MaxConnsPerHost: excess requests would queue. The default
			// MaxIdleConnsPerHost, 2, would close and redial all others.
			MaxIdleConnsPerHost: maxIdle,
			IdleConnTimeout:     maxIdleTime,
			// Compression saves bytes and costs time.
			DisableCompression: true,
		},
	}
	c.Trace(tracing.Tracing{})
	return c
}

// Trace makes t trace the requests. Call it before the first request. Without it,
// the traces of the contexts are passed on.
func (c *Client) Trace(t tracing.Tracing) { c.traced = t.Transport(c.transport) }

// maxIdleTime is the maximum time that a connection stays open between requests.
// It is below the two minutes of delay-server, which could close a connection
// while a request is on its way.
const maxIdleTime = 90 * time.Second

// KeepIdle closes connections that are idle for d, or for 90 s if that is less.
// Call it before the first request.
func (c *Client) KeepIdle(d time.Duration) { c.transport.IdleConnTimeout = min(d, maxIdleTime) }

// maxBody is the maximum number of bytes read from a response body. The
// connection of a longer response is closed instead of reused.
const maxBody = 1 << 20

// Request is a request for a delayed response.
type Request struct {
	Delay string  // in a form that delay-server reads
	RunID string  // sent as X-Run-Id
	Seed  *uint64 // of a random delay; nil for none
}

// Get makes a request and returns the status of the response, also if it is a
// redirect or an error. Without a response, the error is an *Error, or the cause
// of ctx once ctx is done.
func (c *Client) Get(ctx context.Context, r Request) (status int, err error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	address := c.address + "/delay/" + url.PathEscape(r.Delay) + "/"
	if r.Seed != nil {
		address += "?seed=" + strconv.FormatUint(*r.Seed, 10)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, fmt.Errorf("create a request for delay %q: %w", r.Delay, err)
	}
	req.Header.Set("X-Run-Id", r.RunID)
	// RoundTrip follows no redirects and keeps no cookies.
	resp, err := c.traced.RoundTrip(req)
	if err != nil {
		return 0, c.wrap(ctx, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		return 0, c.wrap(ctx, err)
	}
	return resp.StatusCode, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
