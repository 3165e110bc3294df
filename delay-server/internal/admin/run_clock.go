package admin

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func (a *API) showRunClock(c echo.Context) error {
	run := param(c, "id")
	want, err := readCondition(c)
	if err != nil {
		return err
	}
	if err := plan.CheckRun(run); err != nil {
		return err
	}
	own := a.options.Journal.Clocks.Of(run)
	if own == nil {
		return noRunClock(run)
	}
	return a.answerState(c, own, want)
}

// setRunClock makes the run's own clock if needed, unless the command is to advance it.
func (a *API) setRunClock(c echo.Context) error {
	run, clocks := param(c, "id"), a.options.Journal.Clocks
	command, err := a.readCommand(c)
	if err != nil {
		return err
	}
	if err := plan.CheckRun(run); err != nil {
		return err
	}
	own := clocks.Of(run)
	if command.set == nil {
		if own == nil {
			return noRunClock(run)
		}
		if err := advance(c.Request().Context(), own, command.advance); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, client.Clock(own.State()))
	}
	if own == nil {
		if own, err = a.options.Journal.MakeClock(run); err != nil {
			return makeClockProblem(run, err)
		}
	}
	if !clocks.Set(run, own, command.set) { // the run was forgotten at the same time
		return noRunClock(run)
	}
	return c.JSON(http.StatusOK, client.Clock(own.State()))
}

func noRunClock(run string) *problem.Problem {
	return problem.RunClockNotFound.New(`run %s has no clock of its own; make it, before the run's first request, `+
		`with {"freeze":true}, {"scale":0.1} or {"reset":true}`, problem.Quote(run))
}

func makeClockProblem(run string, err error) error {
	switch {
	case errors.As(err, new(*journal.RunInFlightError)):
		return problem.RunInFlight.New("run %s gets no clock of its own: %v; make the clock before they are sent",
			problem.Quote(run), err)
	case errors.Is(err, clock.ErrTooManyRuns):
		return problem.TooManyRunClocks.New("run %s gets no clock of its own: %v; forget runs that have ended: "+
			"DELETE /admin/runs/{id}", problem.Quote(run), err)
	default:
		return err
	}
}
