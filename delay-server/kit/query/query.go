// Package query parses URL queries and reports unknown parameters that look like a
// typing error.
package query

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

// Read splits a query into the values of known parameters and the sorted names of the
// others, which belong in IgnoredHeader. The error is a *problem.Problem of type
// MalformedQuery, UnknownParameter (a name that differs from a known one by one typing
// error or only in case) or RepeatedParameter (a known name, not in repeatable, given
// more than once).
func Read(raw string, known []string, repeatable ...string) (values url.Values, ignored []string, err error) {
	if raw == "" {
		return nil, nil, nil
	}
	values, err = url.ParseQuery(raw)
	if err != nil {
		return nil, nil, problem.MalformedQuery.New("query %s is malformed (%v): use name=value pairs joined by &",
			problem.Quote(raw), err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch s := suggest(name, known); {
		case s != "":
			return nil, nil, problem.UnknownParameter.New("unknown parameter %s; did you mean %q?",
				problem.Quote(name), s)
		case !slices.Contains(known, name):
			ignored = append(ignored, name)
			delete(values, name)
		case len(values[name]) > 1 && !slices.Contains(repeatable, name):
			return nil, nil, problem.RepeatedParameter.New("parameter %s is given %d times: give it once",
				name, len(values[name]))
		}
	}
	return values, ignored, nil
}

// ReadKnown is Read, but rejects every parameter that is not known. The error is a
// *problem.Problem.
func ReadKnown(raw string, known ...string) (url.Values, error) {
	values, ignored, err := Read(raw, known)
	if err == nil && len(ignored) > 0 {
		use := "this request takes none"
		if len(known) > 0 {
			use = "use " + strings.Join(known, ", ")
		}
		err = problem.UnknownParameter.New("unknown parameter %s; %s", problem.Quote(ignored[0]), use)
	}
	return values, err
}

func suggest(name string, known []string) string {
	if slices.Contains(known, name) {
		return ""
	}
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
		return known[i]
	}
	return spelling.Suggest(name, known)
}

// ParseInt parses the value of a parameter: a whole number from min to max, written in digits.
// The error is a *problem.Problem of type InvalidParameter.
func ParseInt[T int | int64](name, text string, min, max T) (T, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strings.Trim(text, "0123456789") != "" || n < int64(min) || n > int64(max) {
		return 0, problem.InvalidParameter.New("%s %s is invalid: use a whole number from %d to %d",
			name, problem.Quote(text), min, max)
	}
	return T(n), nil
}

// MaxName is the maximum length of the name of a run, a pool, a barrier or a hold.
const MaxName = 200

// GeneratedRun begins the IDs of NewRunID. They name nobody, and the board leaves them out.
const GeneratedRun = "generated."

// NewRunID returns an ID for the run of a request that has none.
func NewRunID() string { return GeneratedRun + rand.Text() }

// CheckName returns nil if name is 1 to maxLen visible ASCII characters, and a
// *problem.Problem of type t otherwise. The problem begins with what.
func CheckName(t problem.Type, what, name string, maxLen int) error {
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if name == "" || len(name) > maxLen || strings.ContainsFunc(name, invisible) {
		return t.New("%s %s is invalid: use 1 to %d visible ASCII characters", what, problem.Quote(name), maxLen)
	}
	return nil
}

// IgnoredHeader is the header that names the parameters that Read ignored.
const IgnoredHeader = "X-Ignored-Parameters"

// NameIgnored sets IgnoredHeader if there are names. It quotes names that are not
// visible ASCII, so that no name can forge a header. It lists at most 20 names, then
// the number of the others.
func NameIgnored(h http.Header, names []string) {
	const maxNames = 20
	if len(names) == 0 {
		return
	}
	tokens := make([]string, 0, maxNames+1)
	for i, name := range names {
		if i == maxNames {
			tokens = append(tokens, strconv.Itoa(len(names)-maxNames)+" more")
			break
		}
		unsafe := func(c rune) bool { return c <= ' ' || c > '~' || c == ',' || c == '"' }
		if name == "" || strings.ContainsFunc(name, unsafe) {
			name = strconv.QuoteToASCII(name)
		}
		tokens = append(tokens, name)
	}
	h.Set(IgnoredHeader, strings.Join(tokens, ", "))
}
