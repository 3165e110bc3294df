package server

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/ideal"
)

// racePlan responds with what a race would show if only the waits of its calls took
// time. A race with the seed of the plan makes these calls.
func (s *Server) racePlan(c echo.Context) error {
	p, err := s.parseRace(c.Request())
	if err != nil {
		return err
	}
	plan := racePlanned{Calls: p.calls}
	if !p.isFixed() {
		plan.Seed = p.seed
	}
	if waits := p.waits(); waits != nil {
		plan.Sequential = newPlannedLane(sequential.title(p), ideal.Sequential(waits))
		plan.Concurrent = newPlannedLane(concurrent.title(p), ideal.Concurrent(waits, p.limit))
	}
	return c.JSON(http.StatusOK, plan)
}

type (
	racePlanned struct {
		Seed       *uint64      `json:"seed,omitempty"` // of random delays
		Calls      int          `json:"calls"`
		Sequential *plannedLane `json:"sequential,omitempty"` // absent if only delay-server knows the delays
		Concurrent *plannedLane `json:"concurrent,omitempty"`
	}
	plannedLane struct {
		Title string  `json:"title"`
		Total ms      `json:"total_ms"`
		Bars  [][2]ms `json:"bars_ms"` // start and end of each call
	}
)

func newPlannedLane(title string, spans []ideal.Span) *plannedLane {
	lane := &plannedLane{title, ms(ideal.Total(spans)), make([][2]ms, len(spans))}
	for i, s := range spans {
		lane.Bars[i] = [2]ms{ms(s.Start), ms(s.End)}
	}
	return lane
}
