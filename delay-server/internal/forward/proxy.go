// Package forward gives the answer of another server to a request. It connects to
// public addresses and to those that it is told of, and to no others.
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

// Proxy passes requests on and their replies back. Use New.
type Proxy struct {
	addresses []netip.Prefix
	timeout   time.Duration
	log       *slog.Logger
	dialer    *net.Dialer
	transport *http.Transport
	buffers   buffers
}

// New returns a proxy that connects to public addresses and to those listed,
// and fails where a server does not take the connection, or a part of the
// request, or begin its reply within timeout.
func New(addresses []netip.Prefix, timeout time.Duration, log *slog.Logger) *Proxy {
	p := &Proxy{addresses: addresses, timeout: timeout, log: log}
	p.dialer = &net.Dialer{Timeout: timeout, Control: p.check}
	p.transport = &http.Transport{
		Proxy:                 nil, // one of the environment's would resolve the name again
		DialContext:           p.dial,
		DisableCompression:    true, // the body stays as it comes
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

// Close closes the connections that are kept for later requests.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

// Serve passes r on to target and the reply back to w, each part as it comes. A
// redirect is passed back, never followed. Headers that are set on w stay. The
// error, with which nothing has been sent, is the cause of r's context where that
// is done, else wraps a *problem.Problem: 403, 502 or 504, or that of r's body.
// A reply that breaks off is ended by a panic with http.ErrAbortHandler.
//
// There is no bound on hops: a server that is told to ask itself finds the rest
// of the hops in the URL's path, which each hop makes shorter.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, target *url.URL) (err error) {
	own := w.Header().Clone()
	reverse := httputil.ReverseProxy{
		Transport: p.transport,
		Rewrite:   func(pr *httputil.ProxyRequest) { setRequest(pr.Out, target) },
		ModifyResponse: func(reply *http.Response) error {
			setReply(reply, own)
			clear(w.Header())
			w.Header()["Content-Type"] = nil // net/http guesses none where the reply has none
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, failure error) {
			restore(w.Header(), own) // an informational reply clears it
			if r.Context().Err() != nil {
				err = context.Cause(r.Context())
				return
			}
			err = p.failed(failure, target.Host)
		},
		FlushInterval: -1,
		BufferPool:    &p.buffers,
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	reverse.ServeHTTP(&informational{ResponseWriter: w, own: own, dropped: !r.ProtoAtLeast(1, 1)}, r)
	return err
}

// dial connects to an address that check lets pass.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{c, p.timeout}, nil
}

// conn fails where the other side does not take what is written within timeout:
// net/http does not see the client leave as long as its body is not read, and
// so nothing else would end that.
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

// buffers are what replies are copied through.
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
