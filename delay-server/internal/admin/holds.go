package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

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
		holds.Holds = append(holds.Holds, holdOf(h))
	}
	return c.JSON(http.StatusOK, holds)
}

func (a *API) showHold(c echo.Context) error {
	values, err := readQuery(c, "waiting", "timeout", "run")
	if err != nil {
		return err
	}
	want, err := parseCondition(values)
	if err != nil {
		return err
	}
	name, err := holdName(c, values)
	if err != nil {
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
			return want.timedOut(err, "hold %s: %d of %d requests wait", quoted(name), hold.Waiting, want.waiting)
		}
	}
	return c.JSON(http.StatusOK, holdOf(hold))
}

func holdOf(h gate.HoldState) client.Hold {
	hold := client.Hold{Name: h.Name.Name, Run: h.Name.Run, Waiting: h.Waiting}
	for i, r := range h.Held {
		hold.Requests = append(hold.Requests, client.HeldRequest{Nth: i + 1, Run: r.Run, Attempt: r.Attempt})
	}
	return hold
}

func (a *API) releaseHold(c echo.Context) error {
	values, err := readQuery(c, "attempt", "count", "nth", "order", "run")
	if err != nil {
		return err
	}
	name, err := holdName(c, values)
	if err != nil {
		return err
	}
	choice, err := readChoice(values)
	if err != nil {
		return err
	}
	released, err := a.options.Holds.Release(name, choice)
	if err != nil {
		return holdProblem(name, err)
	}
	return c.JSON(http.StatusOK, client.Released{Name: name.Name, Run: name.Run, Released: released})
}

// readChoice reads which requests to release: count and order, nth, or attempt. The error
// is a *problem.Problem.
func readChoice(values url.Values) (choice gate.Choice, err error) {
	for _, name := range []string{"attempt", "nth"} {
		for _, other := range []string{"count", "nth", "order"} {
			if values.Has(name) && values.Has(other) && name != other {
				return choice, problem.ConflictingParameters.New("%s and %s conflict: use one of them", other, name)
			}
		}
	}
	switch order := values.Get("order"); {
	case !values.Has("order"):
	case order == "newest", order == "oldest":
		choice.Newest, choice.Count = order == "newest", 1
	default:
		return choice, problem.InvalidParameter.New("order %s is invalid: use newest or oldest", problem.Quote(order))
	}
	for name, n := range map[string]*int{"attempt": &choice.Attempt, "count": &choice.Count, "nth": &choice.Nth} {
		if values.Has(name) {
			if *n, err = readCount(values, name); err != nil {
				return choice, err
			}
		}
	}
	return choice, nil
}

func (a *API) failHold(c echo.Context) error {
	values, err := readQuery(c, "run")
	if err != nil {
		return err
	}
	name, err := holdName(c, values)
	if err != nil {
		return err
	}
	failed, err := a.options.Holds.Fail(name)
	if err != nil {
		return holdProblem(name, err)
	}
	return c.JSON(http.StatusOK, client.Failed{Name: name.Name, Run: name.Run, Failed: failed})
}

// holdName reads the name of a hold from the path, and the run that it belongs to. The
// error is a *problem.Problem.
func holdName(c echo.Context, values url.Values) (gate.Name, error) {
	name, run := param(c, "name"), values.Get("run")
	if err := plan.CheckHold(name); err != nil {
		return gate.Name{}, err
	}
	switch ofRun := strings.HasPrefix(name, gate.RunPrefix); {
	case ofRun && !values.Has("run"):
		return gate.Name{}, problem.ConflictingParameters.New("hold %s needs run: add run=ID", problem.Quote(name))
	case !ofRun && values.Has("run"):
		return gate.Name{}, problem.ConflictingParameters.New(
			"hold %s and run conflict: only a name that begins with run: belongs to a run", problem.Quote(name))
	case ofRun:
		if err := plan.CheckRun(run); err != nil {
			return gate.Name{}, err
		}
	}
	return gate.NameOf(run, name), nil
}

// quoted returns the name for errors.
func quoted(name gate.Name) string {
	if name.Run == "" {
		return problem.Quote(name.Name)
	}
	return problem.Quote(name.Name) + " of run " + problem.Quote(name.Run)
}

func holdProblem(name gate.Name, err error) *problem.Problem {
	if errors.Is(err, gate.ErrNobodyHeld) {
		return problem.HoldNotFound.New("hold %s: %v", quoted(name), err)
	}
	return problem.TooFewHeld.New("hold %s: %v", quoted(name), err)
}
