// Package urlpath normalizes the paths of URLs, so that equivalent URLs are routed the
// same way.
package urlpath

import (
	"net/http"
	"net/url"
	"strings"
)

// Handler returns a handler that normalizes each request's path and calls next.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, Request(r)) })
}

// Request returns r with a normalized path. It returns r itself if that has one, or if
// it is a CONNECT without a path.
func Request(r *http.Request) *http.Request {
	if r.Method == http.MethodConnect && r.URL.Path == "" {
		return r
	}
	return WithURL(r, Normalize(r.URL))
}

// WithURL returns a copy of r with the URL u, or r itself if u is its URL.
func WithURL(r *http.Request, u *url.URL) *http.Request {
	if u == r.URL {
		return r
	}
	r = r.WithContext(r.Context()) // a copy
	r.URL = u
	return r
}

// Normalize returns u with a normalized path (RFC 3986, sections 6.2.2.2 and 6.2.3): no
// unreserved character is escaped, and the empty path is "/". Other escapes stay, so
// %2F does not become a slash. It returns u itself if nothing changes.
func Normalize(u *url.URL) *url.URL {
	switch {
	case u.Path == "":
		return WithPath(u, "/")
	case u.RawPath == "":
		return u // escaped as net/url escapes it
	}
	return WithPath(u, decodeUnreserved(u.EscapedPath()))
}

// WithPath returns a copy of u with the percent-encoded path.
func WithPath(u *url.URL, escaped string) *url.URL {
	c := *u
	c.Path, _ = url.PathUnescape(escaped) // escaped paths of net/url are valid
	c.RawPath = ""
	if c.EscapedPath() != escaped {
		c.RawPath = escaped
	}
	return &c
}

// decodeUnreserved decodes escaped unreserved characters.
func decodeUnreserved(path string) string {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c := unhex(path[i+1])<<4 | unhex(path[i+2]); isUnreserved(c) {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	default:
		return c&^0x20 - 'A' + 10
	}
}

// isUnreserved reports whether c is an unreserved character of RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
