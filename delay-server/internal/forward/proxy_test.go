package forward

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestCheck(t *testing.T) {
	const listed = "10.1.2.3/32 127.0.0.0/8 fd00::/8"
	for _, tc := range []struct {
		name, addr, listed string
		allowed            bool
	}{
		{"public", "93.184.215.14", "", true},
		{"public, IPv6", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "", true},
		{"public, mapped into IPv6", "::ffff:93.184.215.14", "", true},
		{"just below private", "9.255.255.255", "", true},
		{"just above private", "172.32.0.0", "", true},
		{"just below carrier-grade NAT", "100.63.255.255", "", true},
		{"just below benchmarking", "198.17.255.255", "", true},

		{"loopback", "127.0.0.1", "", false},
		{"loopback, not its first address", "127.255.255.254", "", false},
		{"loopback, IPv6", "::1", "", false},
		{"loopback, mapped into IPv6", "::ffff:127.0.0.1", "", false},
		{"loopback, IPv4-compatible", "::127.0.0.1", "", false},
		{"loopback by NAT64", "64:ff9b::127.0.0.1", "", false},
		{"loopback by a network's own NAT64", "64:ff9b:1::127.0.0.1", "", false},
		{"loopback by 6to4", "2002:7f00:1::", "", false},
		{"loopback by Teredo", "2001::80ff:fffe", "", false},
		{"unspecified, which connects to loopback", "0.0.0.0", "", false},
		{"unspecified, IPv6", "::", "", false},
		{"this network", "0.1.2.3", "", false},
		{"private, class A", "10.0.0.1", "", false},
		{"private, class B", "172.16.0.1", "", false},
		{"private, class B, its end", "172.31.255.255", "", false},
		{"private, class C", "192.168.1.1", "", false},
		{"private, mapped into IPv6", "::ffff:192.168.1.1", "", false},
		{"unique local", "fd12:3456::1", "", false},
		{"site-local, deprecated", "fec0::1", "", false},
		{"link-local", "169.254.1.1", "", false},
		{"link-local, IPv6", "fe80::1", "", false},
		{"link-local with a zone", "fe80::1%eth0", "", false},
		{"carrier-grade NAT", "100.64.0.1", "", false},
		{"benchmarking", "198.18.0.1", "", false},
		{"benchmarking, IPv6", "2001:2::1", "", false},
		{"documentation", "192.0.2.1", "", false},
		{"documentation, IPv6", "2001:db8::1", "", false},
		{"multicast", "224.0.0.1", "", false},
		{"multicast, IPv6", "ff02::1", "", false},
		{"broadcast", "255.255.255.255", "", false},
		{"discard", "100::1", "", false},
		{"segment routing", "5f00::1", "", false},
		{"metadata of AWS, GCP and Azure", "169.254.169.254", "", false},
		{"metadata of AWS, IPv6", "fd00:ec2::254", "", false},
		{"metadata of Alibaba", "100.100.100.200", "", false},
		{"metadata of Oracle", "192.0.0.192", "", false},
		{"host of Azure", "168.63.129.16", "", false},

		{"listed by itself", "10.1.2.3", listed, true},
		{"listed by itself, mapped into IPv6", "::ffff:10.1.2.3", listed, true},
		{"listed by range", "127.0.0.1", listed, true},
		{"listed by range, IPv6", "fd12::1", listed, true},
		{"beside a listed one", "10.1.2.4", listed, false},
		{"listed in IPv4, asked by NAT64", "64:ff9b::10.1.2.3", listed, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var addresses []netip.Prefix
			for _, text := range strings.Fields(tc.listed) {
				addresses = append(addresses, netip.MustParsePrefix(text))
			}
			p := New(addresses, time.Second, slog.New(slog.DiscardHandler))
			err := p.check("tcp", net.JoinHostPort(tc.addr, "80"), nil)
			var refused *addressError
			if tc.allowed && err != nil || !tc.allowed && !errors.As(err, &refused) {
				t.Errorf("check(%s) with %q listed = %v, want allowed %v", tc.addr, tc.listed, err, tc.allowed)
			}
		})
	}
}

