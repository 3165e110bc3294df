package admin

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func (a *API) listHolds(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	var holds client.Holds
	for _, h := range a.options.Holds.States() {
		holds.Holds = append(holds.Holds, client.Hold(h))
	}
	return c.JSON(http.StatusOK, holds)
}

func (a *API) showHold(c echo.Context) error {
	name := param(c, "name")
	want, err := readCondition(c)
	if err != nil {
		return err
	}
	if err := plan.CheckHold(name); err != nil {
		return err
	}
	hold := a.options.Holds.State(name)
	if want.waiting > 0 {
		ctx, end, err := a.beginWait(c, want.timeout)
		if err != nil {
			return err
		}
		defer end()
		hold, err = a.options.Holds.AwaitWaiting(ctx, name, want.waiting)
		if err != nil {
			return want.timedOut(err, "hold %s: %d of %d requests wait",
				problem.Quote(name), hold.Waiting, want.waiting)
		}
	}
	return c.JSON(http.StatusOK, client.Hold(hold))
}

func (a *API) releaseHold(c echo.Context) error {
	name := param(c, "name")
	values, err := readQuery(c, "count")
	if err != nil {
		return err
	}
	count := 0
	if values.Has("count") {
		if count, err = readCount(values, "count"); err != nil {
			return err
		}
	}
	released, err := a.options.Holds.Release(name, count)
	if err != nil {
		return holdProblem(name, err)
	}
	return c.JSON(http.StatusOK, client.Released{Name: name, Released: released})
}

func (a *API) failHold(c echo.Context) error {
	name := param(c, "name")
	if _, err := readQuery(c); err != nil {
		return err
	}
	failed, err := a.options.Holds.Fail(name)
	if err != nil {
		return holdProblem(name, err)
	}
	return c.JSON(http.StatusOK, client.Failed{Name: name, Failed: failed})
}

func holdProblem(name string, err error) *problem.Problem {
	if errors.Is(err, gate.ErrNobodyHeld) {
		return problem.HoldNotFound.New("hold %s: %v", problem.Quote(name), err)
	}
	return problem.TooFewHeld.New("hold %s: %v", problem.Quote(name), err)
}
