// Package delay is the grammar of a delay: how long to wait, as it is written
// in a path, a query parameter or a file. It knows no HTTP and no clock.
package delay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Accepted names the forms that Parse reads, for messages.
const Accepted = `milliseconds (1000, 1.5), a Go duration (250ms, 1.5s, 2m) or "random"`

// Delay is a distribution of waiting times. The zero value is no wait at all.
type Delay struct {
	fixed  time.Duration
	random bool
}

// Fixed returns the delay that is always d. A negative d is no wait.
func Fixed(d time.Duration) Delay { return Delay{fixed: max(d, 0)} }

// Fixed returns the one time that d is, or false where each sample differs.
func (d Delay) Fixed() (time.Duration, bool) { return d.fixed, !d.random }

// Sample draws one waiting time, zero or more.
func (d Delay) Sample(r *rand.Rand) time.Duration {
	if d.random {
		return time.Duration(r.IntN(10)) * time.Second
	}
	return d.fixed
}

// String returns d in the form that Parse reads back to the same delay.
func (d Delay) String() string {
	if d.random {
		return "random"
	}
	return Milliseconds(d.fixed)
}

// Milliseconds writes d as a decimal number of milliseconds, to the
// nanosecond, with no more digits than it takes: "1000", "1.5", "0.000001".
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

// SyntaxError is what Parse returns: the text that is no delay, and why.
type SyntaxError struct {
	Read   string // the whole text, as it came
	Reason string
}

// Error says what was read, what is wrong with it and what is accepted.
func (e *SyntaxError) Error() string {
	read := strconv.Quote(e.Read)
	if len(e.Read) > 80 {
		read = fmt.Sprintf("%q… (%d bytes)", e.Read[:80], len(e.Read))
	}
	return fmt.Sprintf("delay %s %s; accepted: %s", read, e.Reason, Accepted)
}

// Parse reads a delay. The error is a *SyntaxError.
//
//	1000, 1.5          milliseconds; finer than a nanosecond is rounded up, never down
//	250ms, 1.5s, 2m    a Go duration
//	random             a whole number of seconds from 0 to 9, each as likely (Flash's)
func Parse(s string) (Delay, error) {
	fixed, reason := time.Duration(0), ""
	switch {
	case s == "random":
		return Delay{random: true}, nil
	case s == "":
		reason = "is empty"
	case s[0] == '-':
		reason = "is negative"
	case strings.Trim(s, "0123456789.") == "":
		fixed, reason = parseMilliseconds(s)
	case s[0] == '+':
		reason = "has a sign"
	default:
		fixed, reason = parseDuration(s)
	}
	if reason != "" {
		return Delay{}, &SyntaxError{Read: s, Reason: reason}
	}
	return Delay{fixed: fixed}, nil
}

const tooLong = "is longer than any clock counts (292 years)"

func parseDuration(s string) (d time.Duration, reason string) {
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d >= 0:
		return d, ""
	case looksLikeDuration(s):
		return 0, tooLong
	default:
		return 0, "is not understood"
	}
}

// looksLikeDuration reports whether s fails as a duration by its size alone:
// the same text with each run of digits cut to one parses.
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

// parseMilliseconds reads digits with at most one point between them. It counts
// in whole nanoseconds, since a float would wait a little less than was asked.
func parseMilliseconds(s string) (d time.Duration, reason string) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || point && strings.Trim(fraction, "0123456789") != "" || point && fraction == "" {
		return 0, "is no decimal number"
	}
	ms, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || ms >= math.MaxInt64/int64(time.Millisecond) {
		return 0, tooLong
	}
	d = time.Duration(ms) * time.Millisecond
	unit := time.Duration(100_000)
	for i := range len(fraction) {
		if unit == 0 {
			if strings.Trim(fraction[i:], "0") != "" {
				d++
			}
			break
		}
		d += time.Duration(fraction[i]-'0') * unit
		unit /= 10
	}
	return d, ""
}
