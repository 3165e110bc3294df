package forward

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// refusedError is the refusal to connect to an address.
type refusedError struct{ addr netip.Addr }

func (e *refusedError) Error() string {
	return fmt.Sprintf("%v is neither public nor listed", e.addr)
}

// check is a net.Dialer's Control: it sees each address that a name has been
// resolved to right before the connection to that very address, so that there is
// no second resolution by which a name could lead elsewhere. The error is a
// *refusedError.
func (p *Proxy) check(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	addr := to.Addr().WithZone("").Unmap()
	listed := func(r netip.Prefix) bool { return r.Contains(addr) }
	if isPublic(addr) || slices.ContainsFunc(p.addresses, listed) {
		return nil
	}
	return &refusedError{addr}
}

// isPublic reports whether addr, which must be unmapped, is one of the Internet
// at large and leads to no other address within it.
func isPublic(addr netip.Addr) bool {
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(r netip.Prefix) bool { return r.Contains(addr) })
}

// globalUnicast is all of IPv6 that the Internet is made of so far (RFC 4291).
// Outside are ::1, fc00::/7 and fe80::/10, and, with IPv4 addresses within,
// ::ffff:0:0/96 and the NAT64 of 64:ff9b::/96 and 64:ff9b:1::/48.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// special are the ranges of IPv4 and globalUnicast that IANA's registries of
// special-purpose addresses do not call globally reachable, with 6to4, multicast
// and one more. A cloud's metadata are at 169.254.169.254, 100.100.100.200 or
// 192.0.0.192, which are within.
var special = prefixes(
	"0.0.0.0/8",        // this host
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host, which looks public
	"169.254.0.0/16",   // link-local
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"2001::/23",        // protocol assignments: Teredo, benchmarking, ORCHID
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4
	"3fff::/20",        // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
