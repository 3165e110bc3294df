package check_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
)

// retried returns a run of four attempts. The gaps are shares of 100, 200 and 400 ms,
// and late.
func retried(share func() float64, late func() time.Duration) journal.Run {
	run := journal.Run{Summary: journal.Summary{ID: "r"}}
	now := time.Duration(0)
	for gap := 100 * time.Millisecond; len(run.Waits) < 4; gap *= 2 {
		run.Waits = append(run.Waits, journal.Entry{
			Method: "GET", Path: "/a", Start: now, End: now + time.Millisecond, Outcome: journal.Answered, Status: 503,
		})
		now += time.Millisecond + time.Duration(share()*float64(gap)) + late()
	}
	return complete(run)
}

// distributed returns n runs whose shares are uniform from low to high.
func distributed(rng *rand.Rand, n int, low, high float64, late time.Duration) []journal.Run {
	runs := make([]journal.Run, n)
	for i := range runs {
		runs[i] = retried(
			func() float64 { return low + (high-low)*rng.Float64() },
			func() time.Duration { return time.Duration(rng.Int64N(int64(late) + 1)) })
	}
	return runs
}

const full = "backoff=100ms,2&jitter="

// enough is the number of runs with three retries each from which on /doc says that the
// jitters are told apart.
const enough = 39

func TestJittersAreToldApart(t *testing.T) {
	client := map[string][2]float64{
		"none": {1, 1}, "full": {0, 1}, "equal": {0.5, 1}, "at once": {0, 0}, "lower half": {0, 0.5}, "twice": {0, 2},
	}
	for _, judged := range []string{"none", "full", "equal"} {
		for name, shares := range client {
			for seed := range uint64(50) {
				rng := rand.New(rand.NewPCG(seed, 1))
				v := judge(t, full+judged, distributed(rng, enough, shares[0], shares[1], 25*time.Millisecond)...)
				if v.OK != (name == judged) {
					t.Fatalf("a client with %s judged by jitter=%s, seed %d: got %+v", name, judged, seed, v.Results)
				}
			}
		}
	}
}

// A client that is right, on a machine that is as late as within, has no false verdict.
func TestFullJitterWithoutFalseVerdicts(t *testing.T) {
	const repetitions = 1000
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range repetitions {
		late := []time.Duration{0, time.Millisecond, 25 * time.Millisecond}[i%3]
		if v := judge(t, full+"full", distributed(rng, enough, 0, 1, late)...); !v.OK {
			t.Fatalf("repetition %d, up to %v late: got %+v", i, late, v.Results)
		}
	}
}

func TestFullJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tc := range []struct {
		name, query string
		runs        []journal.Run
		detail, got string // what they begin with
	}{
		{"one less than needed", "full", distributed(rng, enough-1, 0, 1, 0),
			"114 retries cannot tell jitter=full from another one: 117 are needed; judge many runs together " +
				"with /admin/check?run_prefix=…", "114 retries"},
		{"a small within needs fewer", "full&within=1ms", distributed(rng, 11, 0, 1, 0), "",
			"33 retries in 11 runs, deviation "},
		{"within is too large", "full&within=50ms", distributed(rng, enough, 0, 1, 0),
			"within=50ms is too much to judge jitter=full: use less than half", "117 retries"},
		{"shorter", "full", distributed(rng, enough, 0, 0.4, 0), "the gaps are shorter than jitter=full draws them",
			"117 retries in 39 runs, "},
		{"half of it each time", "full", distributed(rng, enough, 0.5, 0.5, 0), "the gaps are shorter",
			"117 retries in 39 runs, deviation 0.50 early and 0.25 late of 0.25 allowed; "},
		{"longer", "full", distributed(rng, enough, 0.6, 1, 0), "the gaps are longer than jitter=full draws them",
			"117 retries in 39 runs, "},
		{"one gap of a minute", "full", append(distributed(rng, enough, 0, 1, 0), played("0-1 503", "60001-60002 200")),
			"run r: attempt 2 came 60000 ms after attempt 1 had ended; it must wait up to 100 ms", "60000 ms"},
		{"in one run", "full&within=1ms&cap=1s", []journal.Run{oneLongRun(rng)}, "", "99 retries in 1 run, "},
	} {
		v := judge(t, full+tc.query, tc.runs...)
		got := v.Results[0]
		if got.OK != (tc.detail == "") || !strings.HasPrefix(got.Detail, tc.detail) || !strings.HasPrefix(got.Got,
			tc.got) {
			t.Errorf("%s: got %+v, want %q and %q", tc.name, got, tc.got, tc.detail)
		}
	}
}

// oneLongRun returns a run of 100 attempts with full jitter of 100 to 1000 ms.
func oneLongRun(rng *rand.Rand) journal.Run {
	var requests []string
	now := 0.0
	for expected := 100.0; len(requests) < 100; expected = min(2*expected, 1000) {
		requests = append(requests, fmt.Sprintf("%f-%f 503", now, now+1))
		now += 1 + rng.Float64()*expected
	}
	return played(requests...)
}

func TestThunderingHerd(t *testing.T) {
	var runs []journal.Run
	for i := range 10 { // first retries after 100, 102, ..., 118 ms
		start := 101 + 2*i
		runs = append(runs, played("0-1 503", fmt.Sprintf("%d-%d 200", start, start+1)))
	}
	v := judge(t, "backoff=100ms,2", runs...)
	if want := "thundering herd: 60% of 10 first retries within 10 ms"; !v.OK || !strings.HasSuffix(v.Results[0].Got,
		want) {
		t.Errorf("got %+v, want %s", v.Results, want)
	}
}
