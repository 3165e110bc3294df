package plan

import (
	"math"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

// options are what parameters make of an answer and of the way to it.
type options struct {
	status    statuses
	size      int64 // bytes; negative for the body as it is
	header    []answer.Field
	bodyDelay delay.Delay
	rate      float64 // bytes a second; 0 for no limit
	fault     answer.Fault
	failFirst int64
	pool      *gate.PoolSpec
	barrier   *gate.BarrierSpec // of its endpoint, or an operator's
	hold      *gate.HoldSpec    // likewise

	// An operator's alone.
	body        []byte // as it is; nil for none
	contentType string // of body
	limit       *gate.RateLimiter
}

// readOptions reads all parameters but run and seed into t, and returns all errors.
func (p *Planner) readOptions(t *Template, params parameters) []*ParameterError {
	t.options = &defaultOptions
	if params.values == nil && t.measure == nil {
		return nil // a wait alone, which its reader has held against the limits
	}
	if params.values != nil || t.status.list != nil {
		o := defaultOptions
		if t.status.list != nil {
			o.status = t.status
		}
		if errs := p.parseParameters(&o, params); errs != nil {
			return errs
		}
		t.options = &o
	}
	if t.measure != nil {
		t.sent = t.measure(t.options)
	}
	if params.values != nil {
		if errs := t.options.contradictions(params, t.sent.length); errs != nil {
			return errs
		}
	}
	t.sent = t.options.extent(t.sent)
	return p.tooSlow(t, params)
}

// tooSlow measures how long t's body takes, and returns an error where the whole of
// a reply takes longer than MaxDelay at the least.
func (p *Planner) tooSlow(t *Template, params parameters) []*ParameterError {
	wait, bodyDelay := t.delay.Min(), t.options.bodyDelay.Min()
	t.after = bodyDelay + t.sent.takes
	if t.sent.takes <= p.limits.MaxDelay-wait-bodyDelay {
		return nil
	}
	for _, name := range []string{"rate", "body_delay", "delay"} {
		if params.has(name) || name == "delay" {
			return []*ParameterError{{name, 0, badRequest("a delay of %v, a body_delay of %v and a body that takes %v are longer than this server waits; accepted: up to %v in all, its MAX_DELAY",
				wait, bodyDelay, t.sent.takes, p.limits.MaxDelay)}}
		}
	}
	return nil
}

// extent returns what becomes of body by o.
func (o *options) extent(body extent) extent {
	if o.status.bodiless() || o.fault != "" && o.fault != answer.Truncate {
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

// defaultOptions are those without parameters. They are shared, and never changed.
var defaultOptions = options{size: -1, status: ok}

// parseParameters reads into o all that params give, and returns all errors.
func (p *Planner) parseParameters(o *options, params parameters) (errs []*ParameterError) {
	readers := []struct {
		name string
		read func() error
	}{
		{"status", func() (err error) { o.status, err = readStatuses(params.get("status")); return }},
		{"size", func() (err error) { o.size, err = params.parseInt("size", 0, p.limits.MaxBody); return }},
		{"header", func() (err error) { o.header, err = readHeader(params.values["header"], params.trusted); return }},
		{"body_delay", func() (err error) { o.bodyDelay, err = p.time(params, "body_delay", params.get("body_delay")); return }},
		{"rate", func() (err error) { o.rate, err = readRate(params.get("rate")); return }},
		{"fault", func() (err error) { o.fault, err = readFault(params.get("fault")); return }},
		{"fail_first", func() (err error) { o.failFirst, err = params.parseInt("fail_first", 1, math.MaxInt32); return }},
		{"pool", func() (err error) { o.pool, err = readPool(params); return }},
		{"barrier", func() (err error) { o.barrier, err = p.readBarrier(params); return }},
		{"hold", func() (err error) { o.hold, err = p.readHold(params); return }},
		{"body", func() (err error) { o.body, o.contentType, err = p.body(params.get("body"), answer.Text); return }},
		{"json", func() (err error) { o.body, o.contentType, err = p.body(params.get("json"), answer.JSON); return }},
		{"limit", func() (err error) { o.limit, err = readLimit(params); return }},
	}
	for _, r := range readers {
		if !params.has(r.name) {
			continue
		}
		if err := r.read(); err != nil {
			errs = append(errs, paramError(r.name, err))
		}
	}
	return errs
}

// contradictions returns an error for each parameter that contradicts another,
// or a body of so many bytes: one of the two would be ignored in silence.
func (o *options) contradictions(params parameters, length int64) (errs []*ParameterError) {
	refuse := func(ifGiven string, format string, args ...any) {
		if params.has(ifGiven) {
			errs = append(errs, &ParameterError{ifGiven, 0, badRequest(format, args...)})
		}
	}
	if o.pool == nil {
		for _, name := range []string{"workers", "queue"} {
			refuse(name, "%s=%s has no pool; accepted: pool=NAME&workers=W&queue=Q", name, problem.Quote(params.get(name)))
		}
	}
	if o.fault != "" && o.fault != answer.Truncate {
		for _, name := range []string{"status", "size", "header", "body_delay", "rate", "fail_first", "body", "json"} {
			refuse(name, "fault=%s and %s contradict each other: with that fault there is no answer; accepted: one of the two", o.fault, name)
		}
		return errs
	}
	if o.status.bodiless() {
		for _, name := range []string{"size", "body_delay", "rate", "fault", "body", "json"} {
			refuse(name, "status=%s and %s contradict each other: that status has no body; accepted: one of the two", o.status, name)
		}
		return errs
	}
	if params.trusted {
		agreeOnBody(params, refuse)
	}
	if o.size >= 0 {
		length = o.size
	}
	if o.fault == answer.Truncate && length < 2 {
		if o.size >= 0 {
			refuse("size", "fault=truncate and size=%d contradict each other: there is nothing to cut; accepted: size=2 or more", o.size)
		} else {
			refuse("fault", "fault=truncate has nothing to cut: the body has %d bytes; accepted: with a body of 2 bytes or more", length)
		}
	}
	if length == 0 {
		accepted := "with a body of 1 byte or more"
		if params.trusted {
			accepted = "with body, json or size"
		}
		for _, name := range []string{"body_delay", "rate"} {
			if o.size == 0 {
				refuse(name, "size=0 and %s contradict each other: there is no body to slow; accepted: one of the two", name)
			} else {
				refuse(name, "%s has nothing to slow: the body is empty; accepted: %s", name, accepted)
			}
		}
	}
	return errs
}

// apply gives a what o says of it, its status aside.
func (o *options) apply(a *answer.Answer, bodyDelay time.Duration) {
	a.Fault = o.fault
	a.Header = slices.Clip(o.header)
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

// time reads text, a parameter's, as a delay that this server waits.
func (p *Planner) time(params parameters, name, text string) (delay.Delay, error) {
	parse := delay.Parse
	if params.seconds {
		parse = delay.ParseSeconds
	}
	d, err := p.checkLimit(text, parse)
	if err != nil {
		return d, badRequest("%s: %v", name, err)
	}
	return d, nil
}

// readRate reads kilobytes a second, of 1000 bytes each (toxiproxy's unit).
func readRate(text string) (float64, error) {
	const maxRate = 1e9
	kilobytes, ok := decimal(text)
	if !ok || kilobytes > maxRate || kilobytes < 0.001 {
		return 0, badRequest("rate %s is not accepted; accepted: kilobytes (of 1000 bytes) a second, from 0.001 to %.0f", problem.Quote(text), maxRate)
	}
	return kilobytes * 1000, nil
}

func readFault(text string) (answer.Fault, error) {
	if f := answer.Fault(text); slices.Contains(answer.Faults, f) {
		return f, nil
	}
	return "", badRequest("fault %s is not known; accepted: %s", problem.Quote(text), join(answer.Faults))
}

func join[S ~string](words []S) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

// maxWorkers is the most workers and places in a queue that a pool may have.
const maxWorkers = 1_000_000

func readPool(params parameters) (*gate.PoolSpec, error) {
	spec := gate.PoolSpec{Name: params.get("pool"), Queue: -1}
	if err := checkName("parameter pool", spec.Name); err != nil {
		return nil, err
	}
	if !params.has("workers") {
		return nil, badRequest("pool=%s has no workers; accepted: pool=NAME&workers=W, and &queue=Q where the queue is bounded", spec.Name)
	}
	workers, err := params.parseInt("workers", 1, maxWorkers)
	if err != nil {
		return nil, err
	}
	spec.Workers = int(workers)
	if params.has("queue") {
		queue, err := params.parseInt("queue", 0, maxWorkers)
		if err != nil {
			return nil, err
		}
		spec.Queue = int(queue)
	}
	return &spec, nil
}
