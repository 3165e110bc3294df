// Package server is delay-server: its settings, its routes and pages, and Serve. It
// wires the packages that do the work.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/authority"
	"flash.test/delay-server/internal/board"
	"flash.test/delay-server/internal/bundle"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/cors"
	"flash.test/delay-server/internal/flash"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/forward"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/httpflow"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/metrics"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/tracing"
)

// Server answers HTTP requests after the delay that they ask for. Use New.
type Server struct {
	config    Config
	log       *slog.Logger
	engine    *flow.Engine
	requests  *httpflow.Handler // serves waiting requests through net/http
	admin     *admin.API        // nil with ADMIN=false
	board     *board.Board      // nil with ADMIN=false or BOARD=false
	file      *scenario.File    // nil without SCENARIO
	scenarios *scenario.Set
	lessons   *lessons
	ca        *authority.Authority // nil without TLS_HOSTS
	bundle    *bundle.Bundle       // nil without BUNDLE_DIR
	tracing   tracing.Tracing
	echo      *echo.Echo
	draining  atomic.Bool // /readyz answers 503
}

// New returns a server with the settings in config that logs to log. The error is from
// Config.Validate, or from reading a file that a setting names.
func New(config Config, log *slog.Logger) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.MaxInFlight == 0 {
		config.MaxInFlight = defaultInFlight(log)
	}
	recordings, err := readRecordings(config, log)
	if err != nil {
		return nil, err
	}
	ca, err := openAuthority(config, log)
	if err != nil {
		return nil, err
	}
	handedOut, err := openBundle(config, log)
	if err != nil {
		return nil, err
	}
	policy := cors.New(config.CORSOrigins)
	engine, m, err := newEngine(config, policy, log)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, log: log, engine: engine, ca: ca, bundle: handedOut,
		requests: &httpflow.Handler{
			Engine: engine,
			Planner: plan.New(plan.Limits{
				MaxDelay: config.MaxDelay, MaxBody: config.MaxBodySize, Seed: config.Seed,
				RedirectHosts: config.RedirectHosts, ProxyHosts: config.ProxyHosts, Recordings: recordings,
				MaxInFlight: config.MaxInFlight, Flash: config.FlashCompat,
			}),
			Limit: gate.NewShares(config.MaxInFlight, config.clientShare()),
			Proxy: forward.New(plan.HostList(config.ProxyHosts).Addresses(), config.ProxyTimeout, log),
			CORS:  policy, Log: log, ReadTimeout: config.ReadTimeout, Trace: config.OTLPEndpoint != "",
		},
	}
	s.requests.Rejection = s.rejection
	if s.file, err = openScenario(config, s.requests.Planner, log); err != nil {
		return nil, err
	}
	s.scenarios = scenario.NewSet(s.file, s.requests.Planner, log)
	view := func() pageView { return s.pageView("/exercises") }
	if s.lessons, err = openLessons(config, s.requests.Planner, s.scenarios, view, log); err != nil {
		return nil, err
	}
	if s.tracing, err = tracing.Start(context.Background(), "delay-server", config.OTLPEndpoint, log); err != nil {
		return nil, err
	}
	if served, _ := config.board(); served {
		s.board = board.New(board.Options{
			Journal: engine.Journal, Clock: engine.Clock, Exercises: s.lessons.set,
		})
	}
	if config.Admin {
		s.admin = admin.New(admin.Options{
			Host: config.Host, Token: config.AdminToken, Hosts: config.AdminHosts,
			ReadTimeout: config.ReadTimeout, TimeScale: config.TimeScale, JournalSize: config.JournalSize,
			Clock: engine.Clock, Holds: engine.Holds, Barriers: engine.Barriers, Pools: engine.Pools,
			Journal: engine.Journal, Counts: counts{s.requests.Planner, s.board},
			Scenarios: s.scenarios,
		})
	}
	s.echo = s.routes(m)
	return s, nil
}

// newEngine returns the shared state of the flows, and the metrics of their waits.
func newEngine(config Config, policy cors.Policy, log *slog.Logger) (*flow.Engine, *metrics.Metrics, error) {
	now := clock.New()
	if config.TimeScale != 1 {
		if err := now.Scale(config.TimeScale); err != nil {
			return nil, nil, err
		}
	}
	debug := log != nil && log.Enabled(context.Background(), slog.LevelDebug)
	e := &flow.Engine{
		Clock: now, Runs: clock.NewRuns(now),
		Pools: new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
		Header: policy.SetHeaders, Origin: policy.Varies(), Full: config.full, Record: debug,
	}
	m := metrics.New(func() int { return e.Journal.Waiting() }, e.Pools)
	e.Journal = journal.New(config.JournalSize, now.Now, func(w journal.Wait) {
		m.Observe(w)
		if debug {
			log.Debug("waited", "method", w.Method, "path", w.Path, "run", w.Run,
				"attempt", w.Attempt, "asked", w.Asked, "queued", w.Queued, "waited", w.Waited,
				"status", w.Status, "outcome", w.Outcome)
		}
	})
	e.Journal.Clocks, e.Journal.Headers = e.Runs, config.journalHeaders()
	return e, m, nil
}

