// Package forward forwards a request to another server and its response to the
// client. It connects only to public addresses and to addresses in PROXY_HOSTS.
package forward

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// Proxy forwards requests. Use New.
type Proxy struct {
	addresses []netip.Prefix
	timeout   time.Duration
	log       *slog.Logger
	dialer    *net.Dialer
	transport *http.Transport
	buffers   buffers
}

// New returns a proxy that connects to public addresses and to the listed ones. A
// server has timeout to accept the connection, again to take each part of the
// request, and again to begin its response.
func New(addresses []netip.Prefix, timeout time.Duration, log *slog.Logger) *Proxy {
	p := &Proxy{addresses: addresses, timeout: timeout, log: log}
	p.dialer = &net.Dialer{Timeout: timeout, Control: p.check}
	p.transport = &http.Transport{
		Proxy:                 nil, // a proxy of the environment would resolve the name again
		DialContext:           p.dial,
		DisableCompression:    true, // the body is forwarded unchanged
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   timeout,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: timeout,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,

		MaxResponseHeaderBytes: 1 << 20,
	}
	return p
}

// Close closes idle connections.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

// Serve forwards r to target and the response to w, each part as it arrives. It
// follows no redirect. Headers already set on w stay. If it returns an error,
// nothing has been sent: the error is the cause of r's context if that is done, or
// wraps a *problem.Problem: UpstreamNotAllowed, UpstreamFailed, UpstreamTimeout or
// one of r's body. If the response breaks off, Serve panics with
// http.ErrAbortHandler.
//
// There is no limit on hops: if the server forwards to itself, the URL's path has
// the remaining hops, and each hop makes it shorter.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, target *url.URL) (err error) {
	own := w.Header().Clone()
	reverse := httputil.ReverseProxy{
		Transport: p.transport,
		Rewrite:   func(pr *httputil.ProxyRequest) { setRequest(pr.Out, target) },
		ModifyResponse: func(reply *http.Response) error {
			setResponse(reply, own)
			clear(w.Header())
			w.Header()["Content-Type"] = nil // net/http must not guess one
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, failure error) {
			restore(w.Header(), own) // an informational response clears it
			if r.Context().Err() != nil {
				err = context.Cause(r.Context())
				return
			}
			err = p.upstreamError(failure, target.Host)
		},
		FlushInterval: -1,
		BufferPool:    &p.buffers,
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	reverse.ServeHTTP(&informational{ResponseWriter: w, own: own, dropped: !r.ProtoAtLeast(1, 1)}, r)
	return err
}

// dial connects to an address that check accepts.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{c, p.timeout}, nil
}

// conn is a connection whose every Write has timeout: while a client's body is
// unread net/http does not notice that the client leaves, so nothing else would end
// the Write.
type conn struct {
	net.Conn
	timeout time.Duration
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// buffers are the buffers that responses are copied through.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
