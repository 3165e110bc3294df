package server

import (
	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/distribution"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// distribution answers a drawing of the distribution of a delay.
func (s *Server) distribution(c echo.Context) error {
	values, err := query.ReadKnown(c.Request().URL.RawQuery, "delay", "unit")
	if err != nil {
		return err
	}
	if !values.Has("delay") {
		return problem.InvalidParameter.New("delay is missing: use delay=lognormal:120ms,900ms")
	}
	unit := plan.Milliseconds
	if values.Has("unit") {
		unit = plan.Unit(values.Get("unit"))
	}
	if unit != plan.Milliseconds && unit != plan.Seconds {
		return problem.InvalidParameter.New("unit %s is invalid: use %s or %s", problem.Quote(string(unit)),
			plan.Milliseconds, plan.Seconds)
	}
	d, err := s.requests.Planner.ParseDelay(values.Get("delay"), unit)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	// If a browser opens the picture itself, it may only use its own style.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache")
	header.Set(echo.HeaderContentType, "image/svg+xml")
	return distribution.WriteSVG(c.Response(), d, s.config.MaxDelay)
}
