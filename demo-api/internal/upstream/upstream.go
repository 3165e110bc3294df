// Package upstream is what a call does: it asks delay-server, or whatever
// speaks like it, for a slow answer, or a database.
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

// Client asks one delay-server. Use New; any number of goroutines may share it.
type Client struct {
	// Token is delay-server's ADMIN_TOKEN, which Peak sends; "" for none. It is
	// set before the first use.
	Token string

	peer      // its address is the base URL, with no slash at its end
	transport *http.Transport
	traced    http.RoundTripper // by transport
}

// New returns a client of the delay-server at base, an http or https URL. A
// request that takes longer than timeout fails. As many as idle connections
// are kept for the next requests; there is no limit on those in use.
func New(base string, timeout time.Duration, idle int) *Client {
	protocols := new(http.Protocols)
	// HTTP/1 alone: over HTTP/2 the streams of one connection would share its
	// flow control and the peer's limit on streams.
	protocols.SetHTTP1(true)
	c := &Client{
		peer: peer{"delay-server", strings.TrimRight(base, "/"), timeout},
		transport: &http.Transport{
			// No proxy: the call is local, and Docker hands HTTP_PROXY to
			// every container of an engine that is configured with one.
			Proxy:       nil,
			DialContext: (&net.Dialer{}).DialContext,
			Protocols:   protocols,
			// No MaxConnsPerHost: requests beyond it would queue. The default
			// of two idle connections would close and dial again all others.
			MaxIdleConnsPerHost: idle,
			IdleConnTimeout:     maxIdle,
			// What a compressed answer saves in bytes it costs in time.
			DisableCompression: true,
		},
	}
	c.Trace(tracing.Tracing{})
	return c
}

// Trace has the requests be part of the traces of their contexts. It is called
// before the first of them; without it their traces are passed on.
func (c *Client) Trace(t tracing.Tracing) { c.traced = t.Transport(c.transport) }

// maxIdle is how long a connection is kept between requests at the most:
// delay-server closes them after two minutes, while a request may be on its way.
const maxIdle = 90 * time.Second

// KeepIdle has connections closed that had no request for d, or for 90 s if that
// is less. It is called before the first request.
func (c *Client) KeepIdle(d time.Duration) { c.transport.IdleConnTimeout = min(d, maxIdle) }

// maxBody is how much of an answer's body is read, in bytes, to free its
// connection for another request; one with more to say is closed instead.
const maxBody = 1 << 20

// Request says how late an answer is asked for.
type Request struct {
	Delay string  // in any form that delay-server reads
	RunID string  // the run that the request is part of
	Seed  *uint64 // what is drawn is drawn by it; nil for none
}

// Get makes the request and returns the status of the answer, be it a success, a
// redirect or an error. Without an answer the error is an *Error, or, when ctx is
// done, an error of that.
func (c *Client) Get(ctx context.Context, r Request) (status int, err error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	address := c.address + "/delay/" + url.PathEscape(r.Delay) + "/"
	if r.Seed != nil {
		address += "?seed=" + strconv.FormatUint(*r.Seed, 10)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, fmt.Errorf("make a request of delay %q: %w", r.Delay, err)
	}
	req.Header.Set("X-Run-Id", r.RunID)
	// RoundTrip is one request and one answer: no redirects, no cookies.
	reply, err := c.traced.RoundTrip(req)
	if err != nil {
		return 0, c.failure(ctx, err)
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(reply.Body, maxBody)); err != nil {
		return 0, c.failure(ctx, err)
	}
	return reply.StatusCode, nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
