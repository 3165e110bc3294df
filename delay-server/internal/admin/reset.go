package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// reset brings all state back to the start. Requests in holds and at barriers are answered
// 503. All others go on: they wait on the clock, which runs, in the pool that they are in.
func (a *API) reset(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	o := a.options
	o.Scenarios.Reset()
	if err := o.Clock.Reset(o.TimeScale); err != nil {
		return err
	}
	o.Journal.ForgetAll() // after Clock.Reset: dropped clocks of runs get the server's scale
	o.Counts.ForgetAll()  // after the clocks of runs are dropped: limits count on them
	o.Pools.Reset()
	// Last, so that a client that is answered finds all else as at the start.
	o.Holds.Reset()
	o.Barriers.Reset()
	return c.NoContent(http.StatusNoContent)
}
