// Package sweep shows what becomes of the two ways to fetch as calls are
// added: it measures both over a range of counts, for a table and a chart.
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

// Sweep is what to measure.
type Sweep struct {
	Counts []int // of calls, ascending: see ParseCounts
	Limit  int   // calls in flight at once when all are made at once; 0 for no limit

	// Call makes one call and returns the status of its answer. It must return
	// soon after its context is done.
	Call func(context.Context) (status int, err error)

	// Budget is the most that one measurement of calls in turn may take. Once
	// that is too little, only calls at once are measured: a thousand calls of
	// a second would take a quarter of an hour to show a straight line.
	Budget time.Duration
}

// What a sweep is that does not say.
const (
	Budget = 10 * time.Second
	Delay  = "100ms" // of each call, as delay-server reads it
)

// Point is what was measured of one count of calls.
type Point struct {
	Calls      int
	Concurrent time.Duration // the total, all at once
	Sequential time.Duration // the total, one after another; 0 where it was not measured

	// Expected is no measurement: what the sequential calls should take that
	// were not measured, by the mean of the last that were; 0 for no idea.
	Expected time.Duration
}

// Speedup returns how many times faster all at once is than one after another,
// or 0 where that was not measured.
func (p Point) Speedup() float64 { return float64(p.Sequential) / float64(p.Concurrent) }

// Rate returns how many calls a second all at once are.
func (p Point) Rate() float64 { return float64(p.Calls) / p.Concurrent.Seconds() }

// Knee returns the first point whose calls at once took half as long again as
// the shortest of fewer calls: a limit is met there or, where the waits are
// random, the longest of more of them. False where there is none.
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

// Points measures the counts in turn and yields each as it is measured. A
// failure is yielded last, with no point: that of a call, a *fetch.Error, which
// wraps a *StatusError where the answer was one of failure; or ctx's cause.
func (s Sweep) Points(ctx context.Context) iter.Seq2[Point, error] {
	return func(yield func(Point, error) bool) {
		turns := turns{budget: s.Budget}
		for _, n := range s.Counts {
			p, err := s.point(ctx, n, &turns)
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

func (s Sweep) point(ctx context.Context, n int, turns *turns) (Point, error) {
	p, calls := Point{Calls: n}, s.calls(n)
	var err error
	if p.Sequential, p.Expected, err = turns.measure(ctx, calls); err != nil {
		return Point{}, err
	}
	start := time.Now()
	_, err = fetch.Concurrent(ctx, calls, s.Limit)
	p.Concurrent = time.Since(start)
	return p, err
}

// turns measures calls one after another, more of them each time, until they
// take more than the budget.
type turns struct {
	budget time.Duration
	mean   time.Duration // of a call, as last measured
	over   bool          // the budget has been too little
}

var errOver = errors.New("over the budget")

// measure returns what calls take; or, over the budget, 0 and what they should
// take, 0 for no idea.
func (t *turns) measure(ctx context.Context, calls []fetch.Call) (took, expected time.Duration, err error) {
	n := time.Duration(len(calls))
	if t.mean*n > t.budget {
		t.over = true
		return 0, t.mean * n, nil
	}
	if t.over {
		return 0, 0, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.budget, errOver)
	defer cancel()
	start := time.Now()
	_, err = fetch.Sequential(ctx, calls)
	took = time.Since(start)
	if errors.Is(err, errOver) {
		t.over = true
		return 0, 0, nil
	}
	t.mean = took / n
	return took, 0, err
}

// calls returns the calls r1 to rn, which fail where their answer is a failure.
func (s Sweep) calls(n int) []fetch.Call {
	calls := make([]fetch.Call, n)
	for i := range calls {
		calls[i] = fetch.Call{Name: "r" + strconv.Itoa(i+1), Do: func(ctx context.Context) (int, error) {
			status, err := s.Call(ctx)
			if err == nil && status >= http.StatusBadRequest {
				err = &StatusError{status}
			}
			return status, err
		}}
	}
	return calls
}

// StatusError is an answer that says no: it comes without the wait that was to
// be measured.
type StatusError struct {
	Status int // of HTTP, 400 or more
}

// Error returns "answered 503 Service Unavailable, …".
func (e *StatusError) Error() string {
	return fmt.Sprintf("answered %d %s, which is no measurement", e.Status, http.StatusText(e.Status))
}
