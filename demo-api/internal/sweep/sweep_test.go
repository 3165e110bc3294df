package sweep_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/sweep"
)

// respondAfter returns a call that returns status after wait.
func respondAfter(wait time.Duration, status int) func(context.Context, int) (int, error) {
	return func(ctx context.Context, _ int) (int, error) {
		select {
		case <-time.After(wait):
			return status, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// collect returns the points of s.
func collect(ctx context.Context, s sweep.Sweep) (points []sweep.Point, err error) {
	for p, err := range s.Points(ctx) {
		if err != nil {
			return points, err
		}
		points = append(points, p)
	}
	return points, nil
}

// The clock of the synctest bubble is exact.
func TestPoints(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		name  string
		sweep sweep.Sweep
		wait  time.Duration
		want  []sweep.Point
		took  time.Duration
	}{
		{
			"the sum and the slowest", sweep.Sweep{Counts: []int{1, 2, 5}, Budget: 10 * s}, s,
			[]sweep.Point{{1, s, s, 0}, {2, s, 2 * s, 0}, {5, s, 5 * s, 0}}, 11 * s,
		},
		{
			"a limit bends only the flat line", sweep.Sweep{Counts: []int{1, 4, 9}, Limit: 4, Budget: 10 * s}, s,
			[]sweep.Point{{1, s, s, 0}, {4, s, 4 * s, 0}, {9, 3 * s, 9 * s, 0}}, 19 * s,
		},
		{
			"the budget is exactly enough", sweep.Sweep{Counts: []int{2, 4}, Budget: 4*s + 1}, s,
			[]sweep.Point{{2, s, 2 * s, 0}, {4, s, 4 * s, 0}}, 8 * s,
		},
		{
			"counts with an estimate over the budget", sweep.Sweep{Counts: []int{2, 5, 1000}, Budget: 4 * s}, s,
			[]sweep.Point{{2, s, 2 * s, 0}, {5, s, 0, 5 * s}, {1000, s, 0, 1000 * s}}, 5 * s,
		},
		{
			"the first count is over the budget", sweep.Sweep{Counts: []int{2, 3, 4}, Budget: s}, s,
			[]sweep.Point{{2, s, 0, 0}, {3, s, 0, 0}, {4, s, 0, 0}}, 4 * s,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.sweep.Call = respondAfter(tc.wait, 200)
				start := time.Now()
				got, err := collect(t.Context(), tc.sweep)
				if err != nil || !slices.Equal(got, tc.want) {
					t.Errorf("Points() = %+v, %v\nwant %+v", got, err, tc.want)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
			})
		})
	}
}

