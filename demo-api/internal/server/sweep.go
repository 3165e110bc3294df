package server

import (
	"context"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"

	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/upstream"
)

// sweep makes more and more calls both ways and tells, in a stream of events,
// how long they took. A viewer that leaves ends it.
func (s *Server) sweep(c echo.Context) error {
	if resumed(c.Request()) {
		return c.NoContent(http.StatusNoContent)
	}
	asked, counts, err := s.readSweep(c.Request())
	if err != nil {
		return err
	}
	leave, err := s.room.take(concurrent.atOnce(asked))
	if err != nil {
		return err
	}
	defer leave()
	asked.announce(c)
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	to := newEvents(c, asked.runID)
	defer to.close()
	to.send("sweep", sweepBegins{counts, asked.runID, ms(sweep.Budget)})
	var points []sweep.Point
	for p, err := range s.measures(asked, counts).Points(to.ctx) {
		if err != nil {
			to.send("failed", sweepFailed{counts[len(points)], s.problem(err, c)})
			return nil
		}
		points = append(points, p)
		knee, _ := sweep.Knee(points)
		to.send("point", pointOf(p, knee.Calls == p.Calls))
	}
	to.send("done", struct{}{})
	return nil
}

// What the events of a sweep say. Times are in milliseconds.
type (
	sweepBegins struct {
		Calls  []int  `json:"calls"` // the counts that are measured in turn
		Run    string `json:"run"`   // the X-Run-Id of all calls
		Budget ms     `json:"budget_ms"`
	}
	sweepPoint struct {
		Calls      int     `json:"calls"`
		Sequential ms      `json:"sequential_ms,omitzero"` // absent where it was over the budget and not measured
		Expected   ms      `json:"expected_ms,omitzero"`   // in its place, and no measurement; absent for no idea
		Concurrent ms      `json:"concurrent_ms"`
		Speedup    float64 `json:"speedup,omitempty"` // absent where sequential_ms is
		Rate       float64 `json:"calls_per_second"`  // all at once
		Knee       bool    `json:"knee,omitempty"`    // all at once is no longer flat: see sweep.Knee
	}
	sweepFailed struct {
		Calls   int              `json:"calls"` // the count at which it ended
		Problem *problem.Problem `json:"problem"`
	}
)

func pointOf(p sweep.Point, knee bool) sweepPoint {
	thousandth := func(x float64) float64 { return math.Round(1000*x) / 1000 }
	return sweepPoint{
		Calls: p.Calls, Sequential: ms(p.Sequential), Expected: ms(p.Expected), Concurrent: ms(p.Concurrent),
		Speedup: thousandth(p.Speedup()), Rate: thousandth(p.Rate()), Knee: knee,
	}
}

// measures returns the sweep of counts that a request asks for.
func (s *Server) measures(asked ask, counts []int) sweep.Sweep {
	return sweep.Sweep{
		Counts: counts,
		Limit:  asked.limit,
		Budget: sweep.Budget,
		Call: func(ctx context.Context) (int, error) {
			return s.upstream.Get(ctx, upstream.Request{Delay: asked.delay, RunID: asked.runID})
		},
	}
}

// readSweep returns the counts of calls that r asks for, and all else that it
// does, with the highest count as its calls. The error is a *problem.Problem, 400.
func (s *Server) readSweep(r *http.Request) (asked ask, counts []int, err error) {
	if asked, counts, err = parseSweep(givenQuery(r.URL.RawQuery), s.options); err != nil {
		return ask{}, nil, err
	}
	asked.runID, err = runID(r.Header, maxRunID)
	return asked, counts, err
}

// sweepParameters are those of the query.
var sweepParameters = []string{"calls", "delay", "limit"}

// parseSweep reads all of a request but its headers.
func parseSweep(raw string, options Options) (ask, []int, error) {
	values, ignored, err := query.Read(raw, sweepParameters)
	if err != nil {
		return ask{}, nil, err
	}
	calls := sweep.Doubling(options.MaxCalls)
	if values.Has("calls") {
		calls = values.Get("calls")
	}
	counts, err := sweep.ParseCounts(calls, options.MaxCalls)
	if err != nil {
		return ask{}, nil, problem.New(http.StatusBadRequest, "calls %s: %v", problem.Quote(calls), err)
	}
	rest := url.Values{"delay": {sweep.Delay}}
	maps.Copy(rest, values)
	rest.Del("calls")
	asked, err := parseQuery(rest.Encode(), options)
	asked.calls, asked.ignored = slices.Max(counts), ignored
	return asked, counts, err
}
