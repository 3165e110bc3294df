package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// adminRoutes is the table of the admin API, by which a test watches what waits
// and decides when it ends.
func (s *Server) adminRoutes(e *echo.Echo) {
	if !s.config.Admin {
		return
	}
	on := func(method, path string, handler echo.HandlerFunc) {
		handler = httpkit.RecoverPanics(s.admin(handler))
		e.Add(method, path, handler)
		if method == http.MethodGet {
			e.Add(http.MethodHead, path, handler)
		}
	}
	on("GET", "/admin/runs", s.listRuns)
	on("DELETE", "/admin/runs", s.forgetRuns)
	on("GET", "/admin/runs/:id", s.showRun)
	on("DELETE", "/admin/runs/:id", s.forgetRun)
	on("GET", "/admin/runs/:id/waterfall.svg", s.drawRun)
	on("GET", "/admin/runs/:id/waterfall.txt", s.writeRun)
	on("GET", "/admin/holds", s.listHolds)
	on("GET", "/admin/holds/:name", s.showHold)
	on("DELETE", "/admin/holds/:name", s.failHold)
	on("POST", "/admin/holds/:name/release", s.releaseHold)
	on("GET", clockPath, s.showClock)
	on("POST", clockPath, s.setClock)
}

const clockPath = "/admin/clock"

// admin passes on the requests that s.access accepts. There is no CORS: the admin
// API is not for pages of other origins.
func (s *Server) admin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h["X-Content-Type-Options"] = nosniff
		if p := s.access.check(r); p != nil {
			if p.Status == http.StatusUnauthorized {
				h.Set("WWW-Authenticate", `Bearer realm="delay-server admin API"`)
			}
			return p
		}
		if r.ContentLength != 0 && (r.Method != http.MethodPost || c.Path() != clockPath) {
			return problem.New(http.StatusBadRequest, "this request has a body; accepted: none, what it may say is said in the query")
		}
		return next(c)
	}
}

const (
	adminTimeout    = 10 * time.Second // of a request that waits and does not say for how long
	mostAdminWait   = 10 * time.Minute // that one may say
	mostAdminWaiter = 1_000_000_000    // requests that can be waited for
	mostAdminWaits  = 1000             // that wait at a time
)

// adminQuery reads a query of the admin API, of which every parameter is known:
// it has no client that adds others. The error is a *problem.Problem.
func adminQuery(c echo.Context, known ...string) (url.Values, error) {
	values, ignored, err := query.Read(c.Request().URL.RawQuery, known)
	if err == nil && len(ignored) > 0 {
		accepted := "none"
		if len(known) > 0 {
			accepted = strings.Join(known, ", ")
		}
		err = problem.New(http.StatusBadRequest, "no such parameter: %s; accepted: %s", problem.Quote(ignored[0]), accepted)
	}
	return values, err
}

// condition is what a request of the admin API waits for, by the machine's clock:
// the server's own may be frozen.
type condition struct {
	waiting int  // so many wait, or more; 0 for none
	settled bool // none waits any more
	timeout time.Duration
}

// readCondition reads waiting, timeout, and settled where it is known. The error
// is a *problem.Problem.
func readCondition(c echo.Context, more ...string) (condition, error) {
	values, err := adminQuery(c, append([]string{"waiting", "timeout"}, more...)...)
	if err != nil {
		return condition{}, err
	}
	asked := condition{timeout: adminTimeout}
	if values.Has("settled") {
		if asked.settled, err = strconv.ParseBool(values.Get("settled")); err != nil {
			return asked, problem.New(http.StatusBadRequest, "settled %s is not accepted; accepted: true or false", problem.Quote(values.Get("settled")))
		}
	}
	if values.Has("waiting") {
		if asked.waiting, err = readCount(values, "waiting"); err != nil {
			return asked, err
		}
	}
	if asked.settled && asked.waiting > 0 {
		return asked, problem.New(http.StatusBadRequest, "settled=true and waiting=%d contradict each other; accepted: one of the two", asked.waiting)
	}
	if values.Has("timeout") {
		if asked.timeout, err = plan.ReadTimeout(values.Get("timeout"), mostAdminWait); err != nil {
			return asked, err
		}
		if !asked.settled && asked.waiting == 0 {
			return asked, problem.New(http.StatusBadRequest, "timeout=%s has nothing to wait for; accepted: with %s", problem.Quote(values.Get("timeout")), strings.Join(append([]string{"waiting=N"}, more...), " or "))
		}
	}
	return asked, nil
}

func readCount(values url.Values, name string) (int, error) {
	n, err := strconv.Atoi(values.Get(name))
	if err != nil || n < 1 || n > mostAdminWaiter {
		return 0, problem.New(http.StatusBadRequest, "%s %s is not accepted; accepted: a whole number from 1 to %d", name, problem.Quote(values.Get(name)), mostAdminWaiter)
	}
	return n, nil
}

// errLate ends a wait of the admin API.
var errLate = errors.New("the timeout has passed")

// inRoom returns a context that ends after the condition's timeout, and when the
// server drains. It is paid back by one leave. The error is a *problem.Problem
// where as many wait here as may: each change of anything wakes all of them.
func (s *Server) inRoom(c echo.Context, a condition) (ctx context.Context, leave func(), err error) {
	if !s.adminWaits.Enter() {
		return nil, nil, problem.New(http.StatusServiceUnavailable, "%d requests of the admin API wait already, as many as may", mostAdminWaits)
	}
	ctx, cancel := context.WithCancelCause(c.Request().Context())
	ctx, stop := context.WithTimeoutCause(ctx, a.timeout, errLate)
	unhook := context.AfterFunc(s.running, func() { cancel(flow.ErrShutdown) })
	return ctx, func() { unhook(); stop(); cancel(nil); s.adminWaits.Leave() }, nil
}

// late returns err, of a wait that ended before the condition held, as it is to
// the client: format says how far things had come.
func (a condition) late(err error, format string, args ...any) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLate):
		p := problem.New(http.StatusGatewayTimeout, format, args...)
		p.Detail += " after " + a.timeout.String()
		return p
	default:
		return err // flow.ErrShutdown, or the client left
	}
}

// param returns a parameter of the path, unescaped: Echo leaves the escapes in
// where a path has any that need not be. A slash at the end of a name is
// none of its, as in /admin/holds/a/.
func param(c echo.Context, name string) string {
	value := c.Param(name)
	if name == "name" {
		value = strings.TrimSuffix(value, "/")
	}
	if c.Request().URL.RawPath != "" {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}
