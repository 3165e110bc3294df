// Package plan turns one request into what is to be done about it: a wait,
// then an answer. It is the only reader of path and query parameters.
package plan

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/problem"
)

// Plan is what is to be done about one request.
type Plan struct {
	Run     string            // the run that the request belongs to, or ""
	Limit   *gate.RateLimiter // which admits the request or not; nil for any
	Pool    *gate.PoolSpec    // whose workers serve the wait; nil for none
	Barrier *gate.BarrierSpec // at which the request stands before it waits; nil for none
	Hold    *gate.HoldSpec    // by which it is held before it waits; nil for none
	Wait    time.Duration     // from the arrival, the worker's turn or the event to the answer
	Cut     bool              // Wait was drawn time and again above what MaxDelay leaves for it, and is that
	Sending time.Duration     // from the headers to the end of the body, at the least
	Answer  answer.Answer
	Ignored []string // query parameters that are nobody's business, sorted
}

// Request is what a plan is made of: the request and its path's parameters.
type Request struct {
	*http.Request
	Param func(name string) string // unescaped; "" for one that the path has not
}

// Planner makes plans within limits. Use New.
type Planner struct {
	limits Limits
	runs   runs
}

// Limits are what a Planner plans within.
type Limits struct {
	MaxDelay      time.Duration // a longer fixed delay is a DelayError
	MaxInFlight   int           // the most parties that a barrier can have; 0 for any
	MaxBody       int64         // bytes; a larger size is a problem
	Seed          *uint64       // of every request without a seed of its own; nil for none
	RedirectHosts HostList      // where Redirect may lead
	ProxyHosts    HostList      // whose answers Proxy may give
	Recordings    map[string]delay.Recording
	Now           func() time.Time // the clock of what tells the time; nil for time.Now
	Flash         bool             // read a number in a path, and repeat it, as Flash does
}

// New returns a planner within limits.
func New(limits Limits) *Planner { return &Planner{limits: limits} }

// DelayError is an error in the delay itself, the one error that Flash has too.
type DelayError struct{ Err error }

// Error says what was read and what is accepted.
func (e *DelayError) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *DelayError) Unwrap() error { return e.Err }

