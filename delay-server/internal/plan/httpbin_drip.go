package plan

import (
	"bytes"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// drip parses /drip: the wait of delay, then numbytes bytes, of which the first is
// due at once and the last after duration.
func (p *Planner) drip(a args) (*Template, error) {
	params, err := readSeconds(a)
	if err != nil {
		return nil, err
	}
	n, err := parseInt("numbytes", params.or("numbytes", "10"), 1, p.limits.MaxBody)
	if err != nil {
		return nil, err
	}
	duration, err := p.time(params, "duration", params.or("duration", "2s"))
	if err != nil {
		return nil, err
	}
	status, err := params.dripStatus()
	if err != nil {
		return nil, err
	}
	if err := params.forbid("size", "numbytes"); err != nil {
		return nil, err
	}
	if fixed, is := duration.Fixed(); n == 1 && params.has("duration") && !(is && fixed == 0) {
		return nil, badRequest("numbytes=1 and duration=%s contradict each other: duration is the time from the first byte to the last; accepted: numbytes=2 or more, or duration=0", problem.Quote(params.get("duration")))
	}
	h := httpbin{
		extent:      extent{length: n, takes: duration.Min()},
		aboutAnswer: params.given("code", "numbytes", "duration"), aboutBody: params.given("numbytes", "duration"),
	}
	if n == 1 {
		h.extent.takes = 0
	}
	h.status, h.draws = status, !isFixed(duration)
	h.body = func(_ *Template, a *answer.Answer, rng rng, longest time.Duration) {
		whole, _ := duration.SampleWithin(rng, longest)
		a.ContentType, a.Body = answer.Text, drip(n, whole)
	}
	return p.httpbin(a, params, "2s", h)
}

// dripStatus reads code, go-httpbin's name for a status that has no weights.
func (p parameters) dripStatus() (statuses, error) {
	if !p.has("code") {
		return statuses{}, nil
	}
	code, ok := readStatus(p.get("code"))
	if !ok {
		return statuses{}, badRequest("code %s is not accepted; accepted: a code from 200 to 599", problem.Quote(p.get("code")))
	}
	return statuses{[]weightedStatus{{code, 1}}}, p.exclusive("code", "status", "both are the status")
}

// together is how close bytes are that drip sends in one part.
const together = time.Millisecond

// stars is what drip sends.
var stars = bytes.Repeat([]byte("*"), block)

// drip returns a body of n bytes, the first due at once, the last after whole.
// The bytes of one part are due with the last of them.
func drip(n int64, whole time.Duration) answer.Body {
	maxPart := int64(block)
	if whole > 0 {
		maxPart = int64(min(block, max(1, float64(n)*float64(together)/float64(whole))))
	}
	return answer.Body{Length: n, Paced: whole > 0, Open: func() func() (answer.Part, bool) {
		sent := int64(0)
		return func() (answer.Part, bool) {
			if sent == n {
				return answer.Part{}, false
			}
			part := stars[:min(maxPart, n-sent)]
			sent += int64(len(part))
			return answer.Part{Due: even(whole, sent-1, n), Bytes: part}, true
		}
	}}
}
