package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
)

// origins says whose pages may read the answers.
type origins struct {
	everyone bool
	named    map[string]bool // in small letters
}

func newOrigins(setting []string) origins {
	o := origins{named: map[string]bool{}}
	for _, origin := range setting {
		o.everyone = o.everyone || origin == "*"
		o.named[strings.ToLower(origin)] = origin != "none"
	}
	return o
}

// Header values that all replies share: Set would make a slice of each for each
// reply. That is 4 of 31 allocations, and 5 to 12 % of BenchmarkHandler's time.
var (
	anyOrigin  = []string{"*"}
	methods    = []string{"GET, POST"}
	exposed    = []string{"Retry-After, Server-Timing, X-Ignored-Parameters"}
	nosniff    = []string{"nosniff"}
	varyOrigin = []string{"Origin"}
)

// cors lets the pages of CORS_ORIGINS read the errors too. An answer allows it by
// itself, once it is due: headers take 350 bytes from when the first is set, of
// each request that waits.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			s.allow(c)
		}
		return err
	}
}

// unwaited answers what no endpoint that takes any method waits for: OPTIONS, which
// a browser sends before it waits, and CONNECT and TRACE, which are about the
// connection and refused. It is not done with any other.
//
//go:noinline
func (s *Server) unwaited(c echo.Context) (done bool, err error) { // inlined, it would grow the stack of each wait
	switch c.Request().Method {
	case http.MethodConnect, http.MethodTrace:
		return true, httpkit.MethodNotAllowed(c, allMethods)
	case http.MethodOptions:
		return true, s.preflight(c, allMethods)
	default:
		return false, nil
	}
}

// allow lets the pages of CORS_ORIGINS read the reply.
func (s *Server) allow(c echo.Context) {
	s.origins.allow(c.Response().Header(), c.Request().Header.Get("Origin"))
}

// allow sets the headers that let the pages of origin read the answer, where
// they may. Flash names the methods on every reply, not just on a preflight's.
func (o origins) allow(h http.Header, origin string) {
	allowed := anyOrigin
	if !o.everyone {
		h["Vary"] = varyOrigin
		if !o.named[strings.ToLower(origin)] {
			return
		}
		allowed = []string{origin}
	}
	h["Access-Control-Allow-Origin"] = allowed
	h["Access-Control-Allow-Methods"] = methods
	h["Access-Control-Expose-Headers"] = exposed
	h["Timing-Allow-Origin"] = allowed
}

// preflight answers OPTIONS at a path that takes the methods.
func (s *Server) preflight(c echo.Context, methods string) error {
	s.allowPreflight(c, methods)
	c.Response().Header().Set(echo.HeaderAllow, methods)
	return c.NoContent(http.StatusNoContent)
}

// allowPreflight lets the pages of CORS_ORIGINS send the methods.
func (s *Server) allowPreflight(c echo.Context, methods string) {
	s.allow(c)
	h, asked := c.Response().Header(), c.Request().Header
	if h.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	if m := asked.Get("Access-Control-Request-Method"); methods == allMethods && takesAny(m) {
		methods += ", " + m
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Max-Age", "600")
	if names := asked.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
}

// takesAny reports whether what takes any method takes m, which allMethods has not.
func takesAny(m string) bool {
	return httpkit.Method.MatchString(m) && m != http.MethodConnect && m != http.MethodTrace && !slices.Contains(strings.Split(allMethods, ", "), m)
}

// allMethods is Allow where any method is taken: the usual ones, since none says any.
const allMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

// relevant returns the function that returns an origin which is named, "" for any
// other; nil where the origin makes no difference.
func (o origins) relevant() func(origin string) string {
	if o.everyone {
		return nil
	}
	return func(origin string) string {
		if o.named[strings.ToLower(origin)] {
			return origin
		}
		return ""
	}
}
