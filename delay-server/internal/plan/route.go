package plan

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

// Prepare parses what an operator says of the route called name, by the names and
// in the forms of a query's parameters, but for run and seed. The template is of
// any path and query: the run of a request is that of its headers. Beside the
// parameters of a query an operator may give
//
//	delay        the wait; none without it
//	body, json   the body, as it is; empty without either and size
//	limit        how many requests are admitted: 10/s, 100/m or 1000/h
//	burst        how many of them may come at once, 1 without it
//	barrier      the name of one that the request stands at before the wait,
//	             with parties and timeout, as /barrier/{name} has them
//	hold         the name of one that it is held by, with timeout, as /hold/{name}
//
// and any header but those that frame a message. The errors are all that is
// wrong.
func (p *Planner) Prepare(name string, values url.Values) (*Template, []*ParameterError) {
	var wait delay.Delay
	var errs []*ParameterError
	if values.Has("delay") {
		var err error
		if wait, err = p.parseDelay(values.Get("delay")); err != nil {
			wait, errs = delay.Delay{}, append(errs, &ParameterError{"delay", 0, err})
		}
	}
	t := &Template{planner: p, delay: wait, seed: p.limits.Seed, trusted: true, content: content{
		body: func(t *Template, a *answer.Answer, _ rng, _ time.Duration) {
			a.ContentType, a.Body.Whole = t.options.contentType, t.options.body
		},
		measure: func(o *options) extent { return extent{length: int64(len(o.body))} },
	}}
	errs = append(errs, p.readOptions(t, parameters{values: values, trusted: true})...)
	if errs != nil {
		return nil, errs
	}
	o := t.options
	if o.pool != nil {
		o.pool.Operator = true
	}
	if o.size >= 0 {
		o.contentType = answer.Bytes
	}
	return t.ready(name), nil
}

// paramError returns err as that of the parameter, where it is not one's already.
func paramError(parameter string, err error) *ParameterError {
	var known *ParameterError
	if errors.As(err, &known) {
		return known
	}
	return &ParameterError{parameter, 0, err}
}

// agreeOnBody refuses what contradicts the one body that an operator gives.
func agreeOnBody(params parameters, refuse func(ifGiven, format string, args ...any)) {
	first := ""
	for _, name := range []string{"body", "json", "size"} {
		if first == "" && params.has(name) {
			first = name
		} else {
			refuse(name, "%s and %s contradict each other: an answer has one body; accepted: one of the two", first, name)
		}
	}
}

func (p *Planner) body(text, contentType string) ([]byte, string, error) {
	if int64(len(text)) > p.limits.MaxBody {
		return nil, "", badRequest("the body has %d bytes; accepted: up to %d, this server's MAX_BODY_SIZE", len(text), p.limits.MaxBody)
	}
	return []byte(text), contentType, nil
}

// readLimit reads limit, such as 10/s, and burst.
func readLimit(params parameters) (*gate.RateLimiter, error) {
	const lowest, highest = 0.001, 1_000_000
	text := params.get("limit")
	count, unit, _ := strings.Cut(text, "/")
	n, isNumber := decimal(count)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if !isNumber || seconds == 0 || n < lowest || n > highest {
		return nil, badRequest("limit %s is not accepted; accepted: a number from %v to %d in a second, a minute or an hour: 10/s, 100/m or 1000/h", problem.Quote(text), lowest, highest)
	}
	burst := int64(1)
	if params.has("burst") {
		var err error
		if burst, err = params.parseInt("burst", 1, highest); err != nil {
			return nil, err
		}
	}
	return gate.NewRateLimiter(n/seconds, int(burst)), nil
}
