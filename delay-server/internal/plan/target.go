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

// HostList is a list of hosts: names, "*.example.com" for all names below example.com,
// addresses, address ranges such as "10.0.0.0/8", "*" for any host, and "none" for no
// host. The zero value allows no host.
type HostList []string

// Allows reports whether l allows host, an address or a name in lower case.
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

// Addresses returns the addresses and address ranges of l.
func (l HostList) Addresses() []netip.Prefix {
	var addresses []netip.Prefix
	for _, pattern := range l {
		if p := prefix(pattern); p.IsValid() {
			addresses = append(addresses, p)
		}
	}
	return addresses
}

// prefix parses an address range, or an address as a range of one. It returns the zero
// Prefix, which contains nothing, for any other pattern.
func prefix(pattern string) netip.Prefix {
	if addr, err := netip.ParseAddr(pattern); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(pattern)
	if err != nil || p.Addr().Is4In6() { // Allows unmaps addresses
		return netip.Prefix{}
	}
	return p.Masked()
}

// targetKind is the use of a URL in a path.
type targetKind struct{ name, setting string }

var (
	redirecting = targetKind{"redirect", "REDIRECT_HOSTS"}
	proxying    = targetKind{"proxy", "PROXY_HOSTS"}
)

// target parses the URL in the rest of a path, and adds the query. The result is built
// from the checked parts, so a browser sees the same host in it. If the text up to the
// first slash is percent-encoded, target decodes the whole text once, as after
// encodeURIComponent. The error is a *problem.Problem, 400 or 403.
func (l HostList) target(rest, query string, kind targetKind) (*url.URL, error) {
	text := rest
	if host, _, _ := strings.Cut(text, "/"); strings.Contains(host, "%") {
		text, _ = url.PathUnescape(text) // a path has only valid escapes
	}
	refuse := func(reason string) (*url.URL, error) {
		return nil, problem.InvalidTarget.New(
			"%s target %s is invalid (%s): use host, host/path or an http or https URL",
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
	// control matches control characters, which browsers strip from a URL. dangerous
	// also matches the backslash, which browsers read as a slash. Both match encoded
	// characters too. With them, a browser could see another host than the checked one.
	control   = regexp.MustCompile(`(?i)[\x00-\x1f\x7f]|%([01][0-9a-f]|7f)`)
	dangerous = regexp.MustCompile(`(?i)[\x00-\x1f\x7f\\]|%([01][0-9a-f]|7f|5c)`)

	scheme      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	hostAndPort = regexp.MustCompile(`^[A-Za-z0-9.-]+:[0-9]{1,5}([/?#]|$)`)

	// plainHost has only characters that a browser's IDNA leaves unchanged.
	plainHost = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

// escape percent-encodes the characters that net/url keeps but a query may not have
// (RFC 3986, section 3.4).
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

// hasScheme reports whether s has a scheme: javascript:alert(1) does, localhost:8080
// does not.
func hasScheme(s string) bool { return scheme.MatchString(s) && !hostAndPort.MatchString(s) }
