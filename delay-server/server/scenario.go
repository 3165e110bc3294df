package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
)

// openScenario reads SCENARIO. It returns nil if that is "".
func openScenario(config Config, planner *plan.Planner, log *slog.Logger) (*scenario.File, error) {
	if config.Scenario == "" {
		return nil, nil
	}
	file, err := scenario.Open(config.Scenario, planner, log)
	if err != nil {
		return nil, fmt.Errorf("SCENARIO: %w", err)
	}
	return file, nil
}

// ReloadScenario reads the file of SCENARIO again, as on SIGHUP. If the file is
// invalid it logs why and keeps the routes.
func (s *Server) ReloadScenario() {
	if s.scenario != nil {
		s.scenario.Reload()
	}
}

// ScenarioExample returns the method and the percent-encoded path of a request that
// a route of SCENARIO answers, or "" and "" without SCENARIO.
func (s *Server) ScenarioExample() (method, path string) {
	if s.scenario == nil {
		return "", ""
	}
	return s.scenario.Current().Example()
}

// scenarioPoll is how often the file of SCENARIO is checked for a change. It is read
// when two checks in a row see the same change.
const scenarioPoll = time.Second

// watchScenario reloads the file of SCENARIO when it changes, until stop is called.
func (s *Server) watchScenario() (stop func()) {
	if s.scenario == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ticker := time.NewTicker(scenarioPoll)
	var watching sync.WaitGroup
	watching.Go(func() { s.scenario.Watch(ctx, ticker.C) })
	return func() {
		cancel()
		ticker.Stop()
		watching.Wait()
	}
}

// serveScenario is middleware that answers requests for which the scenario has a
// route.
func (s *Server) serveScenario(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		template, allowed := s.scenario.Current().Find(r.Method, r.URL.EscapedPath())
		switch {
		case template != nil:
			return s.requests.SetCORS(func(c echo.Context) error { return s.requests.ServeTemplate(c, template) })(c)
		case allowed == "":
			return next(c)
		case r.Method == http.MethodOptions:
			return s.requests.ServePreflight(c, allowed)
		default:
			return httpkit.MethodNotAllowed(c, allowed)
		}
	}
}
