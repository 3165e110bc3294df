package plan

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
)

// Template has the common parts of all plans of a path and query. It is safe for
// concurrent use.
type Template struct {
	Ignored  []string // names of query parameters that the endpoint does not know, sorted
	Forwards bool     // another server answers

	planner *Planner
	delay   delay.Delay
	content
	options *options
	sent    extent        // of the body with the options applied
	after   time.Duration // minimum time from the headers to the end of the body
	trusted bool          // an operator defined it
	hasRun  bool          // the query has, or may have, the parameter run
	seed    *uint64       // nil for random numbers that do not repeat
	random  bool          // plans use random numbers
	dynamic bool          // heads differ between requests and are not cached

	limit *gate.RateLimiter // nil for none

	seedKey, failKey uint64 // keys of the counts for seed and fail_first

	// shared are the plans if at most the status is random.
	shared []sharedPlan

	heads headCache
}

// sharedPlan is the plan of all requests that draw the status. Its answer may have
// another status, such as a redirect's.
type sharedPlan struct {
	status int
	plan   *Plan
}

// content is what an endpoint answers before options apply to it.
type content struct {
	status  statuses              // empty if the parameter status sets them
	body    bodyFunc              // nil for Flash's answer
	draws   bool                  // body uses its rng
	measure func(*options) extent // of the body; nil if nothing depends on it
}

// bodyFunc completes an answer whose status is set. The body takes at most longest.
type bodyFunc func(t *Template, a *answer.Answer, rng rng, longest time.Duration)

// extent is the length and the duration of a body.
type extent struct {
	length int64         // in bytes
	takes  time.Duration // minimum time from its first byte to its last
}

// maxShared is the maximum number of plans that a template shares.
const maxShared = 4

// ready sets the derived fields of t, and returns t. Templates with the same name
// count together for fail_first and limit.
func (t *Template) ready(name string) *Template {
	counts := &t.planner.counts
	if t.seed != nil {
		t.seedKey = counts.hash("seed", strconv.FormatUint(*t.seed, 10))
	}
	if t.options.failFirst > 0 {
		t.failKey = counts.hash("fail_first", name)
	}
	t.limit = t.limiter(name)
	t.dynamic = t.options.dynamic != nil || t.limit != nil && t.options.limit.fields != nil
	fixed := isFixed(t.delay) && isFixed(t.options.bodyDelay) && !t.draws
	t.random = !fixed || len(t.options.status.list) > 1
	if statuses := t.statuses(); fixed && len(statuses) <= maxShared {
		wait, cut := t.sampleWait(sharedRNG)
		for _, status := range statuses {
			if status != http.StatusUpgradeRequired { // its headers depend on the protocol
				t.shared = append(t.shared, sharedPlan{status, t.instantiate(wait, cut, status, sharedRNG, 0)})
			}
		}
	}
	return t
}

// statuses returns all possible statuses of a plan.
func (t *Template) statuses() []int {
	var codes []int
	for _, s := range t.options.status.list {
		codes = append(codes, s.code)
	}
	if t.options.failFirst > 0 {
		codes = append(codes, http.StatusOK, http.StatusServiceUnavailable)
	}
	return codes
}

// Plan plans a request to t's path and query. The error is a *problem.Problem.
func (t *Template) Plan(r Request) (planned Planned, err error) {
	param := ""
	if t.hasRun {
		if param, err = runParam(&r); err != nil {
			return Planned{}, err
		}
	}
	run, err := runID(&r, param)
	if err != nil {
		return Planned{}, err
	}
	planned.Run = strings.Clone(run)
	counts := &t.planner.counts
	if run != "" {
		planned.Attempt = counts.next(counts.hash(run), counts.hash("path", r.Method, unescaped(r.Path)))
	}
	if t.limit != nil {
		planned.LimitKey = t.options.limit.keyOf(t.planner, &r, run)
	}
	rng := sharedRNG
	if t.seed != nil {
		index := counts.next(counts.hash(streamID(&r, param)), t.seedKey) - 1
		if t.random {
			rng = newRNG(*t.seed, int64(index))
		}
	}
	wait, cut := t.sampleWait(rng)
	status := t.options.status.pick(rng)
	if t.options.failFirst > 0 {
		if status, err = t.failing(run, planned.Attempt, status); err != nil {
			return Planned{}, err
		}
	}
	for i := range t.shared {
		if t.shared[i].status == status {
			planned.Plan = t.shared[i].plan
			return planned, nil
		}
	}
	planned.Plan = t.instantiate(wait, cut, status, rng, r.ProtoMajor)
	return planned, nil
}

func (t *Template) sampleWait(rng rng) (wait time.Duration, cut bool) {
	return t.delay.SampleWithin(rng, t.planner.limits.MaxDelay-t.after)
}

// instantiate returns the plan of a request with the wait and the status.
func (t *Template) instantiate(wait time.Duration, cut bool, status int, rng rng, protoMajor int) *Plan {
	o := t.options
	plan := &Plan{Template: t, Limit: t.limit, Pool: o.pool, Barrier: o.barrier, Hold: o.hold, Wait: wait, Cut: cut}
	plan.Answer.Status = status
	maxDelay := t.planner.limits.MaxDelay
	bodyDelay, _ := o.bodyDelay.SampleWithin(rng, maxDelay-wait-t.sent.takes)
	plan.Sending = bodyDelay + t.sent.takes
	if t.body != nil {
		t.body(t, &plan.Answer, rng, maxDelay-wait-bodyDelay)
	} else {
		plan.Answer.Flash(wait)
	}
	if o != &defaultOptions {
		o.apply(&plan.Answer, bodyDelay)
		require(&plan.Answer, protoMajor)
	}
	if plan.Answer.Fault == answer.Hang {
		plan.Wait, plan.Answer.Fault = maxDelay, answer.Empty
	}
	return plan
}
