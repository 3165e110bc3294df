package plan

import (
	"math/bits"
	"slices"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
)

// The plans of go-httpbin's endpoints have its names and its defaults, so that
// its users can switch. As there, a bare number in a time is seconds.

// endpoint is what one of these endpoints plans by itself.
type endpoint struct {
	answer []string // what the request says of the answer: contradicts a fault that gives none
	body   []string // what it says of the body: contradicts a status that has none
	status statuses // of the answer; empty for those of the parameter status
	extent extent   // of the body
	make   making
}

// Parameters that an endpoint has beside delay and those of every endpoint that waits.
var (
	ofDrip = []string{"duration", "numbytes", "code"}
	ofSSE  = []string{"count", "duration", "jitter", "interval", "first"}
)

// readSeconds reads a query that may have delay and more beside the parameters
// of every waiting endpoint, its bare numbers as seconds.
func readSeconds(r Request, more ...string) (parameters, error) {
	params, err := readParameters(r.URL.RawQuery, append([]string{"delay"}, more...)...)
	params.seconds = true
	return params, err
}

// httpbin plans a request to e: the wait of the parameter delay, which is
// otherwise where it is not given, then e's answer. The error is a
// *problem.Problem.
func (p *Planner) httpbin(r Request, params parameters, otherwise string, e endpoint) (*Plan, error) {
	wait, err := p.time(params, "delay", params.or("delay", otherwise))
	if err != nil {
		return nil, err
	}
	from := recipe{delay: wait, status: e.status, make: e.make, measure: func(*shape) extent { return e.extent }}
	if err := p.fill(&from, params); err != nil {
		return nil, err
	}
	if err := e.agree(from.shape); err != nil {
		return nil, err
	}
	return p.draw(r, &from, params.get("run"))
}

// agree refuses in what e and the shape of its answer contradict each other.
func (e endpoint) agree(s *shape) error {
	switch {
	case s.fault != "" && s.fault != answer.Truncate && len(e.answer) > 0:
		return bad("fault=%s and %s contradict each other: with that fault there is no answer; accepted: one of the two", s.fault, e.answer[0])
	case s.status.bodiless() && len(e.body) > 0:
		return bad("status %s and %s contradict each other: that status has no body; accepted: one of the two", s.status, e.body[0])
	}
	return nil
}

// given returns those of names that p has.
func (p parameters) given(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !p.has(name) })
}

// apart refuses two parameters that are both given, for the reason.
func (p parameters) apart(one, other, reason string) error {
	if p.has(one) && p.has(other) {
		return bad("%s=%s and %s=%s contradict each other: %s; accepted: one of the two", one, problem.Quote(p.get(one)), other, problem.Quote(p.get(other)), reason)
	}
	return nil
}

// without refuses a parameter whose matter is written in another way.
func (p parameters) without(name, accepted string) error {
	if p.has(name) {
		return bad("%s=%s is not accepted here; accepted: %s", name, problem.Quote(p.get(name)), accepted)
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
