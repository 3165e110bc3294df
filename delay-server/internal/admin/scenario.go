package admin

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// scenarioRun returns the run of /admin/runs/{id}/scenario, or "" for /admin/scenario. It
// rejects a query. The run may be new.
func scenarioRun(c echo.Context) (run string, err error) {
	if _, err := readQuery(c); err != nil {
		return "", err
	}
	if len(c.ParamNames()) == 0 {
		return "", nil
	}
	run = param(c, "id")
	return run, plan.CheckRun(run)
}

func (a *API) showScenario(c echo.Context) error {
	run, err := scenarioRun(c)
	if err != nil {
		return err
	}
	text, ok := a.options.Scenarios.Text(run)
	if !ok {
		return noScenario(run, "the server has no scenario")
	}
	return c.Blob(http.StatusOK, "application/yaml", []byte(text))
}

// putScenario takes a body of any type: curl's --data-binary sends the type of a form.
func (a *API) putScenario(c echo.Context) error {
	run, err := scenarioRun(c)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := httpkit.ReadBody(c, &body, a.options.ReadTimeout); err != nil {
		return err
	}
	err = a.options.Scenarios.Put(run, body.Bytes())
	if full, ok := errors.AsType[*scenario.LimitError](err); ok {
		return problem.TooManyScenarios.New("%v; delete one: DELETE /admin/runs/{id}/scenario", full)
	}
	if err != nil {
		return problem.InvalidScenario.New("%v", err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) deleteScenario(c echo.Context) error {
	run, err := scenarioRun(c)
	if err != nil {
		return err
	}
	if !a.options.Scenarios.Delete(run) {
		return noScenario(run, "no scenario was set by PUT /admin/scenario")
	}
	return c.NoContent(http.StatusNoContent)
}

// noScenario returns the problem of a run without a scenario, or, if run is "", of the
// server with the given detail.
func noScenario(run, detail string) *problem.Problem {
	if run == "" {
		return problem.ScenarioNotFound.New("%s", detail)
	}
	return problem.ScenarioNotFound.New("run %s has no scenario", problem.Quote(run))
}
