// Package admin is the admin API. A test uses it to watch waiting requests and to decide
// when their waits end. The package uses only the clock, the gates, the journal, the
// scenarios and the planner's counts of runs.
package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/feed"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// Options are the settings of an API and the parts of the server that it uses. All are
// required except Token and Hosts.
type Options struct {
	Host  string        // HOST, where the server listens
	Token string        // ADMIN_TOKEN; "" for none, or NoToken
	Hosts plan.HostList // ADMIN_HOSTS

	ReadTimeout time.Duration // for the body of a request
	TimeScale   float64       // of the clock after a reset
	JournalSize int

	Clock     *clock.Clock
	Holds     *gate.Holds
	Barriers  *gate.Barriers
	Pools     *gate.Pools
	Journal   *journal.Journal
	Counts    Counts
	Scenarios *scenario.Set
}

// Counts are what is known of each run outside the journal: counts of attempts, of requests
// with a seed and of rate limits, and the results on the board.
type Counts interface {
	// Forget reports whether something was known of the run.
	Forget(run string) bool
	ForgetAll()
}

// API is the admin API. Use New.
type API struct {
	options Options
	access  access
	waits   *gate.Semaphore
	live    *feed.Feed
	running context.Context // done after Shutdown
	stop    context.CancelCauseFunc
}

// New returns an API. Without a token it makes a random one if the server listens
// beyond loopback.
func New(o Options) *API {
	a := &API{options: o, access: newAccess(o.Host, o.Token, o.Hosts), waits: gate.NewSemaphore(maxWaits)}
	a.live = feed.New(maxViewers, liveInterval, a.liveState)
	a.running, a.stop = context.WithCancelCause(context.Background())
	return a
}

// Token returns the token for writes, or "" if every client may write.
func (a *API) Token() string { return a.access.token }

// Waiting returns how many requests of the API wait for a condition.
func (a *API) Waiting() int { return a.waits.Inside() }

// Shutdown ends all waits with cause, and all streams; also waits and streams that begin later.
func (a *API) Shutdown(cause error) {
	a.stop(cause)
	a.live.Close()
}

// Prefix begins the paths of the API.
const Prefix = "/admin"

// IsPath reports whether path is below Prefix.
func IsPath(path string) bool { return path == Prefix || strings.HasPrefix(path, Prefix+"/") }

// Routes adds the API's routes to e.
func (a *API) Routes(e *echo.Echo) {
	add := func(method, path string, takesBody bool, handler echo.HandlerFunc) {
		handler = httpkit.RecoverPanics(a.guard(a.access.check, takesBody, handler))
		e.Add(method, path, handler)
		if method == http.MethodGet {
			e.Add(http.MethodHead, path, handler)
		}
	}
	on := func(method, path string, handler echo.HandlerFunc) { add(method, path, false, handler) }
	onBody := func(method, path string, handler echo.HandlerFunc) { add(method, path, true, handler) }
	on("GET", "/admin/live", a.showLive)
	on("GET", "/admin/runs", a.listRuns)
	on("DELETE", "/admin/runs", a.forgetRuns)
	on("GET", "/admin/runs/:id", a.showRun)
	on("DELETE", "/admin/runs/:id", a.forgetRun)
	on("GET", "/admin/runs/:id/waterfall.svg", a.drawRun)
	on("GET", "/admin/runs/:id/waterfall.txt", a.writeRun)
	on("GET", "/admin/runs/:id/check", a.checkRun)
	on("GET", "/admin/check", a.checkRuns)
	on("GET", "/admin/runs/:id/clock", a.showRunClock)
	onBody("POST", "/admin/runs/:id/clock", a.setRunClock)
	on("GET", "/admin/holds", a.listHolds)
	on("GET", "/admin/holds/:name", a.showHold)
	on("DELETE", "/admin/holds/:name", a.failHold)
	on("POST", "/admin/holds/:name/release", a.releaseHold)
	on("GET", "/admin/clock", a.showClock)
	onBody("POST", "/admin/clock", a.setClock)
	on("POST", "/admin/reset", a.reset)
	for _, path := range []string{"/admin/scenario", "/admin/runs/:id/scenario"} {
		on("GET", path, a.showScenario)
		onBody("PUT", path, a.putScenario)
		on("DELETE", path, a.deleteScenario)
	}
}

// checker returns the problem if a request is rejected, or nil.
type checker = func(*http.Request) *problem.Problem

// GuardRead returns a handler that calls next if the API would accept the request as a
// read. If public is true, it accepts every read, except by a page of another origin.
func (a *API) GuardRead(public bool, next echo.HandlerFunc) echo.HandlerFunc {
	if public {
		return a.guard(httpkit.CheckOrigin, false, next)
	}
	return a.guard(a.access.check, false, next)
}

// guard calls next if check accepts the request, and its body if it has one. There is no
// CORS: pages of other origins have no access.
func (a *API) guard(check checker, takesBody bool, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		if p := check(r); p != nil {
			if p.Status == http.StatusUnauthorized {
				h.Set("WWW-Authenticate", `Bearer realm="delay-server admin API"`)
			}
			return p
		}
		if r.ContentLength != 0 && !takesBody {
			return problem.BodyNotAllowed.New("request body not allowed; use query parameters")
		}
		return next(c)
	}
}

// param returns a decoded parameter of the path. Echo does not decode it if the path has
// an unnecessary escape. A trailing slash, as in /admin/holds/a/, is not part of a name.
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

// errTimeout ends the wait of a request of the API.
var errTimeout = errors.New("timeout")

// beginWait returns a context that ends after timeout and at Shutdown. The caller
// calls end when the wait is over. The error is a *problem.Problem if maxWaits
// requests wait: each change wakes all of them.
func (a *API) beginWait(c echo.Context, timeout time.Duration) (ctx context.Context, end func(), err error) {
	if !a.waits.Enter() {
		return nil, nil, problem.TooManyAdminWaits.New("too many admin requests are waiting (at most %d)", maxWaits)
	}
	ctx, cancel := context.WithCancelCause(c.Request().Context())
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTimeout)
	unhook := context.AfterFunc(a.running, func() { cancel(context.Cause(a.running)) })
	return ctx, func() { unhook(); stop(); cancel(nil); a.waits.Leave() }, nil
}