// nameServer answers the first question for an A record with the first of its
// lists of addresses, and each later one with the next, or the last.
type nameServer struct {
	answers [][]string // nil for: no such name

	mu    sync.Mutex
	asked int // questions for an A record
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(server)
		return client, nil
	}}
}

// serve answers one question, in the form of DNS over TCP (RFC 1035, section 4).
func (s *nameServer) serve(conn net.Conn) {
	defer conn.Close()
	var length uint16
	if binary.Read(conn, binary.BigEndian, &length) != nil {
		return
	}
	query := make([]byte, length)
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	const header = 12
	end := header + slices.Index(query[header:], 0) + 5 // the name, its zero, type and class
	var records []byte
	count, noSuchName := 0, byte(0)
	if isA := query[end-3] == 1; isA {
		addresses := s.next()
		if addresses == nil {
			noSuchName = 3
		}
		for _, address := range addresses {
			count++
			records = append(records, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name again, A, IN, TTL 0
			records = append(records, netip.MustParseAddr(address).AsSlice()...)
		}
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80 | noSuchName, 0, 1, 0, byte(count), 0, 0, 0, 0},
		query[header:end]...)
	reply = append(reply, records...)
	_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(reply))))
	_, _ = conn.Write(reply)
}

func (s *nameServer) next() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.answers[min(s.asked, len(s.answers))-1]
}

// The upstream listens at 127.0.0.1, the one address that is listed. A name that
// leads elsewhere at the second question shows whether there is one.
func TestANameIsResolvedOnceAndTheCheckedAddressConnectedTo(t *testing.T) {
	upstream := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asked as ", r.Host) }))
	defer upstream.Close()
	port := upstream.Listener.Addr().(*net.TCPAddr).Port

	for _, tc := range []struct {
		name    string
		answers [][]string
		status  int
		want    string
	}{
		{"a listed address, then another", [][]string{{"127.0.0.1"}, {"127.0.0.2"}}, 200, "asked as rebind.test:"},
		{"another, then a listed address", [][]string{{"127.0.0.2"}, {"127.0.0.1"}}, 403,
			"has an address that is not public"},
		{"another beside a listed address", [][]string{{"10.0.0.1", "127.0.0.1"}}, 200, "asked as rebind.test:"},
		{"private addresses alone", [][]string{{"10.0.0.1", "192.168.0.1"}}, 403, "has an address that is not public"},
		{"no such name", [][]string{nil}, 502, "has no address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			names := &nameServer{answers: tc.answers}
			p := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, 5*time.Second,
				slog.New(slog.DiscardHandler))
			p.dialer.Resolver = names.resolver()
			defer p.Close()

			target := &url.URL{Scheme: "http", Host: fmt.Sprintf("rebind.test:%d", port), Path: "/"}
			rec := httptest.NewRecorder()
			err := p.Serve(rec, httptest.NewRequest("GET", "/", nil), target)
			status, text := rec.Code, rec.Body.String()
			var failed *problem.Problem
			if errors.As(err, &failed) {
				status, text = failed.Status, failed.Detail
			}
			if status != tc.status || !strings.Contains(text, tc.want) {
				t.Errorf("got %d %q, want %d and %q", status, text, tc.status, tc.want)
			}
			if strings.Contains(text, "10.0.0.1") || strings.Contains(text, "127.0.0.") {
				t.Errorf("the client sees an internal address: %q", text)
			}
			// Where there is no such name, the resolver goes on to the search list.
			if names.asked != 1 && tc.status != 502 {
				t.Errorf("the name was resolved %d times, want once", names.asked)
			}
		})
	}
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	if p := New(nil, time.Second, slog.New(slog.DiscardHandler)); p.transport.Proxy != nil {
		t.Error("the transport has a proxy: it would resolve the name again")
	}
}
