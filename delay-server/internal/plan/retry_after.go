package plan

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "retry_after", In: InQuery, Route: "retry_after",
	Usage:   "whole seconds, such as `2s`, or `date:2s`",
	Meaning: "The header `Retry-After` of the answer, whatever its status: seconds, or with `date:` an HTTP date.",
	Example: "2s", Schema: `{ type: string, pattern: '^(date:)?[0-9].*$' }`,
	shapes: shapesResponse,
	parse:  parseRetryAfter,
})

func parseRetryAfter(in *input, o *options) error {
	for _, field := range in.values["header"] {
		if name, _, _ := strings.Cut(field, ":"); strings.EqualFold(name, "Retry-After") {
			return problem.ConflictingParameters.New("header and retry_after conflict: both set Retry-After")
		}
	}
	text := in.get("retry_after")
	duration, isDate := strings.CutPrefix(text, "date:")
	parse := delay.Parse
	if in.seconds {
		parse = delay.ParseSeconds
	}
	d, err := parse(duration)
	after, fixed := d.Fixed()
	if err != nil || !fixed || after%time.Second != 0 {
		return problem.InvalidParameter.New("retry_after %s is invalid: use whole seconds, such as 2s, or date:2s",
			problem.Quote(text))
	}
	if isDate {
		o.setWhenSent(func(h http.Header) { // by the system clock, like the client and Date
			date := time.Now().Add(after).Add(time.Second - 1) // round up: a date has whole seconds
			h.Set("Retry-After", date.UTC().Format(http.TimeFormat))
		})
		return nil
	}
	seconds := strconv.FormatInt(int64(after/time.Second), 10)
	o.header = append(o.header, answer.Field{Name: "Retry-After", Value: seconds})
	return nil
}
