// Package server is delay-server: its settings, the one table of routes, the pages
// and the admin API. Requests that wait go through package flow, in event loops or
// here, on goroutines of net/http.
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
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/forward"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/tracing"
)

// Server answers HTTP requests as slowly as they ask. Use New.
type Server struct {
	config   Config
	log      *slog.Logger
	clock    *clock.Clock
	planner  *plan.Planner
	limit    *gate.Shares
	pools    *gate.Pools
	barriers *gate.Barriers
	holds    *gate.Holds
	proxy    *forward.Proxy
	origins  origins
	admin    *admin.API           // nil with ADMIN=false
	scenario *scenario.File       // nil for none
	ca       *authority.Authority // nil without TLS_HOSTS
	journal  *journal.Journal
	engine   *flow.Engine
	metrics  *metrics
	tracing  tracing.Tracing
	echo     *echo.Echo
	draining atomic.Bool
}

// New returns a server of these settings that logs to log. The error is
// Config.Validate's, or that of a file that a setting names.
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
	now := clock.New()
	if config.TimeScale != 1 {
		if err := now.Scale(config.TimeScale); err != nil {
			return nil, err
		}
	}
	s := &Server{
		config: config,
		log:    log,
		ca:     ca,
		clock:  now,
		planner: plan.New(plan.Limits{
			MaxDelay: config.MaxDelay, MaxBody: config.MaxBodySize, Seed: config.Seed,
			RedirectHosts: config.RedirectHosts, ProxyHosts: config.ProxyHosts, Recordings: recordings,
			MaxInFlight: config.MaxInFlight, Now: now.Now, Flash: config.FlashCompat,
		}),
		limit:    gate.NewShares(config.MaxInFlight, config.clientShare()),
		pools:    new(gate.Pools),
		barriers: new(gate.Barriers),
		holds:    gate.NewHolds(),
		origins:  newOrigins(config.CORSOrigins),
		proxy:    forward.New(plan.HostList(config.ProxyHosts).Addresses(), config.ProxyTimeout, log),
	}
	if s.scenario, err = s.openScenario(); err != nil {
		return nil, err
	}
	if s.tracing, err = tracing.Start(context.Background(), "delay-server", config.OTLPEndpoint, log); err != nil {
		return nil, err
	}
	s.journal = journal.New(config.JournalSize, s.clock.Now, s.ended)
	s.metrics = newMetrics(s.journal, s.pools)
	s.engine = &flow.Engine{
		Clock: s.clock, Journal: s.journal, Pools: s.pools, Barriers: s.barriers, Holds: s.holds,
		Header: s.origins.allow, Origin: s.origins.relevant(), Full: s.full,
		Record: log != nil && log.Enabled(context.Background(), slog.LevelDebug),
	}
	if config.Admin {
		s.admin = admin.New(admin.Options{
			Host: config.Host, Token: config.AdminToken, Hosts: config.AdminHosts,
			ReadTimeout: config.ReadTimeout, TimeScale: config.TimeScale, JournalSize: config.JournalSize,
			Clock: s.clock, Holds: s.holds, Journal: s.journal, Counts: s.planner,
		})
	}
	s.echo = s.routes()
	return s, nil
}

// AdminToken returns the token that writes to the admin API need: ADMIN_TOKEN, or
// the random one of a server that listens beyond loopback without it. It is ""
// if every client may write.
func (s *Server) AdminToken() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Token()
}

// Handler returns the server's HTTP handler, for a test or a server of one's own.
func (s *Server) Handler() http.Handler { return s.tracing.Handler(limits{s}) }

// routes is the table of all that the server answers.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.fail
	if s.scenario != nil {
		e.Pre(httpkit.RecoverPanics, s.standIn)
	}

	// What wraps a handler does so here, not as middleware, which Echo would build
	// for each request.
	waits := func(path string, with ...echo.MiddlewareFunc) { // a path of plan's endpoints
		handler := s.cors(httpkit.RecoverPanics(s.wait))
		for _, wrap := range with {
			handler = wrap(handler)
		}
		// Echo's one way to route any method, not just those that it knows.
		e.RouteNotFound(path, handler)
	}
	var redirects []echo.MiddlewareFunc
	if s.config.FlashCompat {
		redirects = append(redirects, flashRedirects)
		e.OPTIONS("/", s.flashOptions)
		e.OPTIONS("/doc", s.flashOptions)
	}
	waits("/delay/:delay")
	waits("/delay/:delay/")
	waits("/delay/:delay/url/*", redirects...)
	waits("/delay/:delay/proxy/*")
	waits("/drip")
	waits("/sse")
	waits("/status/:codes")
	waits("/bytes/:n")
	waits("/barrier/:name")
	waits("/hold/:name")

	gets := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, httpkit.RecoverPanics(handler))
	}
	gets("/", s.page("landing.html"))
	gets("/doc", s.page("doc.html"))
	gets("/assets/:name", httpkit.Assets(pages, "pages"))
	gets("/problems", httpkit.Problems("delay-server"))
	gets("/problems/:name", httpkit.Problems("delay-server"))
	gets("/openapi.yaml", serveOpenAPI())
	gets("/healthz", httpkit.Healthz)
	gets("/readyz", httpkit.Readyz(s.ready))
	gets("/version", httpkit.Version)
	gets("/metrics", s.metrics.handler)
	gets("/ca.pem", s.caPEM)
	if s.admin != nil {
		s.admin.Routes(e)
	}
	return e
}

// readRecordings reads RECORDINGS_DIR, if there is one, and logs what in it is
// not read. A recording without a time that MAX_DELAY allows is an error.
func readRecordings(config Config, log *slog.Logger) (map[string]delay.Recording, error) {
	dir := config.RecordingsDir
	if dir == "" {
		return nil, nil
	}
	recordings, warnings, err := delay.ReadRecordings(os.DirFS(dir))
	for name, r := range recordings {
		if r.Min() > config.MaxDelay {
			err = errors.Join(err, fmt.Errorf("recording %s: all %d samples are above MAX_DELAY (%v), the shortest is %v: is it a column of latencies, in the right unit?", name, r.Len(), config.MaxDelay, r.Min()))
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

// ended is told of each wait that has ended.
func (s *Server) ended(w journal.Wait) {
	s.metrics.observe(w)
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug("waited", "method", w.Method, "path", w.Path, "run", w.Run, "asked", w.Asked, "queued", w.Queued, "waited", w.Waited, "outcome", w.Outcome)
	}
}
