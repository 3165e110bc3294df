// Package server is demo-api's HTTP side: Echo, the one table of routes, and
// handlers that read a request, make its calls and answer.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// Upstream is the slow service that is called.
type Upstream interface {
	// Get asks for an answer that is late by delay, as part of the run runID,
	// and returns the answer's HTTP status. It ends at once when ctx is done.
	Get(ctx context.Context, delay, runID string) (status int, err error)
}

// Options are what a Server is told of the settings. All are required.
type Options struct {
	Calls    int           // of a request that does not say
	MaxCalls int           // that a request may ask for
	Delay    string        // of each call of a request that does not say
	MaxDelay time.Duration // a longer fixed delay is answered 400

	ReadTimeout     time.Duration // for a client to send its headers, and again its body
	IdleTimeout     time.Duration // of a connection between requests
	ShutdownTimeout time.Duration // for requests to finish once Serve's context is done

	UpstreamURL string // shown on the page
}

// Server answers /get_data and /async_get_data. Use New.
type Server struct {
	options  Options
	upstream Upstream
	log      *slog.Logger
	echo     *echo.Echo
	waiting  atomic.Int64 // requests whose calls are being made
	draining atomic.Bool
}

// New returns a server that calls upstream and logs to log.
func New(options Options, upstream Upstream, log *slog.Logger) *Server {
	s := &Server{options: options, upstream: upstream, log: log}
	s.echo = s.routes()
	return s
}

// Handler returns the server's HTTP handler, for a test or a server of one's own.
func (s *Server) Handler() http.Handler { return s.echo }

// routes is the table of all that the server answers.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.fail
	e.Pre(s.guard)

	gets := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler, s.discardBody)
	}
	gets("/", s.page)
	gets("/assets/:name", s.asset)
	gets("/get_data", s.fetch(sequential))
	gets("/get_data/", s.fetch(sequential))
	gets("/async_get_data", s.fetch(concurrent))
	gets("/async_get_data/", s.fetch(concurrent))
	gets("/healthz", s.healthz)
	gets("/readyz", s.readyz)
	gets("/version", s.version)
	return e
}

// paths are those of the table, for who asks for another.
const paths = "/, /get_data, /async_get_data, /healthz, /readyz, /version"
