package delay_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delay"
)

var good = []struct {
	name, in string
	want     time.Duration
	printed  string
}{
	{"Flash's unit", "1000", time.Second, "1000"},
	{"zero", "0", 0, "0"},
	{"decimals", "1.5", 1500 * time.Microsecond, "1.5"},
	{"decimals below one", "0.0009", 900, "0.0009"},
	{"a nanosecond", "0.000001", 1, "0.000001"},
	{"finer than a nanosecond is rounded up", "0.0000001", 1, "0.000001"},
	{"zeros behind the nanoseconds add nothing", "1.00000000", time.Millisecond, "1"},
	{"a float would lose the last nanosecond", "8999999999.999999", 8999999999*time.Millisecond + 999999, "8999999999.999999"},
	{"leading zeros", "007", 7 * time.Millisecond, "7"},
	{"Go duration", "250ms", 250 * time.Millisecond, "250"},
	{"Go duration with a point", "1.5s", 1500 * time.Millisecond, "1500"},
	{"Go duration of several units", "1h2m3s", time.Hour + 2*time.Minute + 3*time.Second, "3723000"},
	{"microseconds", "150us", 150 * time.Microsecond, "0.15"},
	{"over the 2147483647 ms at which Flash answers at once", "2147483648", 2147483648 * time.Millisecond, "2147483648"},
}

func TestParse(t *testing.T) {
	for _, tc := range good {
		t.Run(tc.name, func(t *testing.T) {
			d, err := delay.Parse(tc.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tc.in, err)
			}
			if got, fixed := d.Fixed(); got != tc.want || !fixed {
				t.Errorf("Parse(%q).Fixed() = %v, %v, want %v, true", tc.in, got, fixed, tc.want)
			}
			if got := d.Sample(nil); got != tc.want {
				t.Errorf("Parse(%q).Sample() = %v, want %v", tc.in, got, tc.want)
			}
			if got := d.String(); got != tc.printed {
				t.Errorf("Parse(%q).String() = %q, want %q", tc.in, got, tc.printed)
			}
		})
	}
}

var bad = []struct{ name, in, reason string }{
	{"a word", "abc", "is not understood"},
	{"negative", "-5", "is negative"},
	{"negative duration", "-5s", "is negative"},
	{"negative zero", "-0", "is negative"},
	{"not a number", "NaN", "is not understood"},
	{"infinity", "Inf", "is not understood"},
	{"exponent", "1e3", "is not understood"},
	{"large exponent", "1e300", "is not understood"},
	{"hexadecimal", "0x10", "is not understood"},
	{"underscore", "1_000", "is not understood"},
	{"sign", "+5", "has a sign"},
	{"sign before a duration", "+5s", "has a sign"},
	{"blank", " ", "is not understood"},
	{"blank before", " 5", "is not understood"},
	{"blank between number and unit", "5 ms", "is not understood"},
	{"empty", "", "is empty"},
	{"two points", "1.5.2", "is no decimal number"},
	{"point alone", ".", "is no decimal number"},
	{"nothing before the point", ".5", "is no decimal number"},
	{"nothing behind the point", "5.", "is no decimal number"},
	{"unknown unit", "5d", "is not understood"},
	{"unit alone", "ms", "is not understood"},
	{"other case", "Random", "is not understood"},
	{"more than an int64", "99999999999999999999", "is longer than any clock counts"},
	{"more milliseconds than a duration holds", "9223372036855", "is longer than any clock counts"},
	{"duration over its range", "9999999999h", "is longer than any clock counts"},
	{"10 kB of digits", strings.Repeat("9", 10_000), "is longer than any clock counts"},
	{"10 kB of letters", strings.Repeat("x", 10_000), "is not understood"},
	{"zero byte", "5\x00", "is not understood"},
	{"digits of another script", "٥", "is not understood"},
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			d, err := delay.Parse(tc.in)
			var syntax *delay.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse(%.40q) = %v, %v, want a *SyntaxError", tc.in, d, err)
			}
			if syntax.Read != tc.in || !strings.Contains(err.Error(), tc.reason) || !strings.Contains(err.Error(), delay.Accepted) {
				t.Errorf("Parse(%.40q): got %q, want it to say %q and what is accepted", tc.in, err, tc.reason)
			}
			if len(err.Error()) > 400 {
				t.Errorf("Parse(%.40q): a message of %d bytes", tc.in, len(err.Error()))
			}
		})
	}
}

func TestRandomIsEachWholeSecondFrom0To9(t *testing.T) {
	d, err := delay.Parse("random")
	if err != nil {
		t.Fatal(err)
	}
	if _, fixed := d.Fixed(); fixed || d.String() != "random" {
		t.Errorf("got %v, fixed %v, want random", d, fixed)
	}
	const n = 100_000
	r := rand.New(rand.NewPCG(1, 2))
	counts := map[time.Duration]int{}
	for range n {
		counts[d.Sample(r)]++
	}
	for s := range 10 {
		// The expected count is 10,000 with a standard deviation of 95.
		if got := counts[time.Duration(s)*time.Second]; got < 9_500 || got > 10_500 {
			t.Errorf("%d s came %d times of %d, want about a tenth", s, got, n)
		}
	}
	if len(counts) != 10 {
		t.Errorf("got %d different times, want 10", len(counts))
	}
}

func TestFixedOfANegativeTimeIsNoWait(t *testing.T) {
	if got, _ := delay.Fixed(-time.Second).Fixed(); got != 0 {
		t.Errorf("Fixed(-1s) = %v, want 0", got)
	}
}

func TestMillisecondsOfNegatives(t *testing.T) {
	if got := delay.Milliseconds(-1500 * time.Microsecond); got != "-1.5" {
		t.Errorf("got %s, want -1.5", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, tc := range good {
		f.Add(tc.in)
	}
	for _, tc := range bad {
		f.Add(tc.in)
	}
	f.Add("random")
	r := rand.New(rand.NewPCG(1, 2))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := delay.Parse(s)
		if err != nil {
			return
		}
		again, err := delay.Parse(d.String())
		if err != nil || again != d {
			t.Fatalf("Parse(%q) = %v, which reads back as %v, %v", s, d, again, err)
		}
		if wait := d.Sample(r); wait < 0 {
			t.Fatalf("Parse(%q).Sample() = %v", s, wait)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, in := range []string{"1000", "1.5", "250ms", "random"} {
		b.Run(in, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				d, err := delay.Parse(in)
				if err != nil {
					b.Fatal(err)
				}
				d.Sample(r)
			}
		})
	}
}
