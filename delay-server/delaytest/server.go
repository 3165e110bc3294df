package delaytest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delay"
	"flash.test/delay-server/server"
)

// Server is a delay-server that a test has in hand. Use NewServer or ServerAt.
type Server struct {
	// URL is where it answers, such as http://127.0.0.1:41234, without a slash
	// at its end.
	URL string

	// Timeout is how long each call of the admin API may take, and so whatever
	// awaits something: 10 s of the machine's time. A test may set another.
	Timeout time.Duration

	t         testing.TB
	client    *client.Client
	transport *http.Transport
}

// NewServer starts a delay-server in this process, at a free port of loopback,
// and stops it when the test ends: what waits then is answered 503 at once. It
// has the default settings but for those that set changes, such as
//
//	func(c *server.Config) { c.MaxDelay = time.Hour }
//
// and logs its own errors to the test's output.
func NewServer(t testing.TB, set ...func(*server.Config)) *Server {
	t.Helper()
	srv, config := configure(t, set)
	ln, err := net.Listen("tcp", net.JoinHostPort(config.Host, strconv.Itoa(config.Port)))
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	serve(t, srv, ln)
	// A connection that was dialled in vain would hold up the server's end.
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return ServerAt(t, "http://"+ln.Addr().String(), client.WithToken(srv.AdminToken()))
}

// NewInMemoryServer is NewServer without a socket, for a test in a bubble of
// testing/synctest: the server's clock is the bubble's then, and so are the
// time-outs of the code under test, and Timeout. Only HTTPClient and the clients
// of a Run reach it. There is no TCP: fault=reset ends a connection like any other.
func NewInMemoryServer(t testing.TB, set ...func(*server.Config)) *Server {
	t.Helper()
	srv, _ := configure(t, append(set, nameInMemory))
	ln := newPipes()
	serve(t, srv, ln)
	transport := newTransport()
	transport.DialContext = ln.dial
	return at(t, "http://"+inMemory, transport, client.WithToken(srv.AdminToken()))
}

// inMemory is a host that no resolver knows, so that nobody else is asked.
const inMemory = "delay-server.test"

// nameInMemory has the admin API accept that host. Nothing listens beyond loopback.
func nameInMemory(c *server.Config) {
	c.Host = "localhost"
	if c.Admin {
		c.AdminHosts = []string{inMemory}
	}
}

// ServerAt returns the delay-server that runs at url, such as one in a
// container. It is not stopped when the test ends; the options are those of its
// Client.
func ServerAt(t testing.TB, url string, opts ...client.Option) *Server {
	t.Helper()
	return at(t, url, newTransport(), opts...)
}

func configure(t testing.TB, set []func(*server.Config)) (*server.Server, server.Config) {
	t.Helper()
	config := server.DefaultConfig()
	config.Host, config.Port, config.ShutdownTimeout, config.LogLevel = "127.0.0.1", 0, 0, slog.LevelError
	for _, change := range set {
		change(&config)
	}
	if config.TLS() {
		t.Fatalf("delaytest: TLSHosts is set and this server answers without TLS: want it in a program or a container of its own")
	}
	srv, err := server.New(config, config.NewLogger(t.Output()))
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	return srv, config
}

// serve answers the connections of ln until the test ends.
func serve(t testing.TB, srv *server.Server, ln net.Listener) {
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("delaytest: %v", err)
		}
	})
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil // the server is the test's own
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}

func at(t testing.TB, url string, transport *http.Transport, opts ...client.Option) *Server {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	opts = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: transport})}, opts...)
	c, err := client.New(url, opts...)
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	return &Server{URL: url, Timeout: 10 * time.Second, t: t, client: c, transport: transport}
}

// HTTPClient returns a client for the code under test, whose connections are
// closed when the test ends.
func (s *Server) HTTPClient() *http.Client { return &http.Client{Transport: s.transport} }

// Client returns the client of the server's admin API, for what this package has
// no method for.
func (s *Server) Client() *client.Client { return s.client }

// DelayURL returns a URL that is answered after d, by the server's clock.
func (s *Server) DelayURL(d time.Duration) string {
	return s.URL + "/delay/" + delay.Milliseconds(d)
}

// BarrierURL returns a URL that is answered once so many requests as parties
// wait there, or 504 after 10 s of the server's clock.
func (s *Server) BarrierURL(name string, parties int) string {
	return fmt.Sprintf("%s/barrier/%s?parties=%d", s.URL, url.PathEscape(name), parties)
}

// ask calls the admin API and fails the test where that fails. The test's own
// context would not do: it is over before the test's cleanups, which may ask too.
func ask[T any](s *Server, call func(context.Context) (T, error)) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	got, err := call(ctx)
	if err != nil {
		s.t.Fatalf("delaytest: %v", err)
	}
	return got
}
