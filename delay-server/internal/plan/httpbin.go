package plan

import (
	"math/bits"
	"slices"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// The templates of go-httpbin's endpoints have its names and its defaults, so that
// its users can switch. As there, a bare number in a time is seconds.

// httpbin is what one of these endpoints answers.
type httpbin struct {
	content
	extent      extent   // of the body
	aboutAnswer []string // parameters about the answer: they contradict a fault that gives none
	aboutBody   []string // parameters about the body: they contradict a status that has none
}

// Parameters that these endpoints have beside those of every endpoint that waits.
var (
	ofHTTPBin = []string{"delay"}
	ofDrip    = []string{"duration", "numbytes", "code"}
	ofSSE     = []string{"count", "duration", "jitter", "interval", "first"}
)

// readSeconds reads a query, its bare numbers as seconds.
func readSeconds(a args) (parameters, error) {
	params, err := readParameters(a.query, a.known)
	params.seconds = true
	return params, err
}

// httpbin returns the template of h: the wait of the parameter delay, which is
// otherwise where it is not given, then h's answer.
func (p *Planner) httpbin(a args, params parameters, otherwise string, h httpbin) (*Template, error) {
	wait, err := p.time(params, "delay", params.or("delay", otherwise))
	if err != nil {
		return nil, err
	}
	h.measure = func(*options) extent { return h.extent }
	t := &Template{planner: p, delay: wait, content: h.content}
	if err := p.parseOptions(t, params); err != nil {
		return nil, err
	}
	if err := h.validate(t.options); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// validate refuses what h and the options of its answer contradict each other in.
func (h httpbin) validate(o *options) error {
	switch {
	case o.fault != "" && o.fault != answer.Truncate && len(h.aboutAnswer) > 0:
		return badRequest("fault=%s and %s contradict each other: with that fault there is no answer; accepted: one of the two", o.fault, h.aboutAnswer[0])
	case o.status.bodiless() && len(h.aboutBody) > 0:
		return badRequest("status %s and %s contradict each other: that status has no body; accepted: one of the two", o.status, h.aboutBody[0])
	}
	return nil
}

// given returns those of names that p has.
func (p parameters) given(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !p.has(name) })
}

// exclusive refuses two parameters that are both given, for the reason.
func (p parameters) exclusive(one, other, reason string) error {
	if p.has(one) && p.has(other) {
		return badRequest("%s=%s and %s=%s contradict each other: %s; accepted: one of the two", one, problem.Quote(p.get(one)), other, problem.Quote(p.get(other)), reason)
	}
	return nil
}

// forbid refuses a parameter whose matter is written in another way.
func (p parameters) forbid(name, accepted string) error {
	if p.has(name) {
		return badRequest("%s=%s is not accepted here; accepted: %s", name, problem.Quote(p.get(name)), accepted)
	}
	return nil
}

// even returns when part i of n is due where the first is due at once, the last
// after whole, and the others evenly between.
func even(whole time.Duration, i, n int64) time.Duration {
	// In 128 bits, since the product of a time and a count can be over 64.
	hi, lo := bits.Mul64(uint64(whole), uint64(i))
	due, _ := bits.Div64(hi, lo, uint64(max(n-1, 1)))
	return time.Duration(due)
}
