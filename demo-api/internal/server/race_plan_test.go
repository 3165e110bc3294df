package server_test

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

// racePlan is the response of /race/plan.
type racePlan struct {
	Seed                   *uint64
	Calls                  int
	Sequential, Concurrent *struct {
		Title string
		Total float64      `json:"total_ms"`
		Bars  [][2]float64 `json:"bars_ms"`
	}
}

func (d demo) plan(t testing.TB, query string) (plan racePlan) {
	t.Helper()
	got := d.get(t, "/race/plan?"+query)
	if err := json.Unmarshal([]byte(got.body), &plan); got.StatusCode != 200 || err != nil {
		t.Fatalf("GET /race/plan?%s = %d %s", query, got.StatusCode, got.body)
	}
	return plan
}

func TestRacePlan(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	plan := d.plan(t, "calls=3&delay=1s&db=500&limit=2&against=")
	if plan.Seed != nil || plan.Calls != 3 ||
		plan.Sequential.Total != 2500 || plan.Sequential.Title != "One after another" ||
		!slices.Equal(plan.Sequential.Bars, [][2]float64{{0, 1000}, {1000, 2000}, {2000, 2500}}) ||
		plan.Concurrent.Total != 1500 || plan.Concurrent.Title != "Two at once" ||
		!slices.Equal(plan.Concurrent.Bars, [][2]float64{{0, 1000}, {0, 1000}, {1000, 1500}}) {
		t.Errorf("two calls of 1s and a query of 500 ms, two at once: got %+v, %+v, %+v",
			plan, plan.Sequential, plan.Concurrent)
	}
	if plan := d.plan(t, "calls=0"); plan.Calls != 0 || plan.Sequential.Total != 0 || len(plan.Concurrent.Bars) != 0 {
		t.Errorf("no calls: got %+v, want no bars", plan)
	}
	if plan := d.plan(t, "delay=recorded:shop"); plan.Seed == nil || plan.Sequential != nil {
		t.Errorf("a recording: got %+v, want a seed, and no lanes", plan)
	}
	d.get(t, "/race/plan?calls=1001").problem(t, problem.InvalidParameter)
	d.get(t, "/race/plan?seed=2147483648").problem(t, problem.InvalidParameter)
}

// A race with the seed of a plan makes the calls of the plan, and so does the curl
// command that it names.
func TestRaceByPlan(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	const query = "calls=9&delay=lognormal:20ms,90ms&db=uniform:1,9"
	plan := d.plan(t, query)
	if plan.Seed == nil {
		t.Fatalf("got %+v, want a seed", plan)
	}
	seeded := query + "&seed=" + strconv.FormatUint(*plan.Seed, 10)
	if again := d.plan(t, seeded); !slices.Equal(again.Sequential.Bars, plan.Sequential.Bars) {
		t.Errorf("the same seed: got %v, then %v", plan.Sequential.Bars, again.Sequential.Bars)
	}
	all := d.watch(t, seeded, "r").rest(t)
	for lane, want := range map[string]float64{
		"sequential": plan.Sequential.Total, "concurrent": plan.Concurrent.Total,
	} {
		got := only(t, all, "lane", lane)
		if math.Abs(got.Ideal-want) > 0.01 {
			t.Errorf("%s: ideal %v ms, want %v as planned", lane, got.Ideal, want)
		}
		wantCurl := "calls=9&db=uniform:1,9&delay=lognormal:20ms,90ms&seed=" + strconv.FormatUint(*plan.Seed, 10) + "'"
		if _, curl, _ := strings.Cut(got.Curl, "?"); curl != wantCurl {
			t.Errorf("%s: %s, want it to end with %s", lane, got.Curl, wantCurl)
		}
	}
}
