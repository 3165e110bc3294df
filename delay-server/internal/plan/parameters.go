package plan

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/problem"
	"flash.test/delay-server/spelling"
)

// known are the query parameters of every endpoint that waits.
var known = []string{
	"body_delay", "fail_first", "fault", "header", "pool", "queue", "rate", "run", "seed", "size", "status", "workers",
}

// parameters are those that a query gives, each once but header.
type parameters struct {
	values  url.Values
	ignored []string // names that are nobody's business, sorted
}

// get returns the parameter's value, or "".
func (p parameters) get(name string) string { return p.values.Get(name) }

// has reports whether the parameter is given, be it empty.
func (p parameters) has(name string) bool { return p.values.Has(name) }

// readParameters reads a query whose known parameters are those of every
// waiting endpoint and more. A *problem.Problem is returned for one that is
// repeated, or one slip away from a known one.
func readParameters(rawQuery string, more ...string) (parameters, error) {
	if rawQuery == "" {
		return parameters{}, nil
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return parameters{}, bad("query %s is malformed (%v); accepted: name=value, joined by &", problem.Quote(rawQuery), err)
	}
	names := slices.Concat(known, more)
	p := parameters{values: values}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch s := spelling.Suggest(name, names); {
		case s != "":
			return parameters{}, bad("no such parameter: %s: did you mean %s?", problem.Quote(name), s)
		case !slices.Contains(names, name):
			p.ignored = append(p.ignored, name)
		case len(values[name]) > 1 && name != "header":
			return parameters{}, bad("parameter %s is given %d times; accepted: once", name, len(values[name]))
		}
	}
	return p, nil
}

// whole reads a parameter that is a whole number from least to most, in digits.
func (p parameters) whole(name string, least, most int64) (int64, error) {
	text := p.get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(text, "0123456789") != "" || n < least || n > most {
		return 0, bad("%s %s is not accepted; accepted: a whole number from %d to %d", name, problem.Quote(text), least, most)
	}
	return n, nil
}

// decimal reads text as a decimal number above 0, with no sign and no exponent.
func decimal(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n > 0 && strings.Trim(text, "0123456789.") == ""
}

func bad(format string, args ...any) error {
	return problem.New(http.StatusBadRequest, format, args...)
}
