package plan

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
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
	dynamic bool          // heads depend on the time and are not cached

	limit *gate.RateLimiter // nil for none

	seedKey, routeKey uint64 // keys of the counts for seed, and for requests to a route without a run

	attempts []attempt // of a script; nil for none. Then Plan uses few of the other fields.
	counted  bool      // requests are counted even without a run
	large    bool      // it is not cached

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
	status  statuses               // empty if the parameter status sets them
	body    bodyFunc               // nil for Flash's answer
	draws   bool                   // body uses its rng
	measure func(*Template) extent // of the body; nil if nothing depends on it

	flashText string // the delay as Flash's answer repeats it; "" for a number of milliseconds
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
// count together for limit.
func (t *Template) ready(name string) *Template {
	if t.seed != nil {
		t.seedKey = t.planner.counts.hash("seed", strconv.FormatUint(*t.seed, 10))
	}
	if t.limit == nil {
		t.limit = t.limiter(name)
	}
	t.counted = t.attempts != nil || t.options.attemptsKey != ""
	if t.attempts != nil {
		for _, a := range t.attempts {
			if a.template.options.limit == t.options.limit {
				a.template.limit = t.limit // all attempts count together
			}
			a.template.ready(name)
		}
		return t
	}
	t.dynamic = t.options.dynamic != nil
	fixed := isFixed(t.delay) && isFixed(t.options.bodyDelay) && !t.draws
	t.random = !fixed || len(t.options.status.list) > 1
	if list := t.options.status.list; t.shared == nil && fixed && len(list) <= maxShared {
		wait, cut := t.sampleWait(sharedRNG)
		for _, s := range list {
			if s.code != http.StatusUpgradeRequired { // its headers depend on the protocol
				t.shared = append(t.shared, sharedPlan{s.code, t.instantiate(wait, cut, s.code, sharedRNG, 0)})
			}
		}
	}
	return t
}

// Plan plans a request to t's path and query. The error is a *problem.Problem; planned then
// has only the run, if the request names a valid one.
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
	if run != "" || t.counted {
		if planned.Attempt, err = t.count(run, &r); err != nil {
			return planned, err
		}
	}
	if t.attempts != nil {
		t = t.attempt(planned.Attempt)
	}
	if run == "" && t.options.ofRun != "" {
		return Planned{}, problem.ConflictingParameters.New("%s needs a run: add run=NAME or the header X-Run-Id",
			t.options.ofRun)
	}
	if t.limit != nil {
		planned.LimitKey = t.options.limit.keyOf(t.planner, &r, run)
	}
	rng := sharedRNG
	if t.seed != nil {
		counts := &t.planner.counts
		index := counts.next(counts.hash(streamID(&r, param)), t.seedKey) - 1
		if t.random {
			rng = newRNG(*t.seed, int64(index))
		}
	}
	wait, cut := t.sampleWait(rng)
	status := t.options.status.pick(rng)
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
	switch {
	case t.body != nil:
		t.body(t, &plan.Answer, rng, maxDelay-wait-bodyDelay)
	case t.flashText != "":
		plan.Answer.FlashText(t.flashText)
	default:
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
