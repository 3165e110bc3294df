package plan

import (
	"math"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// status parses /status/{codes...}: an empty answer of the code, or of one that is
// drawn by the weights of several.
func (p *Planner) status(a args) (*Template, error) {
	params, err := readSeconds(a)
	if err != nil {
		return nil, err
	}
	codes, err := readChoices(unescaped(a.param))
	if err != nil {
		return nil, err
	}
	if err := params.forbid("status", "/status/{codes}, whose codes it is"); err != nil {
		return nil, err
	}
	h := httpbin{aboutAnswer: []string{"/status/" + codes.String()}}
	h.status = codes
	h.body = func(_ *Template, a *answer.Answer, _ rng, _ time.Duration) { a.ContentType = answer.Text } // and empty
	return p.httpbin(a, params, "0", h)
}

// readChoices reads go-httpbin's codes, by comma, each with a weight or of
// weight 1. What counts is a weight's share of their sum.
func readChoices(text string) (statuses, error) {
	refuse := func(reason string) (statuses, error) {
		return statuses{}, badRequest("status %s %s; accepted: a code from 200 to 599, or CODE:WEIGHT,… of decimal weights, such as 200:0.9,500:0.1", problem.Quote(text), reason)
	}
	var list []weightedStatus
	sum := 0.0
	for pair := range strings.SplitSeq(text, ",") {
		codeText, weightText, hasWeight := strings.Cut(pair, ":")
		code, isCode := readStatus(codeText)
		weight, isWeight := 1.0, true
		if hasWeight {
			weight, isWeight = readWeight(weightText)
		}
		if !isCode || !isWeight {
			return refuse("is not understood at " + problem.Quote(pair))
		}
		sum += weight
		list = append(list, weightedStatus{code, sum})
	}
	if sum == 0 || math.IsInf(sum, 1) {
		return refuse("has weights that add up to " + strconv.FormatFloat(sum, 'g', -1, 64))
	}
	for i := range list {
		list[i].upTo /= sum
	}
	return statuses{list}, nil
}

// readWeight reads a decimal number of 0 or more, with no sign and no exponent.
func readWeight(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && strings.Trim(text, "0123456789.") == ""
}
