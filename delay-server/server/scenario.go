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

// ReloadFiles reads the files of SCENARIO and EXERCISES again, as on SIGHUP. If a file is
// invalid it logs why and keeps the routes or the exercises.
func (s *Server) ReloadFiles() {
	if s.file != nil {
		s.file.Reload()
	}
	if s.lessons.file != nil {
		s.lessons.file.Reload()
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

// filePoll is how often the files of SCENARIO and EXERCISES are checked for a change. They
// are read when two checks in a row see the same change.
const filePoll = time.Second

// watchFiles reloads the files of SCENARIO and EXERCISES when they change, until stop is
// called.
func (s *Server) watchFiles() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watch := func(file func(context.Context, <-chan time.Time)) {
		watching.Go(func() {
			ticker := time.NewTicker(filePoll)
			defer ticker.Stop()
			file(ctx, ticker.C)
		})
	}
	if s.file != nil {
		watch(s.file.Watch)
	}
	if s.lessons.file != nil {
		watch(s.lessons.file.Watch)
	}
	return func() {
		cancel()
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
