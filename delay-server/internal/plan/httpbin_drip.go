package plan

import (
	"bytes"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = registerEndpoint(Endpoint{
	Pattern: "/drip", Group: "go-httpbin",
	Summary: "Wait, then send a body evenly over a time",
	Meaning: "Sends `numbytes` asterisks evenly over `duration`, as [go-httpbin](/doc#go-httpbin).",
	Example: "/drip?delay=0&duration=0.1",
	Parameters: []Parameter{httpbinDelay("2s"), {
		Name: "numbytes", In: InQuery,
		Usage: "1 to MAX_BODY_SIZE", Meaning: "The length of the body.",
		Example: "100", Schema: `{ type: integer, minimum: 1, default: 10 }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "duration", In: InQuery,
		Usage: "a [delay](/doc#delay)", Meaning: "The time from the first byte to the last.",
		Example: "5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: 2s }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "code", In: InQuery,
		Usage: "200 to 599", Meaning: "The status, like the parameter `status`.",
		Example: "503", Schema: `{ type: integer, minimum: 200, maximum: 599, default: 200 }`,
		shapes:   shapesResponse,
		excludes: []exclusion{{"status", "both set the status"}, {"attempts", eachAttempt}},
	}},
	Omits: map[string]string{"size": "numbytes"},
	Responses: `
"200":
  description: Asterisks.
  headers:
    Server-Timing: { $ref: "#/components/headers/Server-Timing" }
  content: { text/plain: { schema: { type: string } }, "*/*": {} }
"500": { $ref: "#/components/responses/InternalServerError" }
`,
	seconds: true,
	parse:   (*Planner).drip,
})

// drip parses /drip: the wait of delay, then numbytes bytes. The first is due at once
// and the last after duration.
func (p *Planner) drip(a args) (*Template, error) {
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	n, err := parseInt("numbytes", in.or("numbytes", "10"), 1, p.limits.MaxBody)
	if err != nil {
		return nil, err
	}
	duration, err := in.parseDelay("duration", in.or("duration", "2s"))
	if err != nil {
		return nil, err
	}
	status, err := in.dripStatus()
	if err != nil {
		return nil, err
	}
	body := extent{length: n, takes: duration.Min()}
	if n == 1 {
		if d, fixed := duration.Fixed(); in.has("duration") && !(fixed && d == 0) {
			return nil, problem.ConflictingParameters.New(
				"numbytes=1 and duration conflict: there is one byte; use numbytes=2 or more")
		}
		body.takes = 0
	}
	send := func(_ *Template, a *answer.Answer, rng rng, longest time.Duration) {
		total, _ := duration.SampleWithin(rng, longest)
		a.ContentType, a.Body = answer.Text, drip(n, total)
	}
	return p.httpbin(a, in, "2s", content{status: status, body: send, draws: !isFixed(duration)}, body)
}

// dripStatus parses code, go-httpbin's name for a status without percentages.
func (in *input) dripStatus() (statuses, error) {
	if !in.has("code") {
		return statuses{}, nil
	}
	code, ok := parseStatus(in.get("code"))
	if !ok {
		return statuses{}, problem.InvalidParameter.New("code %s is invalid: use a code from 200 to 599",
			problem.Quote(in.get("code")))
	}
	return statuses{[]weightedStatus{{code, 1}}}, nil
}

// dripInterval is the minimum time between two parts, unless a part is a single byte.
const dripInterval = time.Millisecond

// stars is the content of drip's parts.
var stars = bytes.Repeat([]byte("*"), block)

// drip returns a body of n bytes. The first is due at once and the last after total. A
// part is due with its last byte.
func drip(n int64, total time.Duration) answer.Body {
	maxPart := int64(block)
	if total > 0 {
		maxPart = int64(min(block, max(1, float64(n)*float64(dripInterval)/float64(total))))
	}
	return answer.Body{Length: n, Paced: total > 0, Open: func(func() time.Time) func() (answer.Part, bool) {
		sent := int64(0)
		return func() (answer.Part, bool) {
			if sent == n {
				return answer.Part{}, false
			}
			part := stars[:min(maxPart, n-sent)]
			sent += int64(len(part))
			return answer.Part{Due: even(total, sent-1, n), Bytes: part}, true
		}
	}}
}
