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
	{"zeros after the nanoseconds add nothing", "1.00000000", time.Millisecond, "1"},
	{"a float would lose the last nanosecond", "8999999999.999999", 8999999999*time.Millisecond + 999999,
		"8999999999.999999"},
	{"leading zeros", "007", 7 * time.Millisecond, "7"},
	{"Go duration", "250ms", 250 * time.Millisecond, "250"},
	{"Go duration with a point", "1.5s", 1500 * time.Millisecond, "1500"},
	{"Go duration of several units", "1h2m3s", time.Hour + 2*time.Minute + 3*time.Second, "3723000"},
	{"microseconds", "150us", 150 * time.Microsecond, "0.15"},
	{"over the 2147483647 ms at which Flash answers at once", "2147483648", 2147483648 * time.Millisecond,
		"2147483648"},
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
	{"a word", "abc", "unknown form"},
	{"negative", "-5", "negative"},
	{"negative duration", "-5s", "negative"},
	{"negative zero", "-0", "negative"},
	{"not a number", "NaN", "unknown form"},
	{"infinity", "Inf", "unknown form"},
	{"exponent", "1e3", "unknown form"},
	{"large exponent", "1e300", "unknown form"},
	{"hexadecimal", "0x10", "unknown form"},
	{"underscore", "1_000", "unknown form"},
	{"sign", "+5", "it has a sign"},
	{"sign before a duration", "+5s", "it has a sign"},
	{"blank", " ", "unknown form"},
	{"blank before", " 5", "unknown form"},
	{"blank between number and unit", "5 ms", "unknown form"},
	{"empty", "", "empty"},
	{"two points", "1.5.2", "not a decimal number"},
	{"only a point", ".", "not a decimal number"},
	{"nothing before the point", ".5", "not a decimal number"},
	{"nothing after the point", "5.", "not a decimal number"},
	{"unknown unit", "5d", "unknown form"},
	{"only a unit", "ms", "unknown form"},
	{"other case", "Random", "unknown form"},
	{"more than an int64", "99999999999999999999", "longer than 292 years"},
	{"more milliseconds than a duration holds", "9223372036855", "longer than 292 years"},
	{"duration over its range", "9999999999h", "longer than 292 years"},
	{"10 kB of digits", strings.Repeat("9", 10_000), "longer than 292 years"},
	{"10 kB of letters", strings.Repeat("x", 10_000), "unknown form"},
	{"zero byte", "5\x00", "unknown form"},
	{"digits of another script", "٥", "unknown form"},
	{"unknown form", "poisson:5", "unknown form"},
	{"only a colon", ":", "unknown form"},
	{"random with an argument", "random:5", "unknown form"},

	{"uniform: no arguments", "uniform", "no arguments"},
	{"uniform: one argument", "uniform:5", "1 arguments, want 2: MIN, MAX"},
	{"uniform: empty", "uniform:", "1 arguments, want 2"},
	{"uniform: three arguments", "uniform:1,2,3", "3 arguments, want 2"},
	{"uniform: empty argument", "uniform:1,", `MAX "": empty`},
	{"uniform: the wrong way round", "uniform:2,1", "MIN 2ms is above MAX 1ms"},
	{"uniform: negative", "uniform:-1,1", `MIN "-1": negative`},
	{"uniform: not a number", "uniform:NaN,1", `MIN "NaN": unknown form`},
	{"uniform: nested", "uniform:uniform:1,2", `MIN "uniform:1": unknown form`},
	{"uniform: random within", "uniform:random,2", `MIN "random": unknown form`},
	{"uniform: blank", "uniform:1, 2", `MAX " 2": unknown form`},
	{"normal: sigma 0", "normal:5,0", "STDDEV is 0"},
	{"normal: negative sigma", "normal:5,-1", `STDDEV "-1": negative`},
	{"lognormal: p99 below the median", "lognormal:900,120", "P99 120ms is below MEDIAN 900ms"},
	{"lognormal: p99 is the median", "lognormal:120,120", "P99 120ms equals MEDIAN"},
	{"lognormal: median 0", "lognormal:0,120", "MEDIAN is 0"},
	{"lognormal: one argument", "lognormal:120", "1 arguments, want 2: MEDIAN, P99"},
	{"exponential: mean 0", "exponential:0", "MEAN is 0"},
	{"exponential: two arguments", "exponential:1,2", "2 arguments, want 1: MEAN"},
	{"pareto: one argument", "pareto:1", "1 arguments, want 2: MIN, SHAPE"},
	{"pareto: three arguments", "pareto:1,2,3", "3 arguments, want 2"},
	{"pareto: minimum 0", "pareto:0,1", "MIN is 0"},
	{"pareto: shape 0", "pareto:1,0", `SHAPE "0": not a decimal number above 0`},
	{"pareto: shape not a number", "pareto:1,NaN", `SHAPE "NaN": not a decimal number above 0`},
	{"pareto: shape infinite", "pareto:1,Inf", `SHAPE "Inf": not a decimal number above 0`},
	{"pareto: shape with an exponent", "pareto:1,1e3", `SHAPE "1e3": not a decimal number above 0`},
	{"pareto: shape beyond any float", "pareto:1," + strings.Repeat("9", 400), "not a decimal number above 0"},
	{"weighted: no percentage", "weighted:5", `"5" has no percentage`},
	{"weighted: empty", "weighted:", `"" has no percentage`},
	{"weighted: over 100", "weighted:1:60,2:60", "the percentages add up to 120"},
	{"weighted: negative", "weighted:1:-5", `PERCENT "-5": not a decimal number above 0`},
	{"weighted: not a number", "weighted:1:NaN", `PERCENT "NaN"`},
	{"weighted: zero", "weighted:1:0", `PERCENT "0"`},
	{"weighted: comma at the end", "weighted:1:5,", `"" has no percentage`},
	{"percentiles: no point", "percentiles:", `"" is not pN=TIME`},
	{"percentiles: no p", "percentiles:50=1", `"50=1" is not pN=TIME`},
	{"percentiles: only p", "percentiles:p=1", `"p" is not a percentile`},
	{"percentiles: above 100", "percentiles:p101=1", `"p101" is not a percentile`},
	{"percentiles: not a number", "percentiles:pNaN=1", `"pNaN" is not a percentile`},
	{"percentiles: only p0", "percentiles:p0=1", "no percentile above p0"},
	{"percentiles: falling times", "percentiles:p50=2,p90=1", `"p90=1" does not rise`},
	{"percentiles: falling ranks", "percentiles:p90=1,p50=2", `"p50=2" does not rise`},
	{"percentiles: twice the same", "percentiles:p50=1,p50=2", "does not rise"},
	{"recorded: no name", "recorded:", "is not 1 to 100 letters"},
	{"recorded: a path", "recorded:../x", "is not 1 to 100 letters"},
	{"10 kB of nested garbage", strings.Repeat("uniform:", 1250), "1 arguments, want 2"},
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			d, err := delay.Parse(tc.in)
			var syntax *delay.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse(%.40q) = %v, %v, want a *SyntaxError", tc.in, d, err)
			}
			if syntax.Read != tc.in || !strings.Contains(err.Error(), tc.reason) || syntax.Accepted == "" ||
				!strings.Contains(err.Error(), "): use "+syntax.Accepted) {
				t.Errorf("Parse(%.40q): got %q, want it to say %q and what is valid", tc.in, err, tc.reason)
			}
			if len(err.Error()) > 600 {
				t.Errorf("Parse(%.40q): a message of %d bytes", tc.in, len(err.Error()))
			}
		})
	}
}

