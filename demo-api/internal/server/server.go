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

	"flash.test/delay-server/kit/tracing"
	"flash.test/delay-server/kit/urlpath"

	"flash.test/demo-api/internal/upstream"
)

// Upstream is the slow service that is called.
type Upstream interface {
	// Get makes the request and returns the answer's HTTP status. It ends at once
	// when ctx is done.
	Get(ctx context.Context, r upstream.Request) (status int, err error)

	// Peak returns the most answers of a run that were being waited for at once,
	// as the service counted them. The error is why it does not tell.
	Peak(ctx context.Context, runID string) (int, error)
}

// Database is what the query of a request with ?db= is made to.
type Database interface {
	// Query makes a query that takes wait, and no less. It ends at once when ctx
	// is done.
	Query(ctx context.Context, wait time.Duration) error
}

// Options are what a Server is told of the settings. All but Tracing are required.
type Options struct {
	Calls    int           // of a request that does not say
	MaxCalls int           // that a request may ask for
	Delay    string        // of each call of a request that does not say
	MaxDelay time.Duration // a longer fixed delay is answered 400

	MaxInFlight int // calls at once, over all requests; more than MaxCalls, so that a race fits

	ReadTimeout     time.Duration // for a client to send its headers, and again its body
	WriteTimeout    time.Duration // for a client to take an answer, or each part of one
	MaxHeaderSize   int           // bytes of a request's line and header
	IdleTimeout     time.Duration // of a connection between requests
	ShutdownDelay   time.Duration // to serve on, not ready, once Serve's context is done
	ShutdownTimeout time.Duration // for requests to finish after that

	UpstreamURL string // shown on the page

	Tracing tracing.Tracing // of the requests
}

// Server answers /get_data and /async_get_data, and races them. Use New.
type Server struct {
	options  Options
	upstream Upstream
	database Database
	log      *slog.Logger
	echo     *echo.Echo
	room     room
	waiting  atomic.Int64 // requests whose calls are being made
	draining atomic.Bool
}

// New returns a server that calls upstream, asks database where a request has
// ?db=, and logs to log.
func New(options Options, upstream Upstream, database Database, log *slog.Logger) *Server {
	s := &Server{options: options, upstream: upstream, database: database, log: log}
	s.room.most = int64(options.MaxInFlight)
	s.echo = s.routes()
	return s
}

// Handler returns the server's HTTP handler, for a test or a server of one's own.
func (s *Server) Handler() http.Handler { return s.options.Tracing.Handler(urlpath.Handler(s.echo)) }

// routes is the table of all that the server answers.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.fail
	e.Pre(s.guard)

	gets := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler, s.discardBody)
	}
	gets("/", s.racePage)
	gets("/tutorial", s.tutorialPage)
	gets("/assets/:name", s.asset)
	gets("/get_data", s.fetch(sequential))
	gets("/get_data/", s.fetch(sequential))
	gets("/async_get_data", s.fetch(concurrent))
	gets("/async_get_data/", s.fetch(concurrent))
	e.GET("/race/events", s.race, s.discardBody)
	gets("/sweep", s.sweepPage)
	e.GET("/sweep/events", s.sweep, s.discardBody)
	gets("/healthz", s.healthz)
	gets("/readyz", s.readyz)
	gets("/version", s.version)
	return e
}

// paths are those of the table, for who asks for another.
const paths = "/, /tutorial, /sweep, /get_data, /async_get_data, /race/events, /sweep/events, /healthz, /readyz, /version"
