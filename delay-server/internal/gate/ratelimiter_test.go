package gate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
)

var epoch = time.Unix(0, 0)

func TestRateLimiter(t *testing.T) {
	const ms = time.Millisecond
	bucket := gate.Rate{Requests: 2, Window: time.Second, Burst: 3} // one every 500ms, after three
	fixed := gate.Rate{Requests: 2, Window: time.Second}
	limits := gate.NewRateLimits()
	limiters := map[gate.Rate]*gate.RateLimiter{bucket: limits.Limiter(1, bucket), fixed: limits.Limiter(2, fixed)}
	for _, tc := range []struct {
		name string
		rate gate.Rate
		at   time.Duration
		want gate.Quota
		ok   bool
	}{
		{"first of the burst", bucket, 0, gate.Quota{Remaining: 2, Reset: 500 * ms}, true},
		{"second of the burst", bucket, 0, gate.Quota{Remaining: 1, Reset: 500 * ms}, true},
		{"third of the burst", bucket, 0, gate.Quota{Remaining: 0, Reset: 500 * ms}, true},
		{"one too many", bucket, 0, gate.Quota{Remaining: 0, Reset: 500 * ms}, false},
		{"refused requests do not count", bucket, 0, gate.Quota{Remaining: 0, Reset: 500 * ms}, false},
		{"too early", bucket, 400 * ms, gate.Quota{Remaining: 0, Reset: 100 * ms}, false},
		{"too early by a nanosecond", bucket, 500*ms - 1, gate.Quota{Remaining: 0, Reset: 1}, false},
		{"in time", bucket, 500 * ms, gate.Quota{Remaining: 0, Reset: 500 * ms}, true},
		{"one is left after two intervals and a half", bucket, 1750 * ms, gate.Quota{Remaining: 1, Reset: 250 * ms},
			true},
		{"after a pause, no more than a burst", bucket, time.Hour, gate.Quota{Remaining: 2, Reset: 500 * ms}, true},

		{"first of the window", fixed, 100 * ms, gate.Quota{Remaining: 1, Reset: time.Second}, true},
		{"second of the window", fixed, 600 * ms, gate.Quota{Remaining: 0, Reset: 500 * ms}, true},
		{"one too many in the window", fixed, 600 * ms, gate.Quota{Remaining: 0, Reset: 500 * ms}, false},
		{"the last nanosecond of the window", fixed, 1100*ms - 1, gate.Quota{Remaining: 0, Reset: 1}, false},
		{"first of the next window", fixed, 1100 * ms, gate.Quota{Remaining: 1, Reset: time.Second}, true},
		{"a window begins with a request, not with the one before", fixed, 2500 * ms,
			gate.Quota{Remaining: 1, Reset: time.Second}, true},
	} {
		got, err := limiters[tc.rate].Enter(gate.RateKey{}, epoch.Add(tc.at))
		var over *gate.RateError
		refused := errors.As(err, &over) && over.After == got.Reset
		if got != tc.want || (err == nil) != tc.ok || refused == tc.ok {
			t.Errorf("%s: Enter at %v = %+v, %v, want %+v, admitted %v", tc.name, tc.at, got, err, tc.want, tc.ok)
		}
	}
}

