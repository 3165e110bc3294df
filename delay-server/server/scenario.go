package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/httpflow"
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
	if s.file != nil {
		s.file.Reload()
	}
}

// ScenarioExample returns the method and the percent-encoded path of a request that
// a route of SCENARIO answers, or "" and "" without SCENARIO.
func (s *Server) ScenarioExample() (method, path string) {
	if s.file == nil {
		return "", ""
	}
	return s.file.Current().Example()
}

// scenarioPoll is how often the file of SCENARIO is checked for a change. It is read
// when two checks in a row see the same change.
const scenarioPoll = time.Second

// watchScenario reloads the file of SCENARIO when it changes, until stop is called.
func (s *Server) watchScenario() (stop func()) {
	if s.file == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ticker := time.NewTicker(scenarioPoll)
	var watching sync.WaitGroup
	watching.Go(func() { s.file.Watch(ctx, ticker.C) })
	return func() {
		cancel()
		ticker.Stop()
		watching.Wait()
	}
}

// serveScenario answers a request if a scenario has a route at its path, and reports
// whether it did.
func (s *Server) serveScenario(w http.ResponseWriter, r *http.Request) bool {
	if s.scenarios.Empty() {
		return false
	}
	request := httpflow.PlanRequest(r)
	template, allowed := s.scenarios.Find(&request)
	if template == nil && allowed == "" {
		return false
	}
	answer := func(c echo.Context) error {
		switch {
		case template != nil:
			return s.requests.ServeTemplate(c, template)
		case r.Method == http.MethodOptions:
			return s.requests.ServePreflight(c, allowed)
		default:
			return httpkit.MethodNotAllowed(c, allowed)
		}
	}
	c := s.echo.AcquireContext()
	c.Reset(r, w)
	if err := s.requests.SetCORS(httpkit.RecoverPanics(answer))(c); err != nil {
		s.fail(err, c)
	}
	s.echo.ReleaseContext(c)
	return true
}
