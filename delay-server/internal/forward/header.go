package forward

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// setRequest directs the request to target. All of its headers are passed on,
// Authorization too, but those that are about this server's connection and
// these:
//   - Forwarded, X-Forwarded-… and X-Real-Ip, which anyone can write and which
//     the target may believe of a host near it. None are made either: whose
//     request this was is not the target's business.
//   - Cookie: a browser keeps cookies by host, so that these are of this host,
//     all its ports and all targets.
//   - Upgrade: no protocol but HTTP is passed on, and any server may ignore it.
func setRequest(out *http.Request, target *url.URL) {
	u := *target // which other requests share
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

// ofItsHost are headers by which a browser would do something to all that comes
// from a host, and this server's is not the target's.
var ofItsHost = []string{
	"Alt-Svc", "Clear-Site-Data", "Nel", "Origin-Agent-Cluster", "Public-Key-Pins", "Report-To", "Reporting-Endpoints",
	"Service-Worker-Allowed", "Set-Cookie", "Strict-Transport-Security", "Timing-Allow-Origin",
}

// filter removes from h, be it of an informational reply, of the reply or its
// trailer, what a target may not say to a browser about this server's host.
func filter(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		name = http.CanonicalHeaderKey(strings.TrimPrefix(name, http.TrailerPrefix))
		return slices.Contains(ofItsHost, name) || strings.HasPrefix(name, "Access-Control-")
	})
}

// setReply makes the target's reply this server's, whose own headers stay, those
// that are lists (Server-Timing, Vary) in front of the target's. The pages of a
// target run as nobody, since they would as this server's own.
func setReply(reply *http.Response, own http.Header) {
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
		h.Set("Location", location.String()) // from the target's URL, not from this server's
	}
}

// trailed filters the trailer of a reply, which is there once the body has ended.
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

// informational filters the informational replies of a target, and drops them
// where the client speaks HTTP/1.0, which has none (RFC 9110, section 15.2).
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

// Unwrap returns the writer within, for http.ResponseController.
func (w *informational) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func restore(h, own http.Header) {
	clear(h)
	maps.Copy(h, own)
}
