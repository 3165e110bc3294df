package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/demo-api/internal/fetch"
)

// strategy is either function under test.
type strategy func(ctx context.Context, calls []fetch.Call, limit int) ([]fetch.Result, error)

func sequential(ctx context.Context, calls []fetch.Call, _ int) ([]fetch.Result, error) {
	return fetch.Sequential(ctx, calls)
}

var both = []struct {
	name string
	all  strategy
}{{"Sequential", sequential}, {"Concurrent", fetch.Concurrent}}

// service is what the calls of a test ask.
type service struct {
	mu           sync.Mutex
	begun, ended int
	peak         int // in flight
}

func (s *service) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	s.peak = max(s.peak, s.begun-s.ended)
}

func (s *service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
}

// call returns a call that is answered with status after wait, or that fails
// with err after wait where err is not nil.
func (s *service) call(name string, wait time.Duration, status int, err error) fetch.Call {
	return fetch.Call{Name: name, Do: func(ctx context.Context) (int, error) {
		s.begin()
		defer s.end()
		select {
		case <-time.After(wait):
			return status, err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}}
}

// calls returns n calls of a second each, r1 to rn.
func (s *service) calls(n int) []fetch.Call {
	calls := make([]fetch.Call, n)
	for i := range calls {
		calls[i] = s.call(fmt.Sprintf("r%d", i+1), time.Second, 200, nil)
	}
	return calls
}

// The time is that of a synctest bubble: it is exact.
func TestTimeAndPeak(t *testing.T) {
	for _, tc := range []struct {
		name  string
		all   strategy
		calls int
		limit int
		took  time.Duration
		peak  int
	}{
		{"sequential: the sum", sequential, 7, 0, 7 * time.Second, 1},
		{"concurrent: the slowest", fetch.Concurrent, 7, 0, time.Second, 7},
		{"concurrent, three at once", fetch.Concurrent, 7, 3, 3 * time.Second, 3},
		{"concurrent, one at once: the sum again", fetch.Concurrent, 7, 1, 7 * time.Second, 1},
		{"concurrent, a limit above the calls", fetch.Concurrent, 7, 1 << 30, time.Second, 7},
		{"concurrent, a thousand", fetch.Concurrent, 1000, 0, time.Second, 1000},
		{"no calls, sequential", sequential, 0, 0, 0, 0},
		{"no calls, concurrent", fetch.Concurrent, 0, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				start := time.Now()
				results, err := tc.all(t.Context(), s.calls(tc.calls), tc.limit)
				if err != nil || len(results) != tc.calls {
					t.Fatalf("%d calls, limit %d: got %d results, error %v", tc.calls, tc.limit, len(results), err)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("%d calls of 1s, limit %d: took %v, want %v", tc.calls, tc.limit, took, tc.took)
				}
				if s.peak != tc.peak {
					t.Errorf("%d calls, limit %d: peak in flight %d, want %d", tc.calls, tc.limit, s.peak, tc.peak)
				}
			})
		})
	}
}

func TestResults(t *testing.T) {
	for _, tc := range both {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				start := time.Now()
				got, err := tc.all(t.Context(), []fetch.Call{
					s.call("slow", 3*time.Second, 200, nil),
					s.call("quick", time.Second, 404, nil),
					s.call("middling", 2*time.Second, 503, nil),
				}, 0)
				begin := []time.Time{start, start, start}
				if tc.name == "Sequential" {
					begin = []time.Time{start, start.Add(3 * time.Second), start.Add(4 * time.Second)}
				}
				want := []fetch.Result{
					{Name: "slow", Status: 200, Start: begin[0], Duration: 3 * time.Second},
					{Name: "quick", Status: 404, Start: begin[1], Duration: time.Second},
					{Name: "middling", Status: 503, Start: begin[2], Duration: 2 * time.Second},
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("got %v, error %v\nwant %v in the order of the calls", got, err, want)
				}
			})
		})
	}
}

var errBroken = errors.New("broken")

func TestFirstFailure(t *testing.T) {
	for _, tc := range []struct {
		name  string
		all   strategy
		limit int
		took  time.Duration
		begun int
		call  string
	}{
		{"sequential: in the order of the calls", sequential, 0, 10*time.Second + 2*time.Second, 2, "r2"},
		{"concurrent: in the order of time", fetch.Concurrent, 0, time.Second, 4, "r3"},
		{"concurrent, two at once: those that wait are not made", fetch.Concurrent, 2, 2 * time.Second, 2, "r2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				start := time.Now()
				results, err := tc.all(t.Context(), []fetch.Call{
					s.call("r1", 10*time.Second, 200, nil),
					s.call("r2", 2*time.Second, 0, errBroken),
					s.call("r3", time.Second, 0, errBroken),
					s.call("r4", 10*time.Second, 200, nil),
				}, tc.limit)
				var failed *fetch.Error
				if !errors.As(err, &failed) || failed.Call != tc.call || !errors.Is(err, errBroken) {
					t.Errorf("error: got %v, want %v of call %s", err, errBroken, tc.call)
				}
				if results != nil {
					t.Errorf("results of a failure: got %v, want none", results)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v: the others are cancelled at once", took, tc.took)
				}
				if s.begun != tc.begun || s.ended != s.begun {
					t.Errorf("%d calls begun, %d ended when it returned, want %d of each", s.begun, s.ended, tc.begun)
				}
			})
		})
	}
}

func TestContextDone(t *testing.T) {
	errGone := errors.New("the client left")
	for _, tc := range both {
		t.Run(tc.name+", while calls are made", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(100*time.Millisecond, func() { cancel(errGone) })
				start := time.Now()
				_, err := tc.all(ctx, s.calls(5), 2)
				if err != errGone {
					t.Errorf("error: got %v, want the cause %v", err, errGone)
				}
				if took := time.Since(start); took != 100*time.Millisecond {
					t.Errorf("took %v, want 100ms", took)
				}
				if s.begun != s.ended || s.begun == 0 {
					t.Errorf("%d calls begun, %d ended when it returned", s.begun, s.ended)
				}
			})
		})
		t.Run(tc.name+", before it begins", func(t *testing.T) {
			var s service
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errGone)
			_, err := tc.all(ctx, s.calls(5), 0)
			if err != errGone || s.begun != 0 {
				t.Errorf("got %d calls begun, error %v; want none, %v", s.begun, err, errGone)
			}
		})
	}
}

// All of them stand at the barrier at once, or none ever returns.
func TestConcurrentIsAllAtOnce(t *testing.T) {
	const parties = 1000
	var came atomic.Int64
	all := make(chan struct{})
	calls := make([]fetch.Call, parties)
	for i := range calls {
		calls[i].Do = func(ctx context.Context) (int, error) {
			if came.Add(1) == parties {
				close(all)
			}
			select {
			case <-all:
				return 200, nil
			case <-time.After(20 * time.Second):
				return 0, fmt.Errorf("%d of %d came", came.Load(), parties)
			}
		}
	}
	if _, err := fetch.Concurrent(t.Context(), calls, 0); err != nil {
		t.Errorf("Concurrent(%d calls) = %v, want all in flight at once", parties, err)
	}
}

func TestNegativeLimitPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Concurrent(limit -1) returned, want a panic")
		}
	}()
	_, _ = fetch.Concurrent(t.Context(), nil, -1)
}
