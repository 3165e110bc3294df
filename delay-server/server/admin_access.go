package server

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// noToken is the ADMIN_TOKEN that lets every client write.
const noToken = "none"

// crossOrigin refuses writes that a page of another origin makes a browser send.
var crossOrigin = http.NewCrossOriginProtection()

// access decides which requests the admin API accepts.
type access struct {
	token    string        // guards writes; "" if every client may write
	operator bool          // token is ADMIN_TOKEN, and guards reads too
	hosts    plan.HostList // accepted in Host without an operator's token, besides those that isLocalName accepts
}

// newAccess returns the access rules of config. A server that listens beyond
// loopback without an ADMIN_TOKEN gets a random token.
func newAccess(config Config) access {
	a := access{hosts: config.AdminHosts}
	switch {
	case !config.Admin || config.AdminToken == noToken:
	case config.AdminToken != "":
		a.token, a.operator = config.AdminToken, true
	case !isLoopback(config.Host):
		a.token = rand.Text()
	}
	return a
}

// AdminToken returns the token that writes to the admin API need: ADMIN_TOKEN, or
// the random one of a server that listens beyond loopback without it. It is ""
// if every client may write.
func (s *Server) AdminToken() string { return s.access.token }

// check returns why r is not accepted, of status 401 or 403, or nil.
func (a access) check(r *http.Request) *problem.Problem {
	if !a.operator && !a.acceptsHost(r.Host) {
		// DNS may have rebound the name of a hostile page to this server: to the
		// browser, that page and this server are one origin.
		return problem.New(http.StatusForbidden, "host %s is not accepted by the admin API; use an IP address, localhost or a name without dots, "+
			"or have the server's ADMIN_HOSTS list this host or its ADMIN_TOKEN set", problem.Quote(r.Host))
	}
	if crossOrigin.Check(r) != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// The page could not read the response, but the request could still
		// occupy one of the places for requests that wait.
		return problem.New(http.StatusForbidden, "a page of another origin may not ask here; accepted: a request that no page sends, or one of this origin")
	}
	switch {
	case a.token == "" || a.hasToken(r):
		return nil
	case a.operator:
		return problem.New(http.StatusUnauthorized, "the admin API needs a token; send Authorization: Bearer TOKEN, where TOKEN is the server's ADMIN_TOKEN")
	case isWrite(r.Method):
		return problem.New(http.StatusUnauthorized, "writing to the admin API needs a token; send Authorization: Bearer TOKEN, where TOKEN is the one that the server "+
			"logged at its start, or set ADMIN_TOKEN on the server to choose one (ADMIN_TOKEN=none lets every client write)")
	default:
		return nil
	}
}

// isWrite reports whether a request of this method changes something.
func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// hasToken compares in a time that depends on nothing but the token's length.
func (a access) hasToken(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(a.token)) == 1
}

// acceptsHost reports whether a Host header has a host that no public DNS name
// is, or one of ADMIN_HOSTS.
func (a access) acceptsHost(header string) bool {
	u, err := url.Parse("http://" + header)
	if err != nil || u.Host != header { // user information, a path, an escape, ...
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return isLocalName(host) || a.hosts.Allows(host)
}

// label is a name without dots, such as localhost or a service of Compose.
var label = regexp.MustCompile(`^[a-z0-9_-]+$`)

// isLocalName reports whether host, in lower case, is an IP address or a name without dots.
func isLocalName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || label.MatchString(host)
}

// isLoopback reports whether host, of the setting HOST, is localhost or a
// loopback address. Any other name could resolve to anything.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(program.Unbracket(host), ".")
	addr, _ := netip.ParseAddr(host)
	return strings.EqualFold(host, program.Localhost) || addr.Unmap().IsLoopback()
}
