// Package delay parses delays, such as "250ms" or "uniform:100ms,900ms", and draws
// waiting times from them. It depends on neither HTTP nor a clock.
package delay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// A Delay is a distribution of waiting times. The zero value is no wait.
type Delay struct {
	fixed time.Duration
	dist  distribution // nil if all samples are fixed
	text  string       // the result of String, unless dist is nil
}

// A distribution is the quantile function of waiting times in milliseconds: the
// inverse of the cumulative distribution, for 0 < p < 1. gonum's distuv types have it.
type distribution interface {
	Quantile(p float64) float64
}

// Fixed returns the delay that is always d. A negative d is no wait.
func Fixed(d time.Duration) Delay { return Delay{fixed: max(d, 0)} }

// Fixed returns the value of all samples of d. It returns false if d is random.
func (d Delay) Fixed() (time.Duration, bool) { return d.fixed, d.dist == nil }

// Quantile returns the p-quantile of d, zero or more, for 0 < p < 1.
func (d Delay) Quantile(p float64) time.Duration {
	if d.dist == nil {
		return d.fixed
	}
	const longest = float64(math.MaxInt64 / time.Millisecond)
	ms := min(max(d.dist.Quantile(p), 0), longest)
	return time.Duration(math.Round(ms * 1e6))
}

// Sample draws a waiting time, zero or more. It uses one number of r. It rounds computed
// samples to microseconds, so that they are the same on all floating-point units.
//
// Sample panics for a recorded delay before With.
func (d Delay) Sample(r *rand.Rand) time.Duration {
	if d.dist == nil {
		return d.fixed
	}
	// The middle of one of 2^53 equal parts, so that p is never 0 and never 1.
	p := (float64(r.Uint64()>>11) + 0.5) / (1 << 53)
	switch d.dist.(type) {
	case random, steps, Recording:
		return d.Quantile(p)
	default:
		return d.Quantile(p).Round(time.Microsecond)
	}
}

// Min returns a lower bound of all samples of d.
func (d Delay) Min() time.Duration { return d.Quantile(0x1p-54) }

// SampleWithin draws up to ten samples and returns the first one up to max. If all are
// above max, it returns max and cut is true.
func (d Delay) SampleWithin(r *rand.Rand, max time.Duration) (sample time.Duration, cut bool) {
	const draws = 10
	for range draws {
		if sample = d.Sample(r); sample <= max {
			return sample, false
		}
	}
	return max, true
}

// SharedRNG returns a generator that uses the runtime's random source. It is safe for
// concurrent use.
func SharedRNG() *rand.Rand { return sharedRNG }

var sharedRNG = rand.New(runtimeSource{})

type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// String returns d in a form that Parse parses to the same delay.
func (d Delay) String() string {
	if d.dist == nil {
		return Milliseconds(d.fixed)
	}
	return d.text
}

// Milliseconds returns d as a decimal number of milliseconds, with as few digits as
// possible: "1000", "1.5", "0.000001".
func Milliseconds(d time.Duration) string {
	var buf [24]byte
	return string(AppendMilliseconds(buf[:0], d))
}

// AppendMilliseconds appends Milliseconds(d) to b.
func AppendMilliseconds(b []byte, d time.Duration) []byte {
	if d < 0 {
		b = append(b, '-')
	}
	whole, rest := d/time.Millisecond, d%time.Millisecond
	if whole < 0 || rest < 0 {
		whole, rest = -whole, -rest
	}
	b = strconv.AppendInt(b, int64(whole), 10)
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit := time.Duration(100_000); rest > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit))
		rest %= unit
	}
	return b
}

// A SyntaxError is the error of Parse.
type SyntaxError struct {
	Read     string // the whole text
	Reason   string // what is wrong with it, such as "negative"
	Accepted string // what is valid
}

// Error returns the text, the reason and what is valid.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("delay %s is invalid (%s): use %s", spelling.Quote(e.Read), e.Reason, e.Accepted)
}

// Parse parses a delay in one of Forms. The error is a *SyntaxError.
func Parse(s string) (Delay, error) { return parse(s, time.Millisecond) }

// ParseSeconds parses a delay as Parse does, except that bare numbers are seconds.
func ParseSeconds(s string) (Delay, error) { return parse(s, time.Second) }

// parse parses a delay. Bare numbers count units.
func parse(s string, unit time.Duration) (Delay, error) {
	name, _, _ := strings.Cut(s, ":")
	if _, known := forms[name]; known {
		return parseForm(s, unit)
	}
	if s == "random" {
		return Delay{dist: random{}, text: s}, nil
	}
	fixed, reason := parseTime(s, unit)
	if reason != "" {
		return Delay{}, &SyntaxError{Read: s, Reason: reason, Accepted: accepted(unit)}
	}
	return Delay{fixed: fixed}, nil
}

// parseForm parses one of forms.
func parseForm(s string, unit time.Duration) (Delay, error) {
	name, args, hasArgs := strings.Cut(s, ":")
	f := forms[name]
	if !hasArgs {
		return Delay{}, &SyntaxError{Read: s, Reason: "no arguments", Accepted: f.usage()}
	}
	d, err := f.parse(args, unit)
	if err != nil {
		return Delay{}, &SyntaxError{Read: s, Reason: err.Error(), Accepted: f.usage()}
	}
	return d, nil
}

// parseTime parses a fixed time. The reason is "" if it is valid.
func parseTime(s string, unit time.Duration) (d time.Duration, reason string) {
	switch {
	case s == "":
		return 0, "empty"
	case s[0] == '-':
		return 0, "negative"
	case s[0] == '+':
		return 0, "it has a sign"
	case strings.Trim(s, "0123456789.") == "":
		return parseNumber(s, unit)
	default:
		return parseDuration(s)
	}
}

const tooLong = "longer than 292 years"

func parseDuration(s string) (d time.Duration, reason string) {
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d >= 0:
		return d, ""
	case looksLikeDuration(s):
		return 0, tooLong
	default:
		return 0, "unknown form"
	}
}

// looksLikeDuration reports whether s would be a duration with smaller numbers: it cuts
// each number to one digit.
func looksLikeDuration(s string) bool {
	short := make([]byte, 0, 32)
	for i := 0; i < len(s) && len(short) < cap(short); i++ {
		digit := s[i] >= '0' && s[i] <= '9'
		if !digit || i == 0 || s[i-1] < '0' || s[i-1] > '9' {
			short = append(short, s[i])
		}
	}
	_, err := time.ParseDuration(string(short))
	return err == nil && len(short) < cap(short)
}

// parseNumber parses digits with at most one point between them. It does not use a
// float64, which could be slightly less than the number.
func parseNumber(s string, unit time.Duration) (d time.Duration, reason string) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || point && strings.Trim(fraction, "0123456789") != "" || point && fraction == "" {
		return 0, "not a decimal number"
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= math.MaxInt64/int64(unit) {
		return 0, tooLong
	}
	d = time.Duration(n) * unit
	for i := range len(fraction) {
		unit /= 10
		if unit == 0 {
			if strings.Trim(fraction[i:], "0") != "" {
				d++
			}
			break
		}
		d += time.Duration(fraction[i]-'0') * unit
	}
	return d, ""
}
