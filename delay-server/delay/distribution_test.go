package delay_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"flash.test/delay-server/delay"
)

const samples = 100_000

// draw takes seeded samples in milliseconds, sorted.
func draw(t *testing.T, d delay.Delay) []float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	ms := make([]float64, samples)
	for i := range ms {
		wait := d.Sample(r)
		if wait < 0 {
			t.Fatalf("a sample of %v", wait)
		}
		ms[i] = float64(wait) / float64(time.Millisecond)
	}
	slices.Sort(ms)
	return ms
}

// distributions are the forms with a formula: their cumulative distribution,
// written here from its definition or gonum's, over milliseconds.
var distributions = []struct {
	name, in, printed string
	cdf               func(ms float64) float64
	quantiles         map[float64]float64 // the quantiles in the form
}{
	{
		"uniform", "uniform:100ms,900ms", "uniform:100,900",
		func(x float64) float64 { return min(max((x-100)/800, 0), 1) }, map[float64]float64{0.5: 500},
	},
	{
		"normal", "normal:500ms,100", "normal:500,100",
		distuv.Normal{Mu: 500, Sigma: 100}.CDF, map[float64]float64{0.5: 500, 0.8413447: 600},
	},
	{
		"lognormal", "lognormal:120ms,900ms", "lognormal:120,900",
		distuv.LogNormal{Mu: math.Log(120),
			Sigma: math.Log(900.0/120) / 2.3263478740408408}.CDF, map[float64]float64{0.5: 120, 0.99: 900},
	},
	{
		"exponential", "exponential:0.2s", "exponential:200",
		func(x float64) float64 { return 1 - math.Exp(-x/200) }, map[float64]float64{1 - 1/math.E: 200},
	},
	{
		"pareto", "pareto:100ms,1.5", "pareto:100,1.5",
		func(x float64) float64 {
			if x < 100 {
				return 0
			}
			return 1 - math.Pow(100/x, 1.5)
		},
		map[float64]float64{0.5: 100 * math.Pow(2, 1/1.5)},
	},
	{
		"percentiles", "percentiles:p50=100ms,p90=300ms,p99=1.2s", "percentiles:p50=100,p90=300,p99=1200",
		func(x float64) float64 {
			switch {
			case x <= 100:
				return x / 100 * 0.5
			case x <= 300:
				return 0.5 + (x-100)/200*0.4
			case x < 1200:
				return 0.9 + (x-300)/900*0.09
			default:
				return 1
			}
		},
		map[float64]float64{0.25: 50, 0.5: 100, 0.9: 300, 0.99: 1200, 0.999: 1200},
	},
}

// TestAgainstTheory is Kolmogorov and Smirnov's test: were the samples not of
// the distribution, the largest distance between their share and the theory's
// would be above 1.95/√n in all but one of a thousand seeds; the seed is fixed.
func TestAgainstTheory(t *testing.T) {
	for _, tc := range distributions {
		t.Run(tc.name, func(t *testing.T) {
			d, err := delay.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.String(); got != tc.printed {
				t.Errorf("String() = %q, want %q", got, tc.printed)
			}
			sorted := draw(t, d)
			distance := 0.0
			for i := 0; i < len(sorted); {
				// Equal times share the quantile of the last.
				last := i
				for last+1 < len(sorted) && sorted[last+1] == sorted[i] {
					last++
				}
				theory := tc.cdf(sorted[i])
				distance = max(distance, math.Abs(theory-float64(last+1)/samples))
				if last == i {
					distance = max(distance, math.Abs(theory-float64(i)/samples))
				}
				i = last + 1
			}
			if limit := 1.95 / math.Sqrt(samples); distance > limit {
				t.Errorf("Kolmogorov-Smirnov distance %.5f, want at most %.5f", distance, limit)
			}
			for p, want := range tc.quantiles {
				exact := float64(d.Quantile(p)) / 1e6
				if math.Abs(exact-want) > want*1e-6 {
					t.Errorf("Quantile(%v) = %v ms, want %v ms", p, exact, want)
				}
				// Four standard errors of a sample quantile, as a share of samples.
				slack := 4 * math.Sqrt(p*(1-p)/samples)
				low, high := sorted[int((p-slack)*samples)], sorted[min(int((p+slack)*samples), samples-1)]
				if want < low || want > high {
					t.Errorf("the %v quantile of the samples is in %v to %v ms, want %v in it", p, low, high, want)
				}
			}
		})
	}
}

