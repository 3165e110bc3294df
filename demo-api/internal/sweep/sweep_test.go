package sweep_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/sweep"
)

// answered returns a call that is answered with status after wait.
func answered(wait time.Duration, status int) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		select {
		case <-time.After(wait):
			return status, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// collect returns what s yields.
func collect(ctx context.Context, s sweep.Sweep) (points []sweep.Point, err error) {
	for p, err := range s.Points(ctx) {
		if err != nil {
			return points, err
		}
		points = append(points, p)
	}
	return points, nil
}

// The time is that of a synctest bubble: it is exact.
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
			"a limit bends the flat line and not the other", sweep.Sweep{Counts: []int{1, 4, 9}, Limit: 4, Budget: 10 * s}, s,
			[]sweep.Point{{1, s, s, 0}, {4, s, 4 * s, 0}, {9, 3 * s, 9 * s, 0}}, 19 * s,
		},
		{
			"the whole budget is spent", sweep.Sweep{Counts: []int{2, 4}, Budget: 4*s + 1}, s,
			[]sweep.Point{{2, s, 2 * s, 0}, {4, s, 4 * s, 0}}, 8 * s,
		},
		{
			"over the budget by what was measured: no time is spent", sweep.Sweep{Counts: []int{2, 5, 1000}, Budget: 4 * s}, s,
			[]sweep.Point{{2, s, 2 * s, 0}, {5, s, 0, 5 * s}, {1000, s, 0, 1000 * s}}, 5 * s,
		},
		{
			"over the budget from the first: it is spent once, and nothing is expected", sweep.Sweep{Counts: []int{2, 3, 4}, Budget: s}, s,
			[]sweep.Point{{2, s, 0, 0}, {3, s, 0, 0}, {4, s, 0, 0}}, 4 * s,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.sweep.Call = answered(tc.wait, 200)
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

// A call that is slower than those before it is cut at the budget; none in turn
// is made after it.
func TestSlowerThanExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		s := sweep.Sweep{Counts: []int{1, 2, 3}, Limit: 1, Budget: 10 * time.Second} // never two calls in flight
		s.Call = func(ctx context.Context) (int, error) {
			made++
			if made == 3 { // after one in turn and one at once
				return answered(time.Minute, 200)(ctx)
			}
			return answered(time.Second, 200)(ctx)
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
		call func(context.Context) (int, error)
		is   func(error) bool
	}{
		{"a call fails", func(context.Context) (int, error) { return 0, errBroken }, func(err error) bool { return errors.Is(err, errBroken) }},
		{"an answer says no", answered(0, 503), func(err error) bool {
			var refused *sweep.StatusError
			return errors.As(err, &refused) && refused.Status == 503
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
	t.Run("an answer elsewhere", func(t *testing.T) {
		if points, err := collect(t.Context(), sweep.Sweep{Counts: []int{3}, Budget: time.Minute, Call: answered(0, 302)}); err != nil || len(points) != 1 {
			t.Errorf("Points() of calls that are answered 302 = %v, %v; want a point", points, err)
		}
	})
}

func TestStopped(t *testing.T) {
	errGone := errors.New("the viewer left")
	for _, tc := range []struct {
		name  string
		after time.Duration
		want  int // points
	}{
		{"while calls are made in turn", 2500 * time.Millisecond, 1},
		{"while calls are made at once", 4500 * time.Millisecond, 1},
		{"before it begins", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if tc.after == 0 {
					cancel(errGone)
				}
				time.AfterFunc(tc.after, func() { cancel(errGone) })
				start := time.Now()
				points, err := collect(ctx, sweep.Sweep{Counts: []int{1, 2, 3}, Budget: time.Minute, Call: answered(time.Second, 200)})
				if !errors.Is(err, errGone) || len(points) != tc.want || time.Since(start) != tc.after {
					t.Errorf("Points() = %v, %v after %v; want %d points, %v, %v", points, err, time.Since(start), tc.want, errGone, tc.after)
				}
			})
		})
	}
	t.Run("by who reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			for range (sweep.Sweep{Counts: []int{1, 2, 3}, Budget: time.Minute, Call: answered(time.Second, 200)}).Points(t.Context()) {
				break
			}
			if took := time.Since(start); took != 2*time.Second {
				t.Errorf("one point took %v, want 2s and no call after it", took)
			}
		})
	})
}

func TestKnee(t *testing.T) {
	for _, tc := range []struct {
		name string
		ms   []int // all at once, of 1, 2, 3 … calls
		want int   // calls; 0 for none
	}{
		{"none measured", nil, 0},
		{"one", []int{100}, 0},
		{"flat", []int{100, 101, 99, 148}, 0},
		{"half as long again", []int{100, 100, 151, 300}, 3},
		{"the first is slow: connections are made", []int{300, 100, 110, 160}, 4},
		{"from the second on", []int{100, 200, 300}, 2},
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
	const ms = time.Millisecond
	for _, tc := range []struct {
		name string
		p    sweep.Point
		want string
	}{
		{"both measured", sweep.Point{Calls: 8, Concurrent: 100 * ms, Sequential: 810 * ms}, "      8          810.00 ms    100.00 ms      8.1×            80.0"},
		{"cut, not rounded", sweep.Point{Calls: 1, Concurrent: 999999 * time.Microsecond, Sequential: 1999999 * time.Microsecond}, "      1            1.99 s     999.99 ms      2.0×             1.0"},
		{"not measured", sweep.Point{Calls: 1000, Concurrent: 1250 * ms, Expected: 100 * time.Second}, "   1000        ≈ 100.00 s       1.25 s          –           800.0"},
		{"no idea", sweep.Point{Calls: 3, Concurrent: time.Minute}, "      3                  –     60.00 s          –             0.1"},
	} {
		if got := tc.p.Row(0); got != tc.want {
			t.Errorf("%s: Row() =\n%s|, want\n%s|", tc.name, got, tc.want)
		}
	}
	if h, r := sweep.Header(0), (sweep.Point{Calls: 1, Concurrent: ms, Sequential: ms}).Row(0); len([]rune(h)) != len([]rune(r)) {
		t.Errorf("the header is %d characters wide and a row %d\n%s\n%s", len([]rune(h)), len([]rune(r)), h, r)
	}
}
