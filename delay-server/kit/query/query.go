// Package query reads the query of a URL so that no typing error passes for a
// parameter that is nobody's business.
package query

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

// Read splits a query into the values of known parameters and the sorted names
// of all others, which are to be named in IgnoredHeader. The error is a
// *problem.Problem, 400: for a malformed query, a name that is one slip away
// from a known one, and a known one that is given more than once and is not
// among repeatable.
func Read(raw string, known []string, repeatable ...string) (values url.Values, ignored []string, err error) {
	if raw == "" {
		return nil, nil, nil
	}
	values, err = url.ParseQuery(raw)
	if err != nil {
		return nil, nil, bad("query %s is malformed (%v); accepted: name=value, joined by &", problem.Quote(raw), err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch s := spelling.Suggest(name, known); {
		case s != "":
			return nil, nil, bad("no such parameter: %s: did you mean %s?", problem.Quote(name), s)
		case !slices.Contains(known, name):
			ignored = append(ignored, name)
			delete(values, name)
		case len(values[name]) > 1 && !slices.Contains(repeatable, name):
			return nil, nil, bad("parameter %s is given %d times; accepted: once", name, len(values[name]))
		}
	}
	return values, ignored, nil
}

func bad(format string, args ...any) error {
	return problem.New(http.StatusBadRequest, format, args...)
}

// IgnoredHeader is the header that names the parameters that Read ignored.
const IgnoredHeader = "X-Ignored-Parameters"

// NameIgnored sets IgnoredHeader where there are names: each as it is, or
// quoted with its escapes where it is no token, so that no name can forge a
// header. It names at most 20, and says how many more there were.
func NameIgnored(h http.Header, names []string) {
	const most = 20
	if len(names) == 0 {
		return
	}
	tokens := make([]string, 0, most+1)
	for i, name := range names {
		if i == most {
			tokens = append(tokens, strconv.Itoa(len(names)-most)+" more")
			break
		}
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '"' }) {
			name = strconv.QuoteToASCII(name)
		}
		tokens = append(tokens, name)
	}
	h.Set(IgnoredHeader, strings.Join(tokens, ", "))
}