// Delay plans /delay/{delay}: the wait, then Flash's answer, or what the
// parameters make of it. The error is a *DelayError or a *problem.Problem.
func (p *Planner) Delay(r Request) (*Plan, error) {
	d, err := p.parse(p.number(r.Param("delay")))
	if err != nil {
		return nil, &DelayError{err}
	}
	params, err := readParameters(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return p.plan(r, d, params, p.asWritten(r))
}

// flashLength returns the bytes of Flash's answer to a wait of d, the most that they can be where d is drawn.
func (p *Planner) flashLength(d delay.Delay) int64 {
	wait, fixed := d.Fixed()
	if !fixed {
		wait = p.limits.MaxDelay - 1 // whose text has a fraction of nanoseconds
	}
	return int64(len(answer.AppendFlash(nil, http.StatusOK, wait)))
}

// Redirect plans /delay/{delay}/url/{url}: the wait, then a redirect to the
// URL. The query is the target's, so no parameter is read from it. The error
// is a *DelayError or a *problem.Problem.
func (p *Planner) Redirect(r Request) (*Plan, error) {
	d, err := p.parse(p.number(r.Param("delay")))
	if err != nil {
		return nil, &DelayError{err}
	}
	target, err := p.limits.RedirectHosts.target(r.URL, redirecting)
	if err != nil {
		return nil, err
	}
	redirect := answer.Redirect(target.String())
	return p.plan(r, d, parameters{}, func(a *answer.Answer, _ chance, _ time.Duration) { *a = redirect })
}

// Proxy plans /delay/{delay}/proxy/{url}: the wait, then the answer of the URL
// to the request, whose body is its. The query is the target's, so no parameter
// is read from it. The error is a *DelayError or a *problem.Problem.
func (p *Planner) Proxy(r Request) (*Plan, error) {
	d, err := p.parse(p.number(r.Param("delay")))
	if err != nil {
		return nil, &DelayError{err}
	}
	target, err := p.limits.ProxyHosts.target(r.URL, proxying)
	if err != nil {
		return nil, err
	}
	return p.plan(r, d, parameters{}, func(a *answer.Answer, _ chance, _ time.Duration) { a.Upstream = target })
}

// plan is the way from a delay and parameters of one request to its plan, with
// Flash's answer where make is nil.
func (p *Planner) plan(r Request, d delay.Delay, params parameters, make making) (*Plan, error) {
	from := recipe{delay: d, make: make}
	if params.values != nil {
		from.measure = p.measureFlash(d, make)
	}
	if err := p.fill(&from, params); err != nil {
		return nil, err
	}
	return p.draw(r, &from, params.get("run"))
}

// measureFlash measures the answer of make, or Flash's answer to a wait of d.
func (p *Planner) measureFlash(d delay.Delay, make making) func(*shape) extent {
	return func(*shape) extent {
		if make == nil {
			return extent{length: p.flashLength(d)}
		}
		a := answer.Answer{Status: http.StatusOK}
		make(&a, nil, 0)
		return extent{length: int64(len(a.Body.Whole))}
	}
}

// recipe is all that plans of the same delay and parameters have in common.
type recipe struct {
	delay   delay.Delay
	status  statuses // of the endpoint; empty for those of the parameter status
	shape   *shape
	seed    *uint64             // nil for samples that do not repeat
	make    making              // nil for Flash's answer
	measure func(*shape) extent // of the body that make makes; nil for none
	body    extent              // of the body that is sent, with all that parameters make of it
	after   time.Duration       // from the headers to the end of the body, at the least
	ignored []string
	route   string // an operator's, or ""
}

// making draws the rest of an answer that has its status, for each request
// anew. Its body takes longest at the most.
type making func(a *answer.Answer, chance chance, longest time.Duration)

// extent is what is known of a body before it is made.
type extent struct {
	length int64         // in bytes
	takes  time.Duration // from its first byte, due at 0, to its last, at the least
}

// fill fills in what parameters say, but for run. The error is a
// *problem.Problem.
func (p *Planner) fill(from *recipe, params parameters) (err error) {
	from.ignored = params.ignored
	if errs := p.shape(from, params); errs != nil {
		return errs[0]
	}
	from.seed, err = p.seed(params)
	return err
}

// draw makes the plan of one request. The error is a *problem.Problem.
func (p *Planner) draw(r Request, from *recipe, runParam string) (*Plan, error) {
	run, err := runID(r.Header, runParam)
	if err != nil {
		return nil, err
	}
	chance := p.chance(streamID(r.Header, runParam), from.seed)
	plan := &Plan{
		Run: run, Limit: from.shape.limit, Pool: from.shape.pool, Barrier: from.shape.barrier, Hold: from.shape.hold,
		Ignored: from.ignored,
	}
	plan.Wait, plan.Cut = sample(from.delay, chance, p.limits.MaxDelay-from.after)
	status := from.shape.status.pick(chance)
	if from.shape.failFirst > 0 {
		if status, err = p.failing(r, run, from, status); err != nil {
			return nil, err
		}
	}
	plan.Answer.Status = status
	bodyDelay, _ := sample(from.shape.bodyDelay, chance, p.limits.MaxDelay-plan.Wait-from.body.takes)
	plan.Sending = bodyDelay + from.body.takes
	if from.make != nil {
		from.make(&plan.Answer, chance, p.limits.MaxDelay-plan.Wait-bodyDelay)
	} else {
		plan.Answer.Flash(plan.Wait)
	}
	if from.shape != &unshaped { // the calls would take stack of each request that waits
		from.shape.apply(&plan.Answer, bodyDelay)
		require(&plan.Answer, r.ProtoMajor)
	}
	if plan.Answer.Fault == answer.Hang {
		plan.Wait, plan.Answer.Fault = p.limits.MaxDelay, answer.Empty
	}
	return plan, nil
}

// number returns a number as Parse reads it, where it is one to Flash: JavaScript
// takes .5 and 5. too.
func (p *Planner) number(text string) string {
	if !p.limits.Flash || len(text) < 2 || !isNumber(text) || strings.Count(text, ".") != 1 {
		return text
	}
	if text[0] == '.' {
		return "0" + text
	}
	return strings.TrimSuffix(text, ".")
}

// asWritten makes Flash's answer to a delay that is a number, which Flash repeats
// as it is written; nil for any other.
//
//go:noinline
func (p *Planner) asWritten(r Request) making { // inlined, it would grow the stack of each request that waits
	if !p.limits.Flash || !isNumber(r.Param("delay")) {
		return nil
	}
	text := r.Param("delay")
	return func(a *answer.Answer, _ chance, _ time.Duration) { a.FlashText(text) }
}

// isNumber reports whether text is a number if it is a delay.
func isNumber(text string) bool { return strings.Trim(text, "0123456789.") == "" }

// parse reads a delay that this server waits.
func (p *Planner) parse(text string) (delay.Delay, error) { return p.within(text, delay.Parse) }

// within reads a delay by parse and holds it against the limits.
func (p *Planner) within(text string, parse func(string) (delay.Delay, error)) (delay.Delay, error) {
	d, err := parse(text)
	if err != nil {
		return d, err
	}
	if d, err = d.With(p.limits.Recordings); err != nil {
		return d, err
	}
	if least(d) > p.limits.MaxDelay {
		return d, p.tooLong(text)
	}
	return d, nil
}

func (p *Planner) tooLong(text string) error {
	return fmt.Errorf("delay %s is longer than this server waits: accepted: up to %v (%s ms), its MAX_DELAY",
		problem.Quote(text), p.limits.MaxDelay, delay.Milliseconds(p.limits.MaxDelay))
}

// least returns a time that no sample of d is below.
func least(d delay.Delay) time.Duration { return d.Quantile(0x1p-54) }

// sample draws from d again, up to ten times in all, while it is above longest,
// and then cuts it.
func sample(d delay.Delay, chance chance, longest time.Duration) (wait time.Duration, cut bool) {
	for range 10 {
		if wait = d.Sample(chance); wait <= longest {
			return wait, false
		}
	}
	return longest, true
}
