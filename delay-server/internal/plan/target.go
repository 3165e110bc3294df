package plan

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"flash.test/delay-server/kit/problem"
)

// HostList is a list of hosts: "*" for any, "none" for none, or
// names, "*.example.com" for all below example.com, and addresses or ranges of
// them, "10.0.0.0/8". The zero value is none.
type HostList []string

// Allows reports whether l has host, an address or a name in lower case.
func (l HostList) Allows(host string) bool {
	addr, _ := netip.ParseAddr(host)
	for _, pattern := range l {
		if pattern = strings.ToLower(pattern); pattern == "none" {
			continue
		}
		suffix, wild := strings.CutPrefix(pattern, "*")
		if pattern == "*" || pattern == host || wild && strings.HasPrefix(suffix, ".") &&
			strings.HasSuffix(host, suffix) {
			return true
		}
		if prefix(pattern).Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// Addresses returns the entries of l that are addresses or ranges of them.
func (l HostList) Addresses() []netip.Prefix {
	var addresses []netip.Prefix
	for _, pattern := range l {
		if p := prefix(pattern); p.IsValid() {
			addresses = append(addresses, p)
		}
	}
	return addresses
}

// prefix reads an address as the range of it alone. It returns the zero Prefix,
// which contains nothing, for what is neither an address nor a range.
func prefix(pattern string) netip.Prefix {
	if addr, err := netip.ParseAddr(pattern); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(pattern)
	if err != nil || p.Addr().Is4In6() { // no address is compared in that form
		return netip.Prefix{}
	}
	return p.Masked()
}

// targetKind is what a URL in a path is for.
type targetKind struct{ name, setting string }

var (
	redirecting = targetKind{"redirect", "REDIRECT_HOSTS"}
	proxying    = targetKind{"proxy", "PROXY_HOSTS"}
)

// target returns the URL that is the rest of a path, with the path's query. It is
// made anew from what was checked, so that a browser reads the same host in it. A
// target of which the host, or a scheme and what follows it up to the first slash,
// is percent-encoded was so as a whole, as encodeURIComponent does it, and is
// decoded once. The error is a *problem.Problem, 400 or 403.
func (l HostList) target(rest, query string, kind targetKind) (*url.URL, error) {
	text := rest
	if host, _, _ := strings.Cut(text, "/"); strings.Contains(host, "%") {
		text, _ = url.PathUnescape(text) // a path has valid escapes only
	}
	refuse := func(reason string) (*url.URL, error) {
		return nil, problem.InvalidTarget.New("%s target %s is invalid (%s)"+
			": use host, host/path or an http or https URL",
			kind.name, problem.Quote(rest), reason)
	}
	if dangerous.MatchString(text) || control.MatchString(query) {
		return refuse("it has a control character or a backslash")
	}
	if !hasScheme(text) {
		text = "http://" + text
	}
	t, err := url.Parse(text)
	switch {
	case err != nil:
		return refuse("not a URL")
	case t.Scheme != "http" && t.Scheme != "https":
		return refuse("its scheme is not http or https")
	case t.Hostname() == "":
		return refuse("it has no host")
	case t.User != nil:
		return refuse("it has user information")
	case !plainHost.MatchString(t.Host):
		return refuse("its host is not plain ASCII")
	case t.Port() != "" && !isPort(t.Port()):
		return refuse("its port is not from 1 to 65535")
	case !l.Allows(strings.ToLower(t.Hostname())):
		return nil, problem.TargetNotAllowed.New("%s to host %s is not allowed; add it to %s",
			kind.name, problem.Quote(strings.ToLower(t.Hostname())), kind.setting)
	}
	t.RawQuery = escape(strings.Trim(t.RawQuery+"&"+query, "&"))
	return t, nil
}

var (
	// control and dangerous match, as they are and percent-encoded, what browsers
	// strip from a URL (control characters) and what they read as a slash (the
	// backslash): the host that they see could be another than the one checked.
	control   = regexp.MustCompile(`(?i)[\x00-\x1f\x7f]|%([01][0-9a-f]|7f)`)
	dangerous = regexp.MustCompile(`(?i)[\x00-\x1f\x7f\\]|%([01][0-9a-f]|7f|5c)`)

	scheme      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	hostAndPort = regexp.MustCompile(`^[A-Za-z0-9.-]+:[0-9]{1,5}([/?#]|$)`)

	// plainHost has no character that a browser's IDNA would turn into another.
	plainHost = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

// escape percent-encodes what may not stand in a query as it is (RFC 3986,
// section 3.4), which net/url leaves there.
func escape(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// hasScheme tells javascript:alert(1) from localhost:8080.
func hasScheme(s string) bool { return scheme.MatchString(s) && !hostAndPort.MatchString(s) }
