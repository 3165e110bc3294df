package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Localhost is the host for both loopback addresses, 127.0.0.1 and ::1. Clients differ
// in which they try first.
const Localhost = "localhost"

// Listen listens on host and port. For Localhost it returns a listener for each
// loopback address of this machine, on the same port; for any other host it returns
// one. An IPv6 address may be in brackets. Errors suggest a remedy; for that, name is
// the program's name and setting the name of the setting of port.
func Listen(ctx context.Context, name, host, setting string, port int) ([]net.Listener, error) {
	lns, err := listen(ctx, host, port)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("%w: choose another port, such as %s=%d %s (on macOS, AirPlay takes 5000)",
			err, setting, port%65535+1, name)
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("%w: choose another port, such as %s=%d %s (ports below 1024 usually need root)",
			err, setting, port%1000+3000, name)
	case errors.As(err, new(*net.DNSError)) || errors.Is(err, syscall.EADDRNOTAVAIL):
		err = fmt.Errorf("HOST: %w: use localhost, an address of this machine, or 0.0.0.0 for all", err)
		if platform.MatchString(host) {
			err = fmt.Errorf("%w (conda sets HOST to its platform; set HOST=localhost)", err)
		}
	}
	return lns, err
}

// platform matches the target names of compilers, such as x86_64-conda-linux-gnu or
// arm64-apple-darwin20.0.0.
var platform = regexp.MustCompile(`^\w+-(conda|pc|unknown|apple|w64|linux)-\w`)

func listen(ctx context.Context, host string, port int) ([]net.Listener, error) {
	if !strings.EqualFold(host, Localhost) {
		ln, err := listenTCP(ctx, Unbracket(host), port)
		if err != nil {
			return nil, err
		}
		return []net.Listener{ln}, nil
	}
	const maxTries = 10 // to find a port that is free on both addresses
	for try := 1; ; try++ {
		lns, err := listenLoopback(ctx, port)
		if port != 0 || try == maxTries || !errors.Is(err, syscall.EADDRINUSE) {
			return lns, err
		}
	}
}

// listenLoopback listens on 127.0.0.1 and ::1, or on one of them if the machine has
// only that. A port that is taken on either is an error: half of the clients would
// reach another program.
func listenLoopback(ctx context.Context, port int) ([]net.Listener, error) {
	v4, err := listenTCP(ctx, "127.0.0.1", port)
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		return nil, err
	}
	if v4 != nil {
		port = v4.Addr().(*net.TCPAddr).Port
	}
	v6, err6 := listenTCP(ctx, "::1", port)
	switch {
	case err6 == nil && v4 == nil:
		return []net.Listener{v6}, nil
	case err6 == nil:
		return []net.Listener{v4, v6}, nil
	case v4 == nil:
		return nil, err
	case errors.Is(err6, syscall.EADDRINUSE):
		_ = v4.Close()
		return nil, err6
	default: // no IPv6 here
		return []net.Listener{v4}, nil
	}
}

func listenTCP(ctx context.Context, host string, port int) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets lack some TCP options
	return config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// Unbracket returns host without the brackets of an IPv6 address.
func Unbracket(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// IsLoopback reports whether host, as in HOST or a URL, is localhost or a loopback
// address. Any other name could resolve to anything.
func IsLoopback(host string) bool {
	host = strings.TrimSuffix(Unbracket(host), ".")
	addr, _ := netip.ParseAddr(host)
	return strings.EqualFold(host, Localhost) || addr.Unmap().IsLoopback()
}

// URLs returns the base URLs of a server that listens on addr, such as
// http://localhost:3000: first for this machine, then for others. The scheme is http
// or https.
func URLs(scheme string, addr net.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return []string{scheme + "://" + addr.String()}
	}
	hosts := []string{tcp.IP.String()}
	switch {
	case tcp.IP.IsLoopback():
		hosts[0] = Localhost
	case tcp.IP.IsUnspecified():
		hosts = append([]string{Localhost}, networkAddrs()...)
	}
	urls := make([]string, len(hosts))
	for i, host := range hosts {
		urls[i] = scheme + "://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
	}
	return urls
}

// ReachableHosts returns the IPv4 addresses at which other machines can reach a server
// that listens on host, private ones first. It returns none for a loopback address.
func ReachableHosts(host string) []string {
	ip := net.ParseIP(Unbracket(host))
	switch {
	case host == "" || ip.IsUnspecified():
		addrs := networkAddrs()
		isPublic := func(addr string) bool { return !net.ParseIP(addr).IsPrivate() }
		private := slices.DeleteFunc(slices.Clone(addrs), isPublic)
		return append(private, slices.DeleteFunc(addrs, func(addr string) bool { return !isPublic(addr) })...)
	case ip == nil || ip.IsLoopback():
		return nil
	}
	return []string{ip.String()}
}

// networkAddrs returns the IPv4 addresses at which other machines can reach this one,
// without the bridges of container engines.
func networkAddrs() []string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []string
	for _, i := range interfaces {
		bridge := i.Name == "docker0" || strings.HasPrefix(i.Name, "br-") || strings.HasPrefix(i.Name, "veth")
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || bridge {
			continue
		}
		addrs, _ := i.Addrs() // fails for an interface that is gone
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				found = append(found, n.IP.String())
			}
		}
	}
	return found
}
