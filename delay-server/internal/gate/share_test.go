package gate_test

import (
	"errors"
	"net/netip"
	"testing"

	"flash.test/delay-server/internal/gate"
)

func TestShares(t *testing.T) {
	for _, tc := range []struct {
		name        string
		first, then string // addresses
		want        error  // of then, after first has its share of 2 of 3
	}{
		{"another client", "192.0.2.1", "192.0.2.2", nil},
		{"the same client", "192.0.2.1", "192.0.2.1", gate.ErrShareFull},
		{"the same client, IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.1", gate.ErrShareFull},
		{"the same /64", "2001:db8::1", "2001:db8::2", gate.ErrShareFull},
		{"the same link", "fe80::1%eth0", "fe80::1%eth1", gate.ErrShareFull},
		{"another /64", "2001:db8::1", "2001:db8:0:1::1", nil},
	} {
		s := gate.NewShares(3, 2)
		first, then := s.Client(netip.MustParseAddr(tc.first)), s.Client(netip.MustParseAddr(tc.then))
		for range 2 {
			if err := first.Enter(); err != nil {
				t.Fatalf("%s: Enter within the share: %v", tc.name, err)
			}
		}
		if err := then.Full(); !errors.Is(err, tc.want) {
			t.Errorf("%s: Full() = %v, want %v", tc.name, err, tc.want)
		}
		if err := then.Enter(); !errors.Is(err, tc.want) {
			t.Errorf("%s: Enter() = %v, want %v", tc.name, err, tc.want)
		} else if err == nil {
			if err := then.Enter(); !errors.Is(err, gate.ErrFull) {
				t.Errorf("%s: Enter() beyond the limit = %v, want %v", tc.name, err, gate.ErrFull)
			}
		}
		first.Leave()
		if err := first.Enter(); err != nil {
			t.Errorf("%s: Enter() after Leave() = %v, want nil", tc.name, err)
		}
	}
}

func TestSharesForgetClients(t *testing.T) {
	s := gate.NewShares(3, 2)
	one := s.Client(netip.Addr{})
	if two := s.Client(netip.Addr{}); two != one {
		t.Error("two clients of one address are not the same")
	} else {
		two.Release()
	}
	one.Release()
	if s.Client(netip.Addr{}) == one {
		t.Error("a client is kept after its last Release")
	}
}
