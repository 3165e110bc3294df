package server

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"

	"flash.test/demo-api/internal/sweep"
)

// sweep makes increasing numbers of calls in both ways, and streams an event with
// the times of each. It ends when the client leaves.
func (s *Server) sweep(c echo.Context) error {
	p, counts, err := s.parseSweepRequest(c.Request())
	if err != nil {
		return err
	}
	return s.streamEvents(c, p, concurrent.concurrency(p), func(stream *eventStream) {
		stream.send("sweep", sweepStart{counts, p.runID, ms(sweep.Budget)})
		var points []sweep.Point
		for point, err := range s.newSweep(p, counts).Points(stream.ctx) {
			if err != nil {
				stream.send("failed", sweepFailed{counts[len(points)], s.problem(err, c)})
				return
			}
			points = append(points, point)
			knee, _ := sweep.Knee(points)
			stream.send("point", newSweepPoint(point, knee.Calls == point.Calls))
		}
		stream.send("done", struct{}{})
	})
}

// The events of a sweep. Times are in milliseconds.
type (
	sweepStart struct {
		Calls  []int  `json:"calls"` // the counts to measure
		Run    string `json:"run"`   // X-Run-Id of all calls
		Budget ms     `json:"budget_ms"`
	}
	sweepPoint struct {
		Calls      int     `json:"calls"`
		Sequential ms      `json:"sequential_ms,omitzero"` // absent if over the budget
		Expected   ms      `json:"expected_ms,omitzero"`   // estimate of an absent sequential_ms, if there is one
		Concurrent ms      `json:"concurrent_ms"`
		Speedup    float64 `json:"speedup,omitempty"` // absent without sequential_ms
		Rate       float64 `json:"calls_per_second"`  // concurrent
		Knee       bool    `json:"knee,omitempty"`    // see sweep.Knee
	}
	sweepFailed struct {
		Calls   int              `json:"calls"` // the count that failed
		Problem *problem.Problem `json:"problem"`
	}
)

func newSweepPoint(p sweep.Point, knee bool) sweepPoint {
	round := func(x float64) float64 { return math.Round(1000*x) / 1000 }
	return sweepPoint{
		Calls: p.Calls, Sequential: ms(p.Sequential), Expected: ms(p.Expected), Concurrent: ms(p.Concurrent),
		Speedup: round(p.Speedup()), Rate: round(p.Rate()), Knee: knee,
	}
}

func (s *Server) newSweep(p params, counts []int) sweep.Sweep {
	return sweep.Sweep{
		Counts: counts,
		Limit:  p.limit,
		Budget: sweep.Budget,
		Waits:  p.waits(),
		Call:   func(ctx context.Context, i int) (int, error) { return s.upstream.Get(ctx, p.request(i)) },
	}
}

// parseSweepRequest returns the parameters of a sweep and its counts of calls.
// p.calls is the highest count. The error is a *problem.Problem, 400.
func (s *Server) parseSweepRequest(r *http.Request) (p params, counts []int, err error) {
	if p, counts, err = parseSweep(withoutEmpty(r.URL.RawQuery), s.options); err != nil {
		return params{}, nil, err
	}
	seed := uint64(rand.Int32())
	if p.seed != nil {
		seed = *p.seed
	}
	p.draw(seed, s.options.MaxDelay)
	p.runID, err = parseRunID(r.Header, query.MaxName)
	return p, counts, err
}

// sweepPlan responds with the times of a sweep if only the waits of its calls took
// time. A sweep with the seed of the plan makes these calls.
func (s *Server) sweepPlan(c echo.Context) error {
	p, counts, err := s.parseSweepRequest(c.Request())
	if err != nil {
		return err
	}
	plan := sweepPlanned{Calls: counts}
	if !p.isFixed() {
		plan.Seed = p.seed
	}
	for _, point := range s.newSweep(p, counts).Ideal() {
		plan.Ideal = append(plan.Ideal, idealPoint{point.Calls, ms(point.Sequential), ms(point.Concurrent)})
	}
	return c.JSON(http.StatusOK, plan)
}

type (
	sweepPlanned struct {
		Seed  *uint64      `json:"seed,omitempty"` // of random delays
		Calls []int        `json:"calls"`
		Ideal []idealPoint `json:"ideal,omitempty"` // absent if only delay-server knows the delays
	}
	idealPoint struct {
		Calls      int `json:"calls"`
		Sequential ms  `json:"sequential_ms"`
		Concurrent ms  `json:"concurrent_ms"`
	}
)

// sweepParamNames are the query parameters of a sweep.
var sweepParamNames = []string{"calls", "delay", "limit", "seed"}

// parseSweep parses the query of a sweep.
func parseSweep(raw string, options Options) (params, []int, error) {
	values, ignored, err := query.Read(raw, sweepParamNames)
	if err != nil {
		return params{}, nil, err
	}
	calls := sweep.Doubling(options.MaxCalls)
	if values.Has("calls") {
		calls = values.Get("calls")
	}
	counts, err := sweep.ParseCounts(calls, options.MaxCalls)
	if err != nil {
		return params{}, nil, problem.InvalidParameter.New("calls %s is invalid: %v", problem.Quote(calls), err)
	}
	others := url.Values{"delay": {sweep.Delay}}
	maps.Copy(others, values)
	others.Del("calls")
	p, err := parseQuery(others.Encode(), options)
	p.calls, p.ignored = slices.Max(counts), ignored
	return p, counts, err
}