// A measurement that takes longer than its estimate ends at the budget, and is the
// last sequential one.
func TestSlowerThanEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := sweep.Sweep{Counts: []int{1, 2, 3}, Limit: 1, Budget: 10 * time.Second} // never two calls in flight
		s.Call = func(ctx context.Context, i int) (int, error) {
			calls++
			if calls == 3 { // the first of two sequential calls
				return respondAfter(time.Minute, 200)(ctx, i)
			}
			return respondAfter(time.Second, 200)(ctx, i)
		}
		got, err := collect(t.Context(), s)
		want := []sweep.Point{
			{Calls: 1, Sequential: time.Second, Concurrent: time.Second},
			{Calls: 2, Concurrent: 2 * time.Second},
			{Calls: 3, Concurrent: 3 * time.Second},
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Points() = %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func TestFailures(t *testing.T) {
	errBroken := errors.New("broken")
	for _, tc := range []struct {
		name string
		call func(context.Context, int) (int, error)
		is   func(error) bool
	}{
		{"a failed call", func(context.Context, int) (int, error) { return 0, errBroken },
			func(err error) bool { return errors.Is(err, errBroken) }},
		{"an error status", respondAfter(0, 503), func(err error) bool {
			var bad *sweep.StatusError
			return errors.As(err, &bad) && bad.Status == 503
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			points, err := collect(t.Context(), sweep.Sweep{Counts: []int{1, 2}, Budget: time.Minute, Call: tc.call})
			var call *fetch.Error
			if !tc.is(err) || !errors.As(err, &call) || call.Call != "r1" || len(points) != 0 {
				t.Errorf("Points() = %v, %v; want no point and the error of call r1", points, err)
			}
		})
	}
	t.Run("a redirect is no failure", func(t *testing.T) {
		s := sweep.Sweep{Counts: []int{3}, Budget: time.Minute, Call: respondAfter(0, 302)}
		if points, err := collect(t.Context(), s); err != nil || len(points) != 1 {
			t.Errorf("Points() of calls with status 302 = %v, %v; want a point", points, err)
		}
	})
}

func TestCancelled(t *testing.T) {
	sweepOfThree := sweep.Sweep{Counts: []int{1, 2, 3}, Budget: time.Minute, Call: respondAfter(time.Second, 200)}
	errClientGone := errors.New("client closed the request")
	for _, tc := range []struct {
		name  string
		after time.Duration
		want  int // points
	}{
		{"during sequential calls", 2500 * time.Millisecond, 1},
		{"during concurrent calls", 4500 * time.Millisecond, 1},
		{"before the first call", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if tc.after == 0 {
					cancel(errClientGone)
				}
				time.AfterFunc(tc.after, func() { cancel(errClientGone) })
				start := time.Now()
				points, err := collect(ctx, sweepOfThree)
				took := time.Since(start)
				if !errors.Is(err, errClientGone) || len(points) != tc.want || took != tc.after {
					t.Errorf("Points() = %v, %v after %v; want %d points, %v, %v",
						points, err, took, tc.want, errClientGone, tc.after)
				}
			})
		})
	}
	t.Run("by the reader", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			for range sweepOfThree.Points(t.Context()) {
				break
			}
			if took := time.Since(start); took != 2*time.Second {
				t.Errorf("one point took %v, want 2s", took)
			}
		})
	})
}

func TestKnee(t *testing.T) {
	for _, tc := range []struct {
		name string
		ms   []int // concurrent times of 1, 2, 3 … calls
		want int   // calls; 0 for none
	}{
		{"none measured", nil, 0},
		{"one", []int{100}, 0},
		{"flat", []int{100, 101, 99, 148}, 0},
		{"1.5 times the shortest", []int{100, 100, 151, 300}, 3},
		{"a slow first point, which connects", []int{300, 100, 110, 160}, 4},
		{"the second point", []int{100, 200, 300}, 2},
	} {
		var points []sweep.Point
		for i, ms := range tc.ms {
			points = append(points, sweep.Point{Calls: i + 1, Concurrent: time.Duration(ms) * time.Millisecond})
		}
		if got, ok := sweep.Knee(points); got.Calls != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: Knee(%v) = %d calls, %t; want %d", tc.name, tc.ms, got.Calls, ok, tc.want)
		}
	}
}

func TestRow(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, tc := range []struct {
		name string
		p    sweep.Point
		want string
	}{
		{"both measured", sweep.Point{Calls: 8, Concurrent: 100 * ms, Sequential: 810 * ms},
			"      8          810.00 ms    100.00 ms      8.1×            80.0"},
		{"truncated, not rounded", sweep.Point{Calls: 1, Concurrent: 999999 * us, Sequential: 1999999 * us},
			"      1            1.99 s     999.99 ms      2.0×             1.0"},
		{"not measured", sweep.Point{Calls: 1000, Concurrent: 1250 * ms, Expected: 100 * time.Second},
			"   1000        ≈ 100.00 s       1.25 s          –           800.0"},
		{"no estimate", sweep.Point{Calls: 3, Concurrent: time.Minute},
			"      3                  –     60.00 s          –             0.1"},
	} {
		if got := tc.p.Row(0); got != tc.want {
			t.Errorf("%s: Row() =\n%s|, want\n%s|", tc.name, got, tc.want)
		}
	}
	header, row := sweep.Header(0), (sweep.Point{Calls: 1, Concurrent: ms, Sequential: ms}).Row(0)
	if utf8.RuneCountInString(header) != utf8.RuneCountInString(row) {
		t.Errorf("the header and a row have different widths:\n%s\n%s", header, row)
	}
}
