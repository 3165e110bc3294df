package forward

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// addressError rejects an address to connect to.
type addressError struct{ addr netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("address %v is neither public nor listed", e.addr)
}

// check implements net.Dialer.Control. It checks the resolved address right before the
// connection, so the name cannot resolve to another address in between. The error is an
// *addressError.
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
	return &addressError{addr}
}

// isPublic reports whether addr, which must be unmapped, is a global address and
// contains no other address.
func isPublic(addr netip.Addr) bool {
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(r netip.Prefix) bool { return r.Contains(addr) })
}

// globalUnicast is the part of IPv6 that is assigned so far (RFC 4291). Outside are
// ::1, fc00::/7 and fe80::/10, and the ranges that contain IPv4 addresses:
// ::ffff:0:0/96, and 64:ff9b::/96 and 64:ff9b:1::/48 of NAT64.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// special are the ranges of IPv4 and globalUnicast that are not globally reachable
// by IANA's registries of special-purpose addresses, and 6to4, multicast and one of
// Azure's. They contain the metadata services of clouds: 169.254.169.254,
// 100.100.100.200 and 192.0.0.192.
var special = prefixes(
	"0.0.0.0/8",        // this host
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host; looks public
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