// full returns the problem of an error of gate.Client.Enter.
func (c Config) full(err error) *problem.Problem {
	if errors.Is(err, gate.ErrShareFull) {
		return problem.TooManyFromClient.New(
			"too many requests in flight from this address (MAX_IN_FLIGHT_PER_CLIENT=%d)", c.clientShare())
	}
	return problem.TooManyInFlight.New("too many requests in flight (MAX_IN_FLIGHT=%d)", c.MaxInFlight)
}

// flash answers errors with FLASH_COMPAT.
func (s *Server) flash() flash.Compat { return flash.Compat{CORS: s.requests.CORS, Log: s.log} }

// AdminToken returns the token for writes to the admin API: ADMIN_TOKEN, or a random
// token if ADMIN_TOKEN is not set and HOST is not loopback. It is "" if writes need no
// token.
func (s *Server) AdminToken() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Token()
}

// Handler returns the server's HTTP handler, for a test or for another HTTP server.
func (s *Server) Handler() http.Handler { return s.tracing.Handler(limits{s}) }

// routes returns the table of routes.
func (s *Server) routes(m *metrics.Metrics) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.fail

	// Handlers are wrapped here, not by Echo's middleware, which Echo would build for
	// each request.
	waits := func(path string, with ...echo.MiddlewareFunc) { // adds a waiting endpoint
		handler := s.requests.SetCORS(httpkit.RecoverPanics(s.requests.Serve))
		for _, wrap := range with {
			handler = wrap(handler)
		}
		// Echo's only kind of route that accepts every method.
		e.RouteNotFound(path, handler)
	}
	var redirects []echo.MiddlewareFunc
	if s.config.FlashCompat {
		redirects = append(redirects, flash.Redirects)
		e.OPTIONS("/", s.flash().Options)
		e.OPTIONS("/doc", s.flash().Options)
	}
	for _, e := range plan.Endpoints() {
		for _, pattern := range e.Patterns() {
			if e.Redirects {
				waits(echoPath(pattern), redirects...)
			} else {
				waits(echoPath(pattern))
			}
		}
	}

	gets := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, httpkit.RecoverPanics(handler))
	}
	gets("/", s.page("/", "landing.html"))
	gets("/doc", s.page("/doc", "doc.html"))
	if s.config.Admin {
		gets("/live", s.page("/live", "live.html"))
	}
	if served, public := s.config.board(); served {
		gets("/board", s.boardPage())
		gets("/board/events", s.admin.GuardRead(public, s.board.Events))
		gets("/board/waterfall.svg", s.admin.GuardRead(public, s.board.Waterfall))
		gets("/exercises", s.lessons.servePage)
		gets("/exercises/:id/:kind/:file", s.lessons.serveProgram)
	}
	gets("/get", s.get)
	gets("/get/*", s.getFile)
	gets("/assets/:name", httpkit.Assets(pages, "pages"))
	gets("/distribution.svg", s.distribution)
	gets("/problems", httpkit.Problems("delay-server", "/doc"))
	gets("/problems/:name", httpkit.Problems("delay-server", "/doc"))
	gets("/openapi.yaml", serve("application/yaml", openAPIDocument()))
	gets("/scenario.schema.json", serve("application/schema+json", scenario.Schema()))
	gets("/healthz", httpkit.Healthz)
	gets("/readyz", httpkit.Readyz(s.ready))
	gets("/version", httpkit.Version)
	gets("/metrics", echo.WrapHandler(m))
	gets("/ca.pem", s.caPEM)
	if s.admin != nil {
		s.admin.Routes(e)
	}
	return e
}

// readRecordings reads RECORDINGS_DIR, if it is set, and logs skipped files. It is an
// error if all samples of a recording exceed MAX_DELAY.
func readRecordings(config Config, log *slog.Logger) (map[string]delay.Recording, error) {
	dir := config.RecordingsDir
	if dir == "" {
		return nil, nil
	}
	recordings, warnings, err := delay.ReadRecordings(os.DirFS(dir))
	for name, r := range recordings {
		if r.Min() > config.MaxDelay {
			err = errors.Join(err, fmt.Errorf("recording %s: all %d samples are above MAX_DELAY (%v); "+
				"the shortest is %v: check the column and its unit", name, r.Len(), config.MaxDelay, r.Min()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("RECORDINGS_DIR: %s: %w", dir, err)
	}
	for _, warning := range warnings {
		log.Warn("recordings: "+warning, "dir", dir)
	}
	return recordings, nil
}
