package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
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

// options answers a preflight at once: a browser asks before it waits.
func (s *Server) options(c echo.Context) error { return s.preflight(c, allMethods) }

func (s *Server) preflight(c echo.Context, methods string) error {
	s.allow(c)
	h := c.Response().Header()
	h.Set("Allow", methods)
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Max-Age", "600")
		if asked := c.Request().Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	return c.NoContent(http.StatusNoContent)
}

const allMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
