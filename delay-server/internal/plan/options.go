package plan

import (
	"net/http"
	"slices"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

// options are the parsed parameters of a wait and its answer.
type options struct {
	status    statuses
	size      int64 // bytes; negative for the endpoint's own body
	header    []answer.Field
	dynamic   func(http.Header) // sets header fields when the response begins; nil for none
	bodyDelay delay.Delay
	rate      float64 // bytes a second; 0 for no limit
	fault     answer.Fault
	failFirst int64   // 0 for none
	script    *script // nil for none
	seed      *uint64 // nil for Limits.Seed
	pool      *gate.PoolSpec
	barrier   *gate.BarrierSpec // set by its endpoint or by a scenario's route
	hold      *gate.HoldSpec    // likewise
	limit     *limit            // nil for none

	ofRun       string // a pool, barrier or hold that belongs to a run, for errors; "" for none
	attemptsKey string // canonical name of the header by which attempts are counted, or ""

	// Set only by a scenario's route.
	delay       delay.Delay
	body        []byte // nil for none
	contentType string // of body
}

// setWhenSent makes dynamic call f too.
func (o *options) setWhenSent(f func(http.Header)) {
	before := o.dynamic
	o.dynamic = func(h http.Header) {
		if before != nil {
			before(h)
		}
		f(h)
	}
}

// defaultOptions are the options without parameters. They are shared and never change.
var defaultOptions = options{size: -1, status: ok}

// parseOptions parses a query's parameters into t. The error is a *problem.Problem.
func (p *Planner) parseOptions(t *Template, in *input) error {
	t.Ignored, t.hasRun = in.ignored, in.has("run")
	if errs := p.readOptions(t, in); len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// readOptions parses all parameters except run into t, and returns all errors.
func (p *Planner) readOptions(t *Template, in *input) []*ParameterError {
	if errs := p.parseInto(t, in); errs != nil {
		return errs
	}
	if t.options.script != nil {
		return p.readScript(t, in)
	}
	if in.values == nil && t.measure == nil {
		return nil // only a wait, checked by pathDelay
	}
	idle, errs := p.complete(t, in)
	return append(idle, errs...)
}

// parseInto parses the parameters into t. It returns all errors.
func (p *Planner) parseInto(t *Template, in *input) []*ParameterError {
	t.options, t.seed = &defaultOptions, p.limits.Seed
	if in.values != nil || t.status.list != nil {
		o := defaultOptions
		if t.status.list != nil {
			o.status = t.status
		}
		errs := in.parse(&o)
		if o.failFirst > 0 {
			o.script = o.failScript()
		}
		t.options = &o
		if errs != nil {
			return errs
		}
	}
	if t.options.seed != nil {
		t.seed = t.options.seed
	}
	if in.trusted {
		t.delay = t.options.delay
	}
	return nil
}

// complete measures t's body, and checks it and the parameters. idle are errors of
// parameters that have no effect on t; errs are others.
func (p *Planner) complete(t *Template, in *input) (idle, errs []*ParameterError) {
	if t.measure != nil {
		t.sent = t.measure(t)
	}
	if in.values != nil {
		if idle, errs = in.validate(t.options, t.sent); errs != nil {
			return idle, errs
		}
	}
	t.sent = t.options.extent(t.sent)
	return idle, p.checkTotal(t, in)
}

// checkTotal sets how long t's body takes. It returns an error if the shortest wait,
// body delay and body take longer than MaxDelay.
func (p *Planner) checkTotal(t *Template, in *input) []*ParameterError {
	wait, bodyDelay := t.delay.Min(), t.options.bodyDelay.Min()
	t.after = bodyDelay + t.sent.takes
	if t.sent.takes <= p.limits.MaxDelay-wait-bodyDelay {
		return nil
	}
	longest := "delay"
	for _, name := range []string{"rate", "body_delay"} {
		if in.has(name) {
			longest = name
			break
		}
	}
	return []*ParameterError{{Name: longest, Err: problem.ConflictingParameters.New(
		"delay %v, body_delay %v and a body that takes %v are longer than MAX_DELAY=%v in total",
		wait, bodyDelay, t.sent.takes, p.limits.MaxDelay)}}
}

// extent returns the extent of a body after o was applied to it.
func (o *options) extent(body extent) extent {
	if o.status.bodiless() || o.fault.ReplacesResponse() {
		return extent{}
	}
	if o.size >= 0 {
		body = extent{length: o.size}
	}
	if o.rate > 0 {
		body.takes = max(body.takes, answer.TransferTime(body.length, o.rate))
	}
	return body
}

// apply applies o to a, whose status is set.
func (o *options) apply(a *answer.Answer, bodyDelay time.Duration) {
	a.Fault = o.fault
	a.Header, a.Dynamic = slices.Clip(o.header), o.dynamic
	if slices.ContainsFunc(o.header, func(f answer.Field) bool { return f.Name == "Content-Type" }) {
		a.ContentType = ""
	}
	if !answer.HasBody(a.Status) {
		a.Body, a.ContentType, a.Fault = answer.Body{}, "", ""
		return
	}
	if o.size >= 0 {
		a.Body = answer.Padding(o.size)
		if a.ContentType != "" {
			a.ContentType = answer.Bytes
		}
	}
	if o.rate > 0 {
		a.Body = a.Body.Throttled(o.rate)
	}
	if bodyDelay > 0 {
		a.Body = a.Body.Delayed(bodyDelay)
	}
}
