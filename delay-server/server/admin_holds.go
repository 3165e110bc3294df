package server

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func (s *Server) listHolds(c echo.Context) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	var holds client.Holds
	for _, h := range s.holds.States() {
		holds.Holds = append(holds.Holds, client.Hold(h))
	}
	return c.JSON(http.StatusOK, holds)
}

func (s *Server) showHold(c echo.Context) error {
	name, asked, err := param(c, "name"), condition{}, error(nil)
	if asked, err = readCondition(c); err != nil {
		return err
	}
	if err := plan.CheckHold(name); err != nil {
		return err
	}
	hold := s.holds.State(name)
	if asked.waiting > 0 {
		ctx, leave, err := s.inRoom(c, asked)
		if err != nil {
			return err
		}
		defer leave()
		hold, err = s.holds.AwaitWaiting(ctx, name, asked.waiting)
		if err := asked.late(err, "hold %s: %d of %d are held", problem.Quote(name), hold.Waiting, asked.waiting); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, client.Hold(hold))
}

func (s *Server) releaseHold(c echo.Context) error {
	name := param(c, "name")
	values, err := adminQuery(c, "count")
	if err != nil {
		return err
	}
	count := 0
	if values.Has("count") {
		if count, err = readCount(values, "count"); err != nil {
			return err
		}
	}
	released, err := s.holds.Release(name, count)
	if err != nil {
		return holdError(name, err)
	}
	return c.JSON(http.StatusOK, client.Released{Name: name, Released: released})
}

func (s *Server) failHold(c echo.Context) error {
	name := param(c, "name")
	if _, err := adminQuery(c); err != nil {
		return err
	}
	failed, err := s.holds.Fail(name)
	if err != nil {
		return holdError(name, err)
	}
	return c.JSON(http.StatusOK, client.Failed{Name: name, Failed: failed})
}

func holdError(name string, err error) error {
	if errors.Is(err, gate.ErrNobodyHeld) {
		return problem.New(http.StatusNotFound, "hold %s: %v; accepted: one at which requests wait, as /admin/holds lists them", problem.Quote(name), err)
	}
	return problem.New(http.StatusConflict, "hold %s: %v; accepted: as many as are held, or all, without count", problem.Quote(name), err)
}