func TestRateErrorNamesTheLimit(t *testing.T) {
	for rate, want := range map[gate.Rate]string{
		{Requests: 10, Window: time.Second, Burst: 5}: "limit of 10 requests in 1s (burst 5) exceeded",
		{Requests: 1, Window: time.Hour}:              "limit of 1 request in a window of 1h0m0s exceeded",
	} {
		if got := (&gate.RateError{Rate: rate}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// rateModel is a slow limiter of one key: it replays all requests that it has admitted.
type rateModel struct {
	rate     gate.Rate
	admitted []time.Duration
}

// free returns how many requests the model admits at once.
func (m *rateModel) free(at time.Duration) int64 {
	if m.rate.Burst > 0 {
		return m.freeInBucket(at)
	}
	end, count := time.Duration(0), int64(0)
	for _, a := range m.admitted {
		if a >= end {
			end, count = a+m.rate.Window, 0
		}
		count++
	}
	if at >= end {
		return m.rate.Requests
	}
	return m.rate.Requests - count
}

// freeInBucket fills a bucket with one nanosecond in each nanosecond; a request takes an
// interval out of it.
func (m *rateModel) freeInBucket(at time.Duration) int64 {
	interval := m.rate.Interval()
	size := time.Duration(m.rate.Burst) * interval
	level, last := size, time.Duration(0)
	for _, a := range m.admitted {
		level = min(level+a-last, size) - interval
		last = a
	}
	return int64(min(level+at-last, size) / interval)
}

// Limiters of random rates agree with the model at random times, also to the nanosecond
// at which they say that they admit the next request.
func TestRateLimitersMatchTheModel(t *testing.T) {
	first := rand.Uint64()
	for i := range uint64(200) {
		seed := first + i
		r := rand.New(rand.NewPCG(seed, 0))
		limits := gate.NewRateLimits()
		windows := []time.Duration{time.Second, time.Minute, time.Hour}
		rate := gate.Rate{Requests: 1 + r.Int64N(7), Window: windows[r.IntN(3)]}
		if r.IntN(2) == 0 {
			rate.Burst = 1 + r.Int64N(5)
		}
		limiter := limits.Limiter(seed, rate)
		models := make([]rateModel, 3)
		for key := range models {
			models[key].rate = rate
		}
		now := time.Duration(0)
		for step := range 100 {
			key := r.IntN(len(models))
			m := &models[key]
			free := m.free(now)
			got, err := limiter.Enter(gate.RateKey{Value: uint64(key)}, epoch.Add(now))
			if admitted := err == nil; admitted != (free > 0) {
				t.Fatalf("seed %d, step %d, %v at %v: got %v, want admitted %v", seed, step, rate, now, err, free > 0)
			}
			if free > 0 {
				m.admitted = append(m.admitted, now)
				free--
			}
			if got.Remaining != free || m.free(now+got.Reset) <= free || m.free(now+got.Reset-1) > free {
				t.Fatalf("seed %d, step %d, %v at %v: got %+v, want %d remaining, and more after exactly the reset",
					seed, step, rate, now, got, free)
			}
			switch r.IntN(4) {
			case 0:
				now += time.Duration(r.Int64N(int64(2 * rate.Interval())))
			case 1:
				now += got.Reset
			case 2:
				now += got.Reset - 1
			}
		}
	}
}

// No key is admitted more often than its rate allows, whoever asks at the same time.
func TestRateLimiterInParallel(t *testing.T) {
	const keys, each = 50, 200
	for _, rate := range []gate.Rate{{Requests: 7, Window: time.Hour}, {Requests: 1, Window: time.Hour, Burst: 7}} {
		limiter := gate.NewRateLimits().Limiter(1, rate)
		var admitted [keys]atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for i := range keys * each {
					if _, err := limiter.Enter(gate.RateKey{Value: uint64(i % keys)}, epoch); err == nil {
						admitted[i%keys].Add(1)
					}
				}
			})
		}
		all.Wait()
		for key := range admitted {
			if got := admitted[key].Load(); got != 7 {
				t.Errorf("%v: key %d was admitted %d times, want 7", rate, key, got)
			}
		}
	}
}

// A key is forgotten once more than 100,000 others were used since. A refused key is
// in use.
func TestRateLimitsForgetTheOldestKey(t *testing.T) {
	const maxKeys = 100_000
	limits := gate.NewRateLimits()
	limiter := limits.Limiter(1, gate.Rate{Requests: 1, Window: time.Hour})
	enter := func(key uint64, want bool, when string) {
		t.Helper()
		if _, err := limiter.Enter(gate.RateKey{Value: key}, epoch); (err == nil) != want {
			t.Fatalf("key %d %s: got %v, want admitted %v", key, when, err, want)
		}
	}
	enter(0, true, "at first")
	enter(1, true, "at first")
	for key := uint64(2); key < maxKeys; key++ {
		enter(key, true, "at first")
	}
	enter(0, false, "as one of 100,000")
	enter(maxKeys, true, "at first") // in place of 1
	enter(0, false, "after a refusal")
	enter(1, true, "after it was forgotten")
}

// Keys without end take no more memory than 100,000.
func TestRateLimitsAreBounded(t *testing.T) {
	limits := gate.NewRateLimits()
	limiter := limits.Limiter(1, gate.Rate{Requests: 1, Window: time.Hour})
	before := heap()
	for key := range uint64(300_000) {
		if _, err := limiter.Enter(gate.RateKey{Value: key}, epoch); err != nil {
			t.Fatal(err)
		}
	}
	if got := heap() - before; got > 24<<20 {
		t.Errorf("300,000 keys take %d bytes, want at most 24 MB", got)
	}
	runtime.KeepAlive(limits)
}

// heap returns the bytes of the heap that are in use.
func heap() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func TestRateLimitsForget(t *testing.T) {
	limits := gate.NewRateLimits()
	rate := gate.Rate{Requests: 1, Window: time.Hour}
	limiters := []*gate.RateLimiter{limits.Limiter(1, rate), limits.Limiter(2, rate), limits.Limiter(1, rate)}
	keys := []gate.RateKey{{Value: 7}, {Run: 7, Value: 8}, {Run: 9, Value: 8}}
	enter := func() (admitted string) {
		for i, l := range limiters {
			for j, key := range keys {
				if _, err := l.Enter(key, epoch); err == nil {
					admitted += fmt.Sprint(i, j, " ")
				}
			}
		}
		return admitted
	}
	const all = "0 0 0 1 0 2 1 0 1 1 1 2 "
	if got := enter(); got != all {
		t.Errorf("limiter and key of the admitted requests are %s, want %s", got, all)
	}
	if !limits.Forget(7) || limits.Forget(7) || limits.Forget(10) {
		t.Error("Forget does not report whether there was state")
	}
	if got, want := enter(), "0 0 0 1 1 0 1 1 "; got != want {
		t.Errorf("after Forget(7), they are %s, want %s", got, want)
	}
	limits.ForgetAll()
	if got := enter(); got != all {
		t.Errorf("after ForgetAll, they are %s, want %s", got, all)
	}
}