func TestParseSecondsDiffersInBareNumbersAlone(t *testing.T) {
	for _, tc := range []struct{ name, in, same string }{ // same is what Parse reads to the same delay
		{"whole seconds", "2", "2000"},
		{"decimals", "1.5", "1500"},
		{"zero", "0", "0"},
		{"decimals that a count of milliseconds would lose", "0.0009", "0.9"},
		{"a nanosecond", "0.000000001", "0.000001"},
		{"finer than a nanosecond is rounded up", "0.0000000001", "0.000001"},
		{"a Go duration stays", "250ms", "250"},
		{"random stays", "random", "random"},
		{"within a form too", "uniform:1,2", "uniform:1000,2000"},
		{"within a form, each by itself", "normal:1,100ms", "normal:1000,100"},
		{"a shape is no time", "pareto:0.1,1.5", "pareto:100,1.5"},
		{"a percentage is no time", "weighted:2:10", "weighted:2000:10"},
		{"a percentile's rank is no time", "percentiles:p50=1,p99=2", "percentiles:p50=1000,p99=2000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := delay.ParseSeconds(tc.in)
			want, wantErr := delay.Parse(tc.same)
			if err != nil || wantErr != nil || got.String() != want.String() {
				t.Errorf("ParseSeconds(%q) = %v, %v, want Parse(%q) = %v, %v", tc.in, got, err, tc.same, want, wantErr)
			}
		})
	}
	for _, tc := range []struct{ name, in, want string }{
		{"not a number", "NaN", "unknown form): use seconds (10, 1.5), a Go duration"},
		{"exponent", "1e300", "unknown form): use seconds"},
		{"negative", "-1", "negative"},
		{"more seconds than a duration holds", "9223372037", "longer than 292 years"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := delay.ParseSeconds(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ParseSeconds(%q) = %v, %v, want an error that says %q", tc.in, got, err, tc.want)
			}
		})
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
	for _, tc := range distributions {
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
		if err != nil || again.String() != d.String() {
			t.Fatalf("Parse(%q) = %v, which reads back as %v, %v", s, d, again, err)
		}
		if strings.HasPrefix(s, "recorded:") {
			return
		}
		if wait := d.Sample(r); wait < 0 {
			t.Fatalf("Parse(%q).Sample() = %v", s, wait)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, in := range []string{"1000", "1.5", "250ms", "random", "lognormal:120ms,900ms",
		"weighted:150us:10,2ms:5,0.5s:1", "percentiles:p50=100ms,p90=300ms,p99=1.2s"} {
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

func TestMin(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "uniform:100ms,900ms": 100 * time.Millisecond, "normal:500ms,100ms": 0,
		"random": 0, "weighted:20ms:60,10ms:40": 10 * time.Millisecond, "pareto:100ms,1.5": 100 * time.Millisecond,
	} {
		d, err := delay.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Min(); got != want {
			t.Errorf("Min of %s: got %v, want %v", text, got, want)
		}
	}
}

func TestSampleWithin(t *testing.T) {
	d, err := delay.Parse("weighted:1s:50,2s:50")
	if err != nil {
		t.Fatal(err)
	}
	if got, cut := d.SampleWithin(rand.New(rand.NewPCG(1, 1)), time.Second); got != time.Second || cut {
		t.Errorf("a max that half of the samples are within: got %v, cut %v, want 1s from another draw", got, cut)
	}
	if got, cut := d.SampleWithin(delay.SharedRNG(), time.Millisecond); got != time.Millisecond || !cut {
		t.Errorf("a max that no sample is within: got %v, cut %v, want 1ms, cut", got, cut)
	}
}
