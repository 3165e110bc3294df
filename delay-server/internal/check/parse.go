package check

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

const (
	maxRequests = 1_000_000            // in a value
	maxTime     = 365 * 24 * time.Hour // in a value
)

// input has the values of a query.
type input struct {
	values  url.Values
	headers []string // canonical names of the header fields that the journal records
}

// Parse parses checks and their modifiers. It ignores other values: the caller reads the
// query, and knows the Names. headers are the canonical names of the header fields that
// the journal records. The error is a *problem.Problem.
func Parse(values url.Values, headers []string) (List, error) {
	in := &input{values, headers}
	var list List
	for _, c := range Checks() {
		if !in.has(c.Name) {
			continue
		}
		if c.Modifies != nil {
			if err := in.checkModifier(c); err != nil {
				return List{}, err
			}
			continue
		}
		r, err := c.parse(in)
		if err != nil {
			return List{}, err
		}
		r.name = c.Name
		if err := in.conflict(list.rules, r); err != nil {
			return List{}, err
		}
		list.rules = append(list.rules, r)
	}
	if list.rules == nil {
		return List{},
			problem.InvalidParameter.New("no check is given: use one or more of %s", strings.Join(checks(), ", "))
	}
	path, err := in.path()
	list.path = path
	return list, err
}

// checks returns the names of the checks, without modifiers.
func checks() []string {
	var names []string
	for _, c := range Checks() {
		if c.Modifies == nil {
			names = append(names, c.Name)
		}
	}
	return names
}

// checkModifier returns an error unless a check that c modifies is given.
func (in *input) checkModifier(c Check) error {
	if slices.ContainsFunc(c.Modifies, in.has) {
		return nil
	}
	return problem.ConflictingParameters.New("%s has no effect without %s: add it", c.Name,
		strings.Join(c.Modifies, " or "))
}

// conflict returns an error if no run can meet both r and one of others.
func (in *input) conflict(others []rule, r rule) error {
	for _, other := range others {
		if !r.attempts.meets(other.attempts) || !r.peak.meets(other.peak) {
			return problem.ConflictingParameters.New("%s and %s conflict: no run can meet both",
				in.quote(other.name), in.quote(r.name))
		}
	}
	return nil
}

// quote returns a parameter with its value, cut to a readable length.
func (in *input) quote(name string) string {
	const maxValue = 60
	value := in.get(name)
	if len(value) > maxValue {
		value = value[:maxValue] + "…"
	}
	return name + "=" + value
}

func (in *input) has(name string) bool   { return in.values.Has(name) }
func (in *input) get(name string) string { return in.values.Get(name) }

func (in *input) number(name string, lowest int) (int, error) {
	return query.ParseInt(name, in.get(name), lowest, maxRequests)
}

// time parses the whole value of a parameter as a time from shortest on.
func (in *input) time(name string, shortest time.Duration) (time.Duration, error) {
	return parseTime(name, in.get(name), in.get(name), shortest)
}

const aTime = "a time such as 50ms or 2s"

// parseTime parses part, which is in the value of a parameter, as a time.
func parseTime(name, value, part string, shortest time.Duration) (time.Duration, error) {
	d, err := delay.Parse(part)
	fixed, ok := d.Fixed()
	switch syntax, isSyntax := errors.AsType[*delay.SyntaxError](err); {
	case isSyntax:
		return 0, invalid(name, value, syntax.Reason, aTime)
	case err != nil || !ok:
		return 0, invalid(name, value, "it is no fixed time", aTime)
	case fixed < shortest:
		return 0, invalid(name, value, "it must be above 0", aTime)
	case fixed > maxTime:
		return 0, invalid(name, value, "it is too long", fmt.Sprintf("a time up to %dh", maxTime/time.Hour))
	}
	return fixed, nil
}

func invalid(name, value, reason, use string) *problem.Problem {
	return problem.InvalidParameter.New("%s %s is invalid (%s): use %s", name, problem.Quote(value), reason, use)
}

// parseFactor parses a decimal number from 1 to 1000, without an exponent.
func parseFactor(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && strings.Trim(text, "0123456789.") == "" && f >= 1 && f <= 1000
}

// span is a range of whole numbers. The zero span is all of them.
type span struct{ min, max int }

func exactly(n int) span { return span{n, n} }
func atMost(n int) span  { return span{0, n} }
func atLeast(n int) span { return span{n, math.MaxInt} }

// meets reports whether a number is in both ranges.
func (s span) meets(o span) bool {
	if s == (span{}) || o == (span{}) {
		return true
	}
	return s.min <= o.max && o.min <= s.max
}