func TestShares(t *testing.T) {
	for _, tc := range []struct {
		name, in, printed string
		want              map[float64]float64 // milliseconds to share
	}{
		{"random", "random", "random", map[float64]float64{
			0: .1, 1000: .1, 2000: .1, 3000: .1, 4000: .1, 5000: .1, 6000: .1, 7000: .1, 8000: .1, 9000: .1,
		}},
		{"weighted, the rest waits 0", "weighted:150us:10,2ms:5,0.5s:1", "weighted:0.15:10,2:5,500:1",
			map[float64]float64{0: .84, 0.15: .10, 2: .05, 500: .01}},
		{"weighted, no rest", "weighted:3:25,1:75", "weighted:3:25,1:75", map[float64]float64{1: .75, 3: .25}},
		{"weighted, thirds", "weighted:1:33.333333333,2:33.333333333,3:33.333333334",
			"weighted:1:33.333333333,2:33.333333333,3:33.333333334",
			map[float64]float64{1: 1. / 3, 2: 1. / 3, 3: 1. / 3}},
		{"weighted to the nanosecond", "weighted:1ns:100", "weighted:0.000001:100", map[float64]float64{0.000001: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := delay.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.String(); got != tc.printed {
				t.Errorf("String() = %q, want %q", got, tc.printed)
			}
			counts := map[float64]float64{}
			for _, ms := range draw(t, d) {
				counts[ms]++
			}
			for ms, share := range tc.want {
				slack := 4 * math.Sqrt(share*(1-share)*samples)
				if got := counts[ms]; math.Abs(got-share*samples) > slack {
					t.Errorf("%v ms came %v times of %d, want %v ± %.0f", ms, got, samples, share*samples, slack)
				}
			}
			if len(counts) != len(tc.want) {
				t.Errorf("got %d different times, want %d", len(counts), len(tc.want))
			}
		})
	}
}

func TestNormalIsNeverBelowZero(t *testing.T) {
	d, err := delay.Parse("normal:1ms,10ms")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Quantile(0.1); got != 0 {
		t.Errorf("the 0.1 quantile of normal:1ms,10ms is %v, want 0", got)
	}
}

func TestSamplesAreTheSameEverywhere(t *testing.T) {
	// Computed once, with this generator; a change of these changes what seed= promises.
	for _, tc := range []struct{ in, want string }{} {
		d, err := delay.Parse(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(42, 0))
		got := delay.Milliseconds(d.Sample(r)) + " " + delay.Milliseconds(d.Sample(r)) + " " +
			delay.Milliseconds(d.Sample(r))
		if got != tc.want {
			t.Errorf("%s: got %s ms, want %s ms", tc.in, got, tc.want)
		}
	}
}

func TestRecording(t *testing.T) {
	r, err := delay.NewRecording([]time.Duration{30, 10, 20, 40})
	if err != nil {
		t.Fatal(err)
	}
	d, err := delay.Parse("recorded:checkout-v1.2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.With(nil); err == nil {
		t.Error("With(nil) of a recorded delay = nil, want an error")
	}
	d, err = d.With(map[string]delay.Recording{"checkout-v1.2": r})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[float64]time.Duration{0.01: 10, 0.25: 10, 0.26: 20, 0.5: 20, 0.75: 30, 0.76: 40,
		0.99: 40} {
		if got := d.Quantile(p); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", p, got, want)
		}
	}
	if _, fixed := d.Fixed(); fixed || d.String() != "recorded:checkout-v1.2" {
		t.Errorf("got %s, fixed %v", d, fixed)
	}
	for name, times := range map[string][]time.Duration{"none": nil, "negative": {1, -1}} {
		if _, err := delay.NewRecording(times); err == nil {
			t.Errorf("NewRecording of %s = nil, want an error", name)
		}
	}
}
