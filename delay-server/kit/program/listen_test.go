package program_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flash.test/delay-server/kit/program"
)

func TestListen(t *testing.T) {
	for _, tc := range []struct {
		name, host string
		want       []string // IP addresses
	}{
		{"both loopback addresses", "localhost", []string{"127.0.0.1", "::1"}},
		{"in any case", "LocalHost", []string{"127.0.0.1", "::1"}},
		{"one of them", "127.0.0.1", []string{"127.0.0.1"}},
		{"IPv6", "::1", []string{"::1"}},
		{"IPv6 in brackets", "[::1]", []string{"::1"}},
		{"all", "0.0.0.0", []string{"::"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lns, err := program.Listen(t.Context(), "test", tc.host, "PORT", 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, ln := range lns {
				defer ln.Close()
				addr := ln.Addr().(*net.TCPAddr)
				port := lns[0].Addr().(*net.TCPAddr).Port
				if i >= len(tc.want) || addr.IP.String() != tc.want[i] || addr.Port != port {
					t.Errorf("Listen(%s): listener %d is on %v, want %v, all on one port", tc.host, i, addr, tc.want)
				}
			}
			if len(lns) != len(tc.want) {
				t.Errorf("Listen(%s) returned %d listeners, want %d", tc.host, len(lns), len(tc.want))
			}
		})
	}
}

// Otherwise half of the clients would reach the other program.
func TestListenPortTakenOnOneAddress(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		other, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		lns, err := program.Listen(t.Context(), "test", "localhost", "PORT", port)
		want := "choose another port, such as PORT=" + strconv.Itoa(port%65535+1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is taken: Listen = %v, %v, want error %q", other.Addr(), lns, err, want)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, tc := range []struct{ name, addr, want string }{
		{"loopback", "127.0.0.1:5000", "http://localhost:5000"},
		{"loopback of IPv6", "[::1]:5000", "http://localhost:5000"},
		{"all addresses", "0.0.0.0:5001", "http://localhost:5001"},
		{"all addresses of IPv6", "[::]:5002", "http://localhost:5002"},
		{"one address", "192.0.2.7:5003", "http://192.0.2.7:5003"},
		{"one address of IPv6", "[2001:db8::7]:5004", "http://[2001:db8::7]:5004"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr, err := net.ResolveTCPAddr("tcp", tc.addr)
			if err != nil {
				t.Fatal(err)
			}
			got := program.URLs("http", addr)
			if got[0] != tc.want {
				t.Errorf("URLs(%s) = %q, want %s first", tc.addr, got, tc.want)
			}
			if !addr.IP.IsUnspecified() && len(got) > 1 {
				t.Errorf("URLs(%s) = %q, want one", tc.addr, got)
			}
			for _, url := range got {
				if strings.Contains(url, "[::]") || strings.Contains(url, "0.0.0.0") {
					t.Errorf("URLs(%s) = %q: %s is no usable URL", tc.addr, got, url)
				}
			}
		})
	}
}

func TestBanner(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000}
	for _, tc := range []struct {
		name      string
		published *int
		want      string
	}{
		{"not published", nil, "aviary dev: open http://localhost:3000/ in a browser\n\n" +
			"  curl http://localhost:3000/sing    a song\n\n"},
		{"published at another port", new(8080), "aviary dev: open http://localhost:8080/ in a browser\n\n" +
			"  curl http://localhost:8080/sing    a song\n\n"},
		{"published at a random port", new(0),
			"aviary dev: published at a random port; to see it, run: docker compose port aviary 3000\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			commands := func(base string) [][2]string { return [][2]string{{"curl " + base + "/sing", "a song"}} }
			banner := program.Banner{
				Name: "aviary", Listening: loopback, PublishedPort: tc.published, Commands: commands,
			}
			banner.Write(&out)
			if out.String() != tc.want {
				t.Errorf("got\n%swant\n%s", &out, tc.want)
			}
		})
	}
}

func TestListenNamesConda(t *testing.T) {
	for host, want := range map[string]bool{
		"x86_64-conda-linux-gnu": true, "aarch64-conda-linux-gnu": true, "arm64-apple-darwin20.0.0": true,
		"x86_64-w64-mingw32": true, "no-such-machine.invalid": false,
	} {
		lns, err := program.Listen(t.Context(), "aviary", host, "PORT", 0)
		if err == nil {
			t.Errorf("HOST=%s: got listeners %v, want an error", host, lns)
			continue
		}
		if !strings.HasPrefix(err.Error(), "HOST: ") || strings.Contains(err.Error(), "conda sets HOST") != want {
			t.Errorf("HOST=%s: got %v, want an error that mentions conda: %v", host, err, want)
		}
	}
}

func TestReachableHosts(t *testing.T) {
	for host, want := range map[string][]string{
		"localhost": nil, "127.0.0.1": nil, "::1": nil, "192.0.2.7": {"192.0.2.7"}, "[2001:db8::1]": {"2001:db8::1"},
	} {
		if got := program.ReachableHosts(host); !slices.Equal(got, want) {
			t.Errorf("of a server on %s: got %v, want %v", host, got, want)
		}
	}
	seenPublic := false
	for _, host := range program.ReachableHosts("0.0.0.0") {
		ip := net.ParseIP(host)
		if ip.To4() == nil || ip.IsLoopback() || seenPublic && ip.IsPrivate() {
			t.Errorf("of a server on all addresses: %s is loopback, or private and after a public one", host)
		}
		seenPublic = seenPublic || !ip.IsPrivate()
	}
}
