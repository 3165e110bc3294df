package plan

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// input has the parameters of a query or of a scenario's route.
type input struct {
	*Planner
	rows    []*Parameter // accepted parameters
	path    string       // of the endpoint, such as /status/{codes}
	values  url.Values   // without ignored parameters
	ignored []string     // names that the endpoint does not know, sorted
	trusted bool         // from an operator, who may set more than a link
	seconds bool         // a bare number in a time is seconds, not milliseconds

	// scripted means that the caller of Prepare gave the attempts.
	scripted bool
}

// ParameterError is an error in one parameter.
type ParameterError struct {
	Name  string
	Index int // of the value, from 0

	// Attempt is the number of the entry with the error among the attempts of Prepare, from
	// 1. It is 0 for the route.
	Attempt int

	Err error
}

// Error returns the text of e.Err.
func (e *ParameterError) Error() string { return e.Err.Error() }

// Unwrap returns e.Err.
func (e *ParameterError) Unwrap() error { return e.Err }

// paramError returns err as a *ParameterError. It keeps one that err wraps.
func paramError(name string, err error) *ParameterError {
	if known, ok := errors.AsType[*ParameterError](err); ok {
		return known
	}
	return &ParameterError{Name: name, Err: err}
}

// read parses the request's query. The error is a *problem.Problem.
func (p *Planner) read(a args) (*input, error) {
	e := a.endpoint
	in := &input{Planner: p, rows: e.rows, path: strings.Replace(e.Pattern, "...", "", 1), seconds: e.seconds}
	if a.query == "" {
		return in, nil
	}
	var err error
	if in.values, in.ignored, err = query.Read(a.query, e.known, e.repeated...); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Omits)) {
		if in.has(name) {
			return nil, problem.ConflictingParameters.New("%s and %s conflict: use %s", in.path, name, e.Omits[name])
		}
	}
	return in, nil
}

// get returns the parameter's value, or "".
func (in *input) get(name string) string { return in.values.Get(name) }

// or returns the parameter's value, or otherwise if it is not given.
func (in *input) or(name, otherwise string) string {
	if in.has(name) {
		return in.get(name)
	}
	return otherwise
}

// has reports whether the parameter is given. It may be empty.
func (in *input) has(name string) bool { return in.values.Has(name) }

// parseInt parses a parameter that is a whole number from lowest to highest.
func (in *input) parseInt(name string, lowest, highest int64) (int64, error) {
	return parseInt(name, in.get(name), lowest, highest)
}

func parseInt(name, text string, lowest, highest int64) (int64, error) {
	n, err := query.ParseInt(name, text, lowest, highest)
	if err != nil {
		return 0, &ParameterError{Name: name, Err: err}
	}
	return n, nil
}

// parseDelay parses text as the delay of a parameter, within MaxDelay.
func (in *input) parseDelay(name, text string) (delay.Delay, error) {
	parse := delay.Parse
	if in.seconds {
		parse = delay.ParseSeconds
	}
	d, err := in.checkLimit(text, parse)
	if err == nil {
		return d, nil
	}
	if syntax, ok := errors.AsType[*delay.SyntaxError](err); ok {
		return d, invalid(name, syntax.Read, syntax.Reason, syntax.Accepted)
	}
	return d, err
}

// parseDecimal parses text as a decimal number, with no sign and no exponent.
func parseDecimal(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && strings.Trim(text, "0123456789.") == ""
}

// nameOfRun describes names that belong to a run.
const nameOfRun = "A name that begins with `run:` belongs to the request's [run](/doc#runs)."

// setName sets ofRun if the name of a pool, a barrier or a hold belongs to a run.
func (o *options) setName(what, name string) error {
	if strings.HasPrefix(name, gate.RunPrefix) {
		o.ofRun = what + " " + problem.Quote(name)
	}
	return checkGateName(what, name)
}

// checkGateName returns an error unless name is the name of a pool, a barrier or a hold.
func checkGateName(what, name string) error {
	if name == gate.RunPrefix {
		return invalid(what, name, "no name after run:", "a name such as run:checkout")
	}
	return checkName(what, name)
}

// checkName returns an error unless name has 1 to 200 visible ASCII characters.
func checkName(what, name string) error {
	return query.CheckName(problem.InvalidParameter, what, name, query.MaxName)
}

// invalid returns the problem for an invalid value.
func invalid(name, value, reason, valid string) *problem.Problem {
	return problem.InvalidParameter.New("%s %s is invalid (%s): use %s", name, problem.Quote(value), reason, valid)
}
