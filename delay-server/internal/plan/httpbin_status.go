package plan

import (
	"math"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = registerEndpoint(Endpoint{
	Pattern: "/status/{codes...}", Group: "go-httpbin",
	Summary: "Wait, then answer with a status",
	Meaning: "Answers with the status, or with one of several, as [go-httpbin](/doc#go-httpbin).",
	Example: "/status/503",
	Parameters: []Parameter{{
		Name: "codes", In: InPath, Required: true,
		Usage:   "200 to 599, or CODE:WEIGHT,…",
		Meaning: "A code, or `CODE:WEIGHT,…` to draw one. The weight of a code without one is 1.",
		Example: "200:0.9,500:0.1", Schema: `{ type: string, pattern: '^[2-5]\d\d(:[\d.]+)?(,[2-5]\d\d(:[\d.]+)?)*$' }`,
		shapes: shapesResponse,
	}, httpbinDelay("0")},
	Omits: map[string]string{"status": "the path", "attempts": "/delay/{delay}"},
	Responses: `
"401":
  description: The requested status.
  headers:
    Server-Timing: { $ref: "#/components/headers/Server-Timing" }
    WWW-Authenticate: { required: true, schema: { type: string } }
"500": { $ref: "#/components/responses/InternalServerError" }
default: { $ref: "#/components/responses/Status" }
`,
	seconds: true,
	parse:   (*Planner).status,
})

// status parses /status/{codes...}: an empty answer with the code, or with a code drawn
// by weight.
func (p *Planner) status(a args) (*Template, error) {
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	codes, err := parseWeighted(unescaped(a.param))
	if err != nil {
		return nil, err
	}
	empty := func(_ *Template, a *answer.Answer, _ rng, _ time.Duration) { a.ContentType = answer.Text }
	return p.httpbin(a, in, "0", content{status: codes, body: empty}, extent{})
}

// parseWeighted parses go-httpbin's list of codes with weights. A code without a weight
// has weight 1. The probability of a code is its share of the sum.
func parseWeighted(text string) (statuses, error) {
	refuse := func(reason string) (statuses, error) {
		return statuses{}, invalid("status", text, reason,
			"a code from 200 to 599, or CODE:WEIGHT,… such as 200:0.9,500:0.1")
	}
	var list []weightedStatus
	sum := 0.0
	for pair := range strings.SplitSeq(text, ",") {
		codeText, weightText, hasWeight := strings.Cut(pair, ":")
		code, isCode := parseStatus(codeText)
		weight, isWeight := 1.0, true
		if hasWeight {
			weight, isWeight = parseDecimal(weightText)
		}
		if !isCode || !isWeight {
			return refuse("at " + problem.Quote(pair))
		}
		sum += weight
		list = append(list, weightedStatus{code, sum})
	}
	if sum == 0 || math.IsInf(sum, 1) {
		return refuse("the weights add up to " + strconv.FormatFloat(sum, 'g', -1, 64))
	}
	for i := range list {
		list[i].upTo /= sum
	}
	return statuses{list}, nil
}
