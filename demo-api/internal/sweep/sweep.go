// Package sweep measures sequential and concurrent calls over a range of counts,
// for a table and a chart.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strconv"
	"time"

	"flash.test/demo-api/internal/fetch"
)

// Sweep is a series of measurements.
type Sweep struct {
	Counts []int // of calls, ascending: see ParseCounts
	Limit  int   // concurrent calls in flight; 0 for no limit

	// Call makes call i, from 0, and returns the status of the response. Call i takes
	// as long in both ways and at each count. It must return soon after its context
	// is done.
	Call func(ctx context.Context, i int) (status int, err error)

	// Waits are the times of the calls of the largest count, or nil if unknown.
	Waits []time.Duration

	// Budget is the maximum time of one sequential measurement. Larger counts are
	// only measured concurrently: a thousand sequential calls of a second would
	// take a quarter of an hour to show a straight line.
	Budget time.Duration
}

// Defaults of a sweep.
const (
	Budget = 10 * time.Second
	Delay  = "100ms" // of each call, in a form of delay-server
)

// Point is the measurement of one count of calls.
type Point struct {
	Calls      int
	Concurrent time.Duration // total
	Sequential time.Duration // total; 0 if not measured
	Expected   time.Duration // estimate of a Sequential that was not measured; 0 for none
}

// Speedup returns Sequential over Concurrent, or 0 if Sequential was not measured.
func (p Point) Speedup() float64 { return float64(p.Sequential) / float64(p.Concurrent) }

// Rate returns the concurrent calls per second.
func (p Point) Rate() float64 { return float64(p.Calls) / p.Concurrent.Seconds() }

// Knee returns the first point whose concurrent time is 1.5 times the shortest time
// of the points before it. There, a limit is reached or, if the waits are random,
// one of the calls waited longer. It reports whether there is one.
func Knee(points []Point) (Point, bool) {
	shortest := time.Duration(math.MaxInt64)
	for _, p := range points {
		if p.Concurrent/3 > shortest/2 {
			return p, true
		}
		shortest = min(shortest, p.Concurrent)
	}
	return Point{}, false
}

// Points measures the counts in order and yields each point. It yields the first
// error and ends: a *fetch.Error, which wraps a *StatusError if the response was an
// error, or the cause of ctx.
func (s Sweep) Points(ctx context.Context) iter.Seq2[Point, error] {
	return func(yield func(Point, error) bool) {
		sequential := sequentialMeter{budget: s.Budget}
		for _, n := range s.Counts {
			p, err := s.point(ctx, n, &sequential)
			if err != nil {
				yield(Point{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s Sweep) point(ctx context.Context, n int, sequential *sequentialMeter) (Point, error) {
	p, calls := Point{Calls: n}, s.calls(n)
	var err error
	if p.Sequential, p.Expected, err = sequential.measure(ctx, calls); err != nil {
		return Point{}, err
	}
	start := time.Now()
	_, err = fetch.Concurrent(ctx, calls, s.Limit)
	p.Concurrent = time.Since(start)
	return p, err
}

// sequentialMeter measures increasing numbers of sequential calls until they exceed
// the budget.
type sequentialMeter struct {
	budget   time.Duration
	mean     time.Duration // of a call in the last measurement
	exceeded bool
}

var errBudget = errors.New("budget exceeded")

// measure returns the time of calls. Over the budget it returns 0 and an estimate,
// or 0 for no estimate.
func (m *sequentialMeter) measure(
	ctx context.Context, calls []fetch.Call,
) (measured, expected time.Duration, err error) {
	n := time.Duration(len(calls))
	if m.mean*n > m.budget {
		m.exceeded = true
		return 0, m.mean * n, nil
	}
	if m.exceeded {
		return 0, 0, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.budget, errBudget)
	defer cancel()
	start := time.Now()
	_, err = fetch.Sequential(ctx, calls)
	measured = time.Since(start)
	if errors.Is(err, errBudget) {
		m.exceeded = true
		return 0, 0, nil
	}
	m.mean = measured / n
	return measured, 0, err
}

// calls returns the calls r1 to rn. A call fails if the status of its response is
// 400 or above.
func (s Sweep) calls(n int) []fetch.Call {
	calls := make([]fetch.Call, n)
	for i := range calls {
		calls[i] = fetch.Call{Name: "r" + strconv.Itoa(i+1), Do: func(ctx context.Context) (int, error) {
			status, err := s.Call(ctx, i)
			if err == nil && status >= http.StatusBadRequest {
				err = &StatusError{status}
			}
			return status, err
		}}
	}
	return calls
}

// StatusError is a response whose status is an error: its time is not the wait to
// measure.
type StatusError struct {
	Status int // HTTP status, 400 or above
}

// Error returns "got status 503 Service Unavailable".
func (e *StatusError) Error() string {
	return fmt.Sprintf("got status %d %s", e.Status, http.StatusText(e.Status))
}
