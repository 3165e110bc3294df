package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
)

// openScenario reads SCENARIO; nil where it is "".
func (s *Server) openScenario() (*scenario.File, error) {
	if s.config.Scenario == "" {
		return nil, nil
	}
	file, err := scenario.Open(s.config.Scenario, s.planner, s.log)
	if err != nil {
		return nil, fmt.Errorf("SCENARIO: %w", err)
	}
	return file, nil
}

// ReloadScenario reads the file of SCENARIO again, as SIGHUP asks for; a file
// that is wrong leaves all as it was, but for a line in the log. Without
// SCENARIO it does nothing.
func (s *Server) ReloadScenario() {
	if s.scenario != nil {
		s.scenario.Reload()
	}
}

// ScenarioExample returns the method and the path of a request that a route of
// SCENARIO answers, percent-encoded; "" and "" without SCENARIO.
func (s *Server) ScenarioExample() (method, path string) {
	if s.scenario == nil {
		return "", ""
	}
	return s.scenario.Current().Example()
}

// scenarioPoll is how often the file of SCENARIO is looked at for a change, which
// is read when it is the same at two looks in a row.
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

// standIn answers requests that the scenario has a route for, by the one way of
// all that wait, and leaves the others to the server's own routes.
func (s *Server) standIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		template, allowed := s.scenario.Current().Find(r.Method, r.URL.EscapedPath())
		switch {
		case template != nil:
			return s.cors(func(c echo.Context) error { return s.run(c, template) })(c)
		case allowed == "":
			return next(c)
		case r.Method == http.MethodOptions:
			return s.preflight(c, allowed)
		default:
			return httpkit.MethodNotAllowed(c, allowed)
		}
	}
}
