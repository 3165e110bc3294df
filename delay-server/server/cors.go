package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// cors lets the pages of CORS_ORIGINS read the answers. Flash names the
// methods on every reply, not just on a preflight's.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	everyone, named := false, map[string]bool{}
	for _, origin := range s.config.CORSOrigins {
		everyone = everyone || origin == "*"
		named[strings.ToLower(origin)] = origin != "none"
	}
	return func(c echo.Context) error {
		h, origin := c.Response().Header(), c.Request().Header.Get("Origin")
		if !everyone {
			h.Add("Vary", "Origin")
		}
		switch {
		case everyone:
			origin = "*"
		case !named[strings.ToLower(origin)]:
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Expose-Headers", "Retry-After, Server-Timing, X-Ignored-Parameters")
		h.Set("Timing-Allow-Origin", origin)
		return next(c)
	}
}

// options answers a preflight at once: a browser asks before it waits.
func (s *Server) options(c echo.Context) error { return preflight(c, allMethods) }

func preflight(c echo.Context, methods string) error {
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
