package plan

import (
	"net/textproto"
	"slices"
	"strings"

	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "attempts_key", In: InQuery, Route: "attempts_key", Counts: true,
	Usage: "`header:NAME`",
	Meaning: "Counts [attempts](/doc#attempts) by the value of this header of the request, not by method and path. " +
		"No run is needed.",
	Details: " In a run, attempts with the same value count together within the run.",
	Example: "header:Idempotency-Key",
	Schema:  `{ type: string, pattern: "^header:[!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]{1,200}$" }`,
	parse: func(in *input, o *options) error {
		text := in.get("attempts_key")
		name, isHeader := strings.CutPrefix(text, "header:")
		if name = textproto.CanonicalMIMEHeaderKey(name); !isHeader || !isRequestField(name) {
			return problem.InvalidParameter.New("attempts_key %s is invalid: use header:NAME, such as %s",
				problem.Quote(text), "header:Idempotency-Key")
		}
		o.attemptsKey = name
		return nil
	},
})

// isRequestField reports whether plan.Headers has the field of the canonical name. net/http
// removes Host and fields that frame a request.
func isRequestField(name string) bool {
	return fieldName.MatchString(name) && name != "Host" && !slices.Contains(framing, name)
}

// count returns the number of a request of the run, which may be "", among the requests
// that are counted with it, or 0 if it is not counted. The error is a *problem.Problem.
func (t *Template) count(run string, r *Request) (int, error) {
	counts := &t.planner.counts
	switch o := t.options; {
	case o.attemptsKey != "":
		value := ""
		if r.Headers != nil {
			value = r.Headers.Get(o.attemptsKey)
		}
		if value == "" {
			return 0, problem.InvalidHeader.New("header %s is missing: attempts_key counts by it", o.attemptsKey)
		}
		key := counts.hash("header", o.attemptsKey, value)
		if run == "" {
			return counts.next(key, key), nil // a group of its own: keys have no end
		}
		return counts.next(counts.hash(run), key), nil
	case run != "":
		return counts.next(counts.hash(run), counts.hash("path", r.Method, unescaped(r.Path))), nil
	case t.attempts == nil:
		return 0, nil
	case t.trusted:
		return counts.next(counts.hash(""), t.routeKey), nil
	default:
		return 0, problem.ConflictingParameters.New("%s needs a run: add run=NAME, the header X-Run-Id or attempts_key",
			o.script.parameter)
	}
}
