package admin

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// NoToken is the ADMIN_TOKEN that lets every client write.
const NoToken = "none"

// access decides which requests the API accepts.
type access struct {
	token      string        // guards writes; "" if every client may write
	guardsRead bool          // token is ADMIN_TOKEN, which guards reads too
	hosts      plan.HostList // accepted in Host, besides local names, if no token guards reads
}

// newAccess returns the access rules of a server that listens on host. Beyond
// loopback, it makes a random token if adminToken is "".
func newAccess(host, adminToken string, hosts plan.HostList) access {
	a := access{hosts: hosts}
	switch {
	case adminToken == NoToken:
	case adminToken != "":
		a.token, a.guardsRead = adminToken, true
	case !program.IsLoopback(host):
		a.token = rand.Text()
	}
	return a
}

// check returns the problem if r is rejected, with status 401 or 403, or nil.
func (a access) check(r *http.Request) *problem.Problem {
	if !a.guardsRead && !a.acceptsHost(r.Host) {
		// DNS may have rebound the name of a hostile page to this server: to the
		// browser, that page and this server are one origin.
		return problem.HostNotAllowed.New("host %s is not allowed; use an IP address, localhost or a name without "+
			"dots, add the host to ADMIN_HOSTS, or set ADMIN_TOKEN", problem.Quote(r.Host))
	}
	if p := httpkit.CheckOrigin(r); p != nil {
		return p
	}
	switch {
	case a.token == "" || a.hasToken(r):
		return nil
	case a.guardsRead:
		return problem.TokenRequired.New("token required: send Authorization: Bearer with the server's ADMIN_TOKEN")
	case isWrite(r.Method):
		return problem.TokenRequired.New("token required to write: send Authorization: Bearer with the token " +
			"that the server logged when it started, or set ADMIN_TOKEN")
	default:
		return nil
	}
}

// isWrite reports whether a request of this method changes something.
func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// hasToken compares in a time that depends only on the token's length.
func (a access) hasToken(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(a.token)) == 1
}

// acceptsHost reports whether a Host header has a host that cannot be a public DNS
// name, or one of ADMIN_HOSTS.
func (a access) acceptsHost(header string) bool {
	host, valid := httpkit.HostName(header)
	return valid && (httpkit.IsLocalName(host) || a.hosts.Allows(host))
}
