package plan

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// known are the query parameters of every endpoint that waits.
var known = []string{
	"body_delay", "fail_first", "fault", "header", "pool", "queue", "rate", "run", "seed", "size", "status", "workers",
}

// parameters are those that a query gives, each once but header.
type parameters struct {
	values  url.Values // without the ignored
	ignored []string   // names that the endpoint does not know, sorted
	trusted bool       // they are an operator's, who may say more than a link
	seconds bool       // a bare number in a time is seconds, not milliseconds
}

// ParameterError is what is wrong with one parameter.
type ParameterError struct {
	Name  string // the parameter's
	Index int    // of its values, counted from 0
	Err   error
}

// Error says what was read and what is accepted.
func (e *ParameterError) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *ParameterError) Unwrap() error { return e.Err }

// get returns the parameter's value, or "".
func (p parameters) get(name string) string { return p.values.Get(name) }

// or returns the parameter's value, or otherwise where it is not given.
func (p parameters) or(name, otherwise string) string {
	if p.has(name) {
		return p.get(name)
	}
	return otherwise
}

// has reports whether the parameter is given, be it empty.
func (p parameters) has(name string) bool { return p.values.Has(name) }

// readParameters reads a query of known parameters. A *problem.Problem is returned
// for one that is repeated, or one slip away from a known one.
func readParameters(rawQuery string, known []string) (parameters, error) {
	if rawQuery == "" {
		return parameters{}, nil
	}
	values, ignored, err := query.Read(rawQuery, known, "header")
	return parameters{values: values, ignored: ignored}, err
}

// parseInt reads a parameter that is a whole number from lowest to highest, in digits.
func (p parameters) parseInt(name string, lowest, highest int64) (int64, error) {
	return parseInt(name, p.get(name), lowest, highest)
}

func parseInt(name, text string, lowest, highest int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(text, "0123456789") != "" || n < lowest || n > highest {
		return 0, &ParameterError{name, 0, badRequest("%s %s is not accepted; accepted: a whole number from %d to %d", name, problem.Quote(text), lowest, highest)}
	}
	return n, nil
}

// decimal reads text as a decimal number above 0, with no sign and no exponent.
func decimal(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n > 0 && strings.Trim(text, "0123456789.") == ""
}

func badRequest(format string, args ...any) error {
	return problem.New(http.StatusBadRequest, format, args...)
}
