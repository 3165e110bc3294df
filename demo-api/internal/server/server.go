// Package server is the HTTP side of demo-api: the table of routes, and handlers
// that parse a request, make its calls and respond.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/tracing"
	"flash.test/delay-server/kit/urlpath"

	"flash.test/demo-api/internal/upstream"
	"flash.test/demo-api/internal/web"
)

// Upstream is the slow service that the calls go to.
type Upstream interface {
	// Get makes a call and returns the HTTP status of the response. It returns at
	// once when ctx is done.
	Get(ctx context.Context, r upstream.Request) (status int, err error)

	// Peak returns the maximum number of calls of a run that were in flight at
	// once, as the service counted them.
	Peak(ctx context.Context, runID string) (int, error)

	// App makes a request to an app that makes calls itself, and returns the body of
	// its response.
	App(ctx context.Context, r upstream.AppRequest) ([]byte, error)

	// Run returns what the service saw of a run until now.
	Run(ctx context.Context, runID string) (upstream.Run, error)
}

// Database executes the query of a request with ?db=.
type Database interface {
	// Query executes a query that takes wait or longer. It returns at once when
	// ctx is done.
	Query(ctx context.Context, wait time.Duration) error
}

// Options configure a Server. DelayServerLink, Embedded, AgainstHosts and Tracing are
// optional.
type Options struct {
	Calls    int           // default of ?calls=
	MaxCalls int           // maximum of ?calls=
	Delay    string        // default of ?delay=
	MaxDelay time.Duration // a longer fixed delay is rejected with 400

	MaxInFlight int // calls in flight, over all requests; above MaxCalls, so that a race fits

	HTTP httpkit.Config // timeouts and limits

	UpstreamURL     string // shown on the pages
	DelayServerLink string // the URL of delay-server for browsers, or ""
	Embedded        bool   // delay-server runs in this process, and listens only on loopback

	AgainstHosts []string      // of apps to race: hosts with or without a port, networks as "10.0.0.0/8", or "*"
	Timeout      time.Duration // of an app's response, beyond the ideal time

	Tracing tracing.Tracing // of the requests
}

// Server serves /get_data, /async_get_data and the pages. Use New.
type Server struct {
	options  Options
	upstream Upstream
	database Database
	log      *slog.Logger
	echo     *echo.Echo
	inFlight *semaphore.Weighted // calls
	waiting  atomic.Int64        // requests with calls in flight
	draining atomic.Bool
}

// New returns a server that makes its calls to upstream and its queries to
// database, and logs to log.
func New(options Options, upstream Upstream, database Database, log *slog.Logger) *Server {
	s := &Server{
		options: options, upstream: upstream, database: database, log: log,
		inFlight: semaphore.NewWeighted(int64(options.MaxInFlight)),
	}
	s.echo = s.routes()
	return s
}

// Handler returns the HTTP handler of the server, for a test or another
// http.Server.
func (s *Server) Handler() http.Handler { return s.options.Tracing.Handler(urlpath.Handler(s.echo)) }

// routes returns the table of all routes.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.Pre(httpkit.RecoverPanics, s.checkRequest)

	get := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler, s.discardBody)
	}
	get("/", s.racePage)
	get("/tutorial", s.tutorialPage())
	get("/tutorial/:file", s.tutorialFile)
	get("/problems", httpkit.Problems("demo-api", ""))
	get("/problems/:name", httpkit.Problems("demo-api", ""))
	get("/assets/:name", httpkit.Assets(web.Assets, "."))
	get("/get_data", s.fetch(sequential))
	get("/get_data/", s.fetch(sequential))
	get("/async_get_data", s.fetch(concurrent))
	get("/async_get_data/", s.fetch(concurrent))
	get("/race/plan", s.racePlan)
	e.GET("/race/events", s.race, s.discardBody, rejectReconnect)
	get("/sweep", s.sweepPage)
	get("/sweep/plan", s.sweepPlan)
	e.GET("/sweep/events", s.sweep, s.discardBody, rejectReconnect)
	get("/healthz", httpkit.Healthz)
	get("/readyz", httpkit.Readyz(s.checkReady))
	get("/version", httpkit.Version)
	return e
}

// paths lists the routes for the problem of an unknown path.
const paths = "/, /tutorial, /sweep, /get_data, /async_get_data, /race/plan, /race/events, " +
	"/sweep/plan, /sweep/events, /problems, /healthz, /readyz, /version"

// checkRequest rejects invalid requests before routing, and sets the headers of
// all responses.
func (s *Server) checkRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		httpkit.LimitUnreadBody(c.Response(), c.Request(), s.options.HTTP.ReadTimeout)
		if p := httpkit.CheckRequest(c.Request()); p != nil {
			return p
		}
		return next(c)
	}
}

// discardBody reads the body of a request to its end.
func (s *Server) discardBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := httpkit.DiscardBody(c, s.options.HTTP.ReadTimeout); err != nil {
			return err
		}
		return next(c)
	}
}

// acquire reserves n calls in flight for a request, until release is called. It
// does not wait: if fewer are free, the error is problem.TooManyCalls.
func (s *Server) acquire(n int) (release func(), err error) {
	if !s.inFlight.TryAcquire(int64(n)) {
		p := problem.TooManyCalls.New("too many calls in flight (MAX_IN_FLIGHT=%d); this request needs %d",
			s.options.MaxInFlight, n)
		p.RetryAfter = time.Second
		return nil, p
	}
	s.waiting.Add(1)
	return func() {
		s.waiting.Add(-1)
		s.inFlight.Release(int64(n))
	}, nil
}
