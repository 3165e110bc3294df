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

// A Server is a delay-server that a test controls. Create it with [NewServer],
// [NewInMemoryServer] or [ServerAt].
type Server struct {
	// URL is the base URL, such as http://127.0.0.1:41234, without trailing slash.
	URL string

	// Timeout bounds each method that calls the admin API, and so each wait. It
	// is real time, 10 s by default. A test may change it.
	Timeout time.Duration

	t         testing.TB
	client    *client.Client
	transport *http.Transport
}

// NewServer starts a delay-server in this process, at a free port on loopback. It
// stops when the test ends; requests that still wait are then answered 503. Errors
// of the server are logged to the test's output.
//
// Options change the default settings:
//
//	delaytest.NewServer(t, func(c *server.Config) { c.MaxDelay = time.Hour })
func NewServer(t testing.TB, opts ...func(*server.Config)) *Server {
	t.Helper()
	srv, config := configure(t, opts)
	ln, err := net.Listen("tcp", net.JoinHostPort(config.Host, strconv.Itoa(config.Port)))
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	serve(t, srv, ln)
	// A connection that was dialed and never used would delay the shutdown.
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return ServerAt(t, "http://"+ln.Addr().String(), client.WithToken(srv.AdminToken()))
}

// NewInMemoryServer is like [NewServer] without sockets, for a test in a bubble of
// [testing/synctest]. The server's clock, timeouts of the code under test and
// [Server.Timeout] are then in the bubble's time. Only clients from
// [Server.HTTPClient] and [Run.HTTPClient] can connect. There is no TCP, so
// fault=reset just closes the connection.
func NewInMemoryServer(t testing.TB, opts ...func(*server.Config)) *Server {
	t.Helper()
	srv, _ := configure(t, append(opts, allowInMemoryHost))
	ln := newPipes()
	serve(t, srv, ln)
	transport := newTransport()
	transport.DialContext = ln.dial
	return newServer(t, "http://"+inMemoryHost, transport, client.WithToken(srv.AdminToken()))
}

// inMemoryHost is in a top-level domain that never resolves (RFC 6761).
const inMemoryHost = "delay-server.test"

// allowInMemoryHost adds inMemoryHost to the hosts of the admin API.
func allowInMemoryHost(c *server.Config) {
	c.Host = "localhost"
	if c.Admin {
		c.AdminHosts = []string{inMemoryHost}
	}
}

// ServerAt returns the delay-server that already runs at url, for example in a
// container. It keeps running when the test ends. Options configure its
// [Server.Client].
func ServerAt(t testing.TB, url string, opts ...client.Option) *Server {
	t.Helper()
	return newServer(t, url, newTransport(), opts...)
}

func configure(t testing.TB, opts []func(*server.Config)) (*server.Server, server.Config) {
	t.Helper()
	config := server.DefaultConfig()
	config.Host, config.Port, config.ShutdownTimeout, config.LogLevel = "127.0.0.1", 0, 0, slog.LevelError
	for _, opt := range opts {
		opt(&config)
	}
	if config.TLS() {
		t.Fatalf("delaytest: TLSHosts is not supported; run the program or a container, and use ServerAt")
	}
	srv, err := server.New(config, config.NewLogger(t.Output()))
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	return srv, config
}

// serve serves ln until the test ends.
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
	t.Proxy = nil // the server is local
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}

func newServer(t testing.TB, url string, transport *http.Transport, opts ...client.Option) *Server {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	opts = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: transport})}, opts...)
	c, err := client.New(url, opts...)
	if err != nil {
		t.Fatalf("delaytest: %v", err)
	}
	return &Server{URL: url, Timeout: 10 * time.Second, t: t, client: c, transport: transport}
}

// HTTPClient returns a client for the code under test. Its idle connections are
// closed when the test ends.
func (s *Server) HTTPClient() *http.Client { return &http.Client{Transport: s.transport} }

// Client returns the client of the server's admin API.
func (s *Server) Client() *client.Client { return s.client }

// DelayURL returns a URL that is answered after d on the server's clock.
func (s *Server) DelayURL(d time.Duration) string {
	return s.URL + "/delay/" + delay.Milliseconds(d)
}

// BarrierURL returns a URL that is answered once as many requests as parties have
// arrived. If they have not after 10 s on the server's clock, it is answered 504.
func (s *Server) BarrierURL(name string, parties int) string {
	return fmt.Sprintf("%s/barrier/%s?parties=%d", s.URL, url.PathEscape(name), parties)
}

// must calls the admin API and fails the test on error. It does not use the test's
// context, which is cancelled before cleanups run: they may call the API too.
func must[T any](s *Server, call func(context.Context) (T, error)) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	got, err := call(ctx)
	if err != nil {
		s.t.Fatalf("delaytest: %v", err)
	}
	return got
}
