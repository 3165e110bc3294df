package httpkit

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"flash.test/delay-server/kit/problem"
)

// crossOrigin rejects writes that a page of another origin makes a browser send.
var crossOrigin = http.NewCrossOriginProtection()

// CheckOrigin returns the problem of r if a page makes a browser send it: a page of
// another origin a write or, from a script, a read; a page of another site any request.
// Otherwise it returns nil.
func CheckOrigin(r *http.Request) *problem.Problem {
	// A response to a read is unreadable cross-origin, but its request may occupy a place.
	// Browsers send Sec-Fetch-Site only to https and loopback, but Origin for a script.
	checked := r
	if r.Header.Get("Origin") != "" {
		checked = r.WithContext(r.Context()) // a copy
		checked.Method = http.MethodPost
	}
	if crossOrigin.Check(checked) != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return problem.CrossOrigin.New("request comes from a page of another origin")
	}
	return nil
}

// CheckOriginAsWrite is CheckOrigin for a request that has effects, whatever its method.
func CheckOriginAsWrite(r *http.Request) *problem.Problem {
	r = r.WithContext(r.Context()) // a copy
	r.Method = http.MethodPost
	return CheckOrigin(r)
}

// HostName returns the host in a Host header, in lower case and without its port. It
// reports whether the header is valid.
func HostName(header string) (host string, valid bool) {
	u, err := url.Parse("http://" + header)
	if err != nil || u.Host != header { // user information, a path, an escape, ...
		return "", false
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), true
}

// label matches a name without dots, such as localhost or a service of Compose.
var label = regexp.MustCompile(`^[a-z0-9_-]+$`)

// IsLocalName reports whether the result of HostName is an IP address or a name without
// dots. Any other name may be public: a hostile page can point its own name at this
// server (DNS rebinding), and the browser then sees one origin.
func IsLocalName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || label.MatchString(host)
}
