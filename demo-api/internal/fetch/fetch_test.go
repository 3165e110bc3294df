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

// strategy is a function under test.
type strategy func(ctx context.Context, calls []fetch.Call, limit int) ([]fetch.Result, error)

func sequential(ctx context.Context, calls []fetch.Call, _ int) ([]fetch.Result, error) {
	return fetch.Sequential(ctx, calls)
}

var both = []struct {
	name string
	all  strategy
}{{"Sequential", sequential}, {"Concurrent", fetch.Concurrent}}

// service counts the calls that a test makes.
type service struct {
	mu             sync.Mutex
	started, ended int
	peak           int // in flight
}

func (s *service) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started++
	s.peak = max(s.peak, s.started-s.ended)
}

func (s *service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
}

// call returns a call whose Do returns status and err after wait.
func (s *service) call(name string, wait time.Duration, status int, err error) fetch.Call {
	return fetch.Call{Name: name, Do: func(ctx context.Context) (int, error) {
		s.start()
		defer s.end()
		select {
		case <-time.After(wait):
			return status, err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}}
}

// calls returns the calls r1 to rn, which take one second each.
func (s *service) calls(n int) []fetch.Call {
	calls := make([]fetch.Call, n)
	for i := range calls {
		calls[i] = s.call(fmt.Sprintf("r%d", i+1), time.Second, 200, nil)
	}
	return calls
}

// The clock of the synctest bubble is exact.
func TestTimeAndPeak(t *testing.T) {
	for _, tc := range []struct {
		name  string
		all   strategy
		calls int
		limit int
		took  time.Duration
		peak  int
	}{
		{"sequential takes the sum", sequential, 7, 0, 7 * time.Second, 1},
		{"concurrent takes the slowest", fetch.Concurrent, 7, 0, time.Second, 7},
		{"concurrent, three at once", fetch.Concurrent, 7, 3, 3 * time.Second, 3},
		{"concurrent, one at once, takes the sum", fetch.Concurrent, 7, 1, 7 * time.Second, 1},
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
					t.Errorf("got %v, error %v\nwant %v", got, err, want)
				}
			})
		})
	}
}

var errBroken = errors.New("broken")

func TestFirstFailure(t *testing.T) {
	for _, tc := range []struct {
		name    string
		all     strategy
		limit   int
		took    time.Duration
		started int
		call    string
	}{
		{"sequential returns the first in order of calls", sequential, 0, 10*time.Second + 2*time.Second, 2, "r2"},
		{"concurrent returns the first in time", fetch.Concurrent, 0, time.Second, 4, "r3"},
		{"concurrent, two at once, does not make the queued calls", fetch.Concurrent, 2, 2 * time.Second, 2, "r2"},
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
					t.Errorf("results: got %v, want nil", results)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v: the first error cancels the other calls", took, tc.took)
				}
				if s.started != tc.started || s.ended != s.started {
					t.Errorf("%d calls started, %d ended when it returned, want %d of each",
						s.started, s.ended, tc.started)
				}
			})
		})
	}
}

func TestContextDone(t *testing.T) {
	errClientGone := errors.New("client closed the request")
	for _, tc := range both {
		t.Run(tc.name+", during the calls", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(100*time.Millisecond, func() { cancel(errClientGone) })
				start := time.Now()
				_, err := tc.all(ctx, s.calls(5), 2)
				if err != errClientGone {
					t.Errorf("error: got %v, want the cause %v", err, errClientGone)
				}
				if took := time.Since(start); took != 100*time.Millisecond {
					t.Errorf("took %v, want 100ms", took)
				}
				if s.started != s.ended || s.started == 0 {
					t.Errorf("%d calls started, %d ended when it returned", s.started, s.ended)
				}
			})
		})
		t.Run(tc.name+", before the first call", func(t *testing.T) {
			var s service
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errClientGone)
			_, err := tc.all(ctx, s.calls(5), 0)
			if err != errClientGone || s.started != 0 {
				t.Errorf("got %d calls started, error %v; want none, %v", s.started, err, errClientGone)
			}
		})
	}
}

// Each call waits until all calls have started.
func TestConcurrentStartsAllAtOnce(t *testing.T) {
	const parties = 1000
	var started atomic.Int64
	all := make(chan struct{})
	calls := make([]fetch.Call, parties)
	for i := range calls {
		calls[i].Do = func(ctx context.Context) (int, error) {
			if started.Add(1) == parties {
				close(all)
			}
			select {
			case <-all:
				return 200, nil
			case <-time.After(20 * time.Second):
				return 0, fmt.Errorf("%d of %d started", started.Load(), parties)
			}
		}
	}
	if _, err := fetch.Concurrent(t.Context(), calls, 0); err != nil {
		t.Errorf("Concurrent(%d calls) = %v, want all in flight at once", parties, err)
	}
}
