package forward

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// setRequest directs the request to target. It forwards all headers, Authorization
// too, except hop-by-hop headers and these:
//   - Forwarded, X-Forwarded-… and X-Real-Ip: any client can forge them, and the
//     target may trust a host near it. None are added: the target need not know
//     the client.
//   - Cookie: browsers keep cookies by host, so these belong to this host, all its
//     ports and all targets.
//   - Upgrade: only HTTP is forwarded, and any server may ignore it.
func setRequest(out *http.Request, target *url.URL) {
	u := *target // shared with other requests
	out.URL, out.Host = &u, u.Host
	for name := range out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") {
			out.Header.Del(name)
		}
	}
	for _, name := range []string{"X-Real-Ip", "Cookie", "Connection", "Upgrade"} {
		out.Header.Del(name)
	}
}

// hostHeaders are headers that affect a browser's other requests to the same host. The
// browser would apply them to this server instead of the target.
var hostHeaders = []string{
	"Alt-Svc", "Clear-Site-Data", "Nel", "Origin-Agent-Cluster", "Public-Key-Pins", "Report-To", "Reporting-Endpoints",
	"Service-Worker-Allowed", "Set-Cookie", "Strict-Transport-Security", "Timing-Allow-Origin",
}

// filter removes hostHeaders and Access-Control-… from a target's header or trailer.
func filter(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		name = http.CanonicalHeaderKey(strings.TrimPrefix(name, http.TrailerPrefix))
		return slices.Contains(hostHeaders, name) || strings.HasPrefix(name, "Access-Control-")
	})
}

// setResponse makes the target's response this server's. own headers replace the
// target's; the lists Server-Timing and Vary are joined. The target's pages are
// sandboxed, since they would run with this server's origin.
func setResponse(reply *http.Response, own http.Header) {
	h := reply.Header
	filter(h)
	filter(reply.Trailer)
	reply.Body = &trailed{reply.Body, reply}
	for name, values := range own {
		if name == "Server-Timing" || name == "Vary" {
			values = slices.Concat(values, h[name])
		}
		h[name] = values
	}
	h.Add("Content-Security-Policy", "sandbox")
	if location, err := reply.Location(); err == nil {
		h.Set("Location", location.String()) // relative to the target, not to this server
	}
}

// trailed filters the trailer of a response when the body has ended.
type trailed struct {
	io.ReadCloser
	reply *http.Response
}

// Close implements io.Closer.
func (t *trailed) Close() error {
	err := t.ReadCloser.Close()
	filter(t.reply.Trailer)
	return err
}

// informational filters the informational responses of a target, and drops them for
// HTTP/1.0, which has none (RFC 9110, section 15.2).
type informational struct {
	http.ResponseWriter
	own     http.Header
	dropped bool
}

// WriteHeader implements http.ResponseWriter.
func (w *informational) WriteHeader(code int) {
	if code < http.StatusOK {
		if w.dropped {
			return
		}
		h := w.Header()
		filter(h)
		maps.Copy(h, w.own)
		h.Add("Content-Security-Policy", "sandbox")
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap implements the interface of http.ResponseController.
func (w *informational) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func restore(h, own http.Header) {
	clear(h)
	maps.Copy(h, own)
}
