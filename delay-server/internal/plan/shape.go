package plan

import (
	"math"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/problem"
)

// shape is what parameters make of an answer and of the way to it.
type shape struct {
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

// shape reads all parameters but run and seed into from, and returns all errors.
func (p *Planner) shape(from *recipe, params parameters) []*ParameterError {
	from.shape = &unshaped
	if params.values == nil && from.measure == nil {
		return nil // a wait alone, which its reader has held against the limits
	}
	if params.values != nil || from.status.list != nil {
		s := unshaped
		if from.status.list != nil {
			s.status = from.status
		}
		if errs := p.readShape(&s, params); errs != nil {
			return errs
		}
		from.shape = &s
	}
	if from.measure != nil {
		from.body = from.measure(from.shape)
	}
	if params.values != nil {
		if errs := from.shape.contradictions(params, from.body.length); errs != nil {
			return errs
		}
	}
	from.body = from.shape.shaped(from.body)
	return p.tooSlow(from, params)
}

// tooSlow measures how long the sending of from takes, and returns an error where the whole of a reply takes longer than MaxDelay
// at the least.
func (p *Planner) tooSlow(from *recipe, params parameters) []*ParameterError {
	wait, bodyDelay := least(from.delay), least(from.shape.bodyDelay)
	from.after = bodyDelay + from.body.takes
	if from.body.takes <= p.limits.MaxDelay-wait-bodyDelay {
		return nil
	}
	for _, name := range []string{"rate", "body_delay", "delay"} {
		if params.has(name) || name == "delay" {
			return []*ParameterError{{name, 0, bad("a delay of %v, a body_delay of %v and a body that takes %v are longer than this server waits; accepted: up to %v in all, its MAX_DELAY",
				wait, bodyDelay, from.body.takes, p.limits.MaxDelay)}}
		}
	}
	return nil
}

// shaped returns what becomes of body by s.
func (s *shape) shaped(body extent) extent {
	if s.status.bodiless() || s.fault != "" && s.fault != answer.Truncate {
		return extent{}
	}
	if s.size >= 0 {
		body = extent{length: s.size}
	}
	if s.rate > 0 {
		body.takes = max(body.takes, answer.TransferTime(body.length, s.rate))
	}
	return body
}

// unshaped is the shape without parameters. It is shared, and never changed.
var unshaped = shape{size: -1, status: ok}

// readShape reads into s all that params give, and returns all errors.
func (p *Planner) readShape(s *shape, params parameters) (errs []*ParameterError) {
	readers := []struct {
		name string
		read func() error
	}{
		{"status", func() (err error) { s.status, err = readStatuses(params.get("status")); return }},
		{"size", func() (err error) { s.size, err = params.whole("size", 0, p.limits.MaxBody); return }},
		{"header", func() (err error) { s.header, err = readHeader(params.values["header"], params.operator); return }},
		{"body_delay", func() (err error) { s.bodyDelay, err = p.time(params, "body_delay", params.get("body_delay")); return }},
		{"rate", func() (err error) { s.rate, err = readRate(params.get("rate")); return }},
		{"fault", func() (err error) { s.fault, err = readFault(params.get("fault")); return }},
		{"fail_first", func() (err error) { s.failFirst, err = params.whole("fail_first", 1, math.MaxInt32); return }},
		{"pool", func() (err error) { s.pool, err = readPool(params); return }},
		{"barrier", func() (err error) { s.barrier, err = p.readBarrier(params); return }},
		{"hold", func() (err error) { s.hold, err = p.readHold(params); return }},
		{"body", func() (err error) { s.body, s.contentType, err = p.body(params.get("body"), answer.Text); return }},
		{"json", func() (err error) { s.body, s.contentType, err = p.body(params.get("json"), answer.JSON); return }},
		{"limit", func() (err error) { s.limit, err = readLimit(params); return }},
	}
	for _, r := range readers {
		if !params.has(r.name) {
			continue
		}
		if err := r.read(); err != nil {
			errs = append(errs, named(r.name, err))
		}
	}
	return errs
}

// contradictions returns an error for each parameter that contradicts another,
// or a body of so many bytes: one of the two would be ignored in silence.
func (s *shape) contradictions(params parameters, length int64) (errs []*ParameterError) {
	refuse := func(ifGiven string, format string, args ...any) {
		if params.has(ifGiven) {
			errs = append(errs, &ParameterError{ifGiven, 0, bad(format, args...)})
		}
	}
	if s.pool == nil {
		for _, name := range []string{"workers", "queue"} {
			refuse(name, "%s=%s has no pool; accepted: pool=NAME&workers=W&queue=Q", name, problem.Quote(params.get(name)))
		}
	}
	if s.fault != "" && s.fault != answer.Truncate {
		for _, name := range []string{"status", "size", "header", "body_delay", "rate", "fail_first", "body", "json"} {
			refuse(name, "fault=%s and %s contradict each other: with that fault there is no answer; accepted: one of the two", s.fault, name)
		}
		return errs
	}
	if s.status.bodiless() {
		for _, name := range []string{"size", "body_delay", "rate", "fault", "body", "json"} {
			refuse(name, "status=%s and %s contradict each other: that status has no body; accepted: one of the two", s.status, name)
		}
		return errs
	}
	if params.operator {
		agreeOnBody(params, refuse)
	}
	if s.size >= 0 {
		length = s.size
	}
	if s.fault == answer.Truncate && length < 2 {
		if s.size >= 0 {
			refuse("size", "fault=truncate and size=%d contradict each other: there is nothing to cut; accepted: size=2 or more", s.size)
		} else {
			refuse("fault", "fault=truncate has nothing to cut: the body has %d bytes; accepted: with a body of 2 bytes or more", length)
		}
	}
	if length == 0 {
		accepted := "with a body of 1 byte or more"
		if params.operator {
			accepted = "with body, json or size"
		}
		for _, name := range []string{"body_delay", "rate"} {
			if s.size == 0 {
				refuse(name, "size=0 and %s contradict each other: there is no body to slow; accepted: one of the two", name)
			} else {
				refuse(name, "%s has nothing to slow: the body is empty; accepted: %s", name, accepted)
			}
		}
	}
	return errs
}

// apply gives a what s says of it, its status aside.
func (s *shape) apply(a *answer.Answer, bodyDelay time.Duration) {
	a.Fault = s.fault
	a.Header = append(slices.Clip(a.Header), s.header...)
	if slices.ContainsFunc(s.header, func(f answer.Field) bool { return f.Name == "Content-Type" }) {
		a.ContentType = ""
	}
	if !answer.HasBody(a.Status) {
		a.Body, a.ContentType, a.Fault = answer.Body{}, "", ""
		return
	}
	if s.size >= 0 {
		a.Body = answer.Padding(s.size)
		if a.ContentType != "" {
			a.ContentType = answer.Bytes
		}
	}
	if s.rate > 0 {
		a.Body = a.Body.Throttled(s.rate)
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
	d, err := p.within(text, parse)
	if err != nil {
		return d, bad("%s: %v", name, err)
	}
	return d, nil
}

// readRate reads kilobytes a second, of 1000 bytes each (toxiproxy's unit).
func readRate(text string) (float64, error) {
	const most = 1e9
	kilobytes, ok := decimal(text)
	if !ok || kilobytes > most || kilobytes < 0.001 {
		return 0, bad("rate %s is not accepted; accepted: kilobytes (of 1000 bytes) a second, from 0.001 to %.0f", problem.Quote(text), most)
	}
	return kilobytes * 1000, nil
}

func readFault(text string) (answer.Fault, error) {
	if f := answer.Fault(text); slices.Contains(answer.Faults, f) {
		return f, nil
	}
	return "", bad("fault %s is not known; accepted: %s", problem.Quote(text), join(answer.Faults))
}

func join[S ~string](words []S) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

// most workers and places in a queue that a pool may have.
const mostWorkers = 1_000_000

func readPool(params parameters) (*gate.PoolSpec, error) {
	spec := gate.PoolSpec{Name: params.get("pool"), Queue: -1}
	if err := checkName("parameter pool", spec.Name); err != nil {
		return nil, err
	}
	if !params.has("workers") {
		return nil, bad("pool=%s has no workers; accepted: pool=NAME&workers=W, and &queue=Q where the queue is bounded", spec.Name)
	}
	workers, err := params.whole("workers", 1, mostWorkers)
	if err != nil {
		return nil, err
	}
	spec.Workers = int(workers)
	if params.has("queue") {
		queue, err := params.whole("queue", 0, mostWorkers)
		if err != nil {
			return nil, err
		}
		spec.Queue = int(queue)
	}
	return &spec, nil
}
