package ideal_test

import (
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/delay"

	"flash.test/demo-api/internal/ideal"
)

func TestSpans(t *testing.T) {
	for _, tc := range []struct {
		name                string
		waits               []time.Duration
		limit               int
		starts              []time.Duration
		sequential, slowest time.Duration
	}{
		{"no calls", nil, 0, nil, 0, 0},
		{"no calls with a limit", nil, 3, nil, 0, 0},
		{"no limit", []time.Duration{3, 1, 2}, 0, []time.Duration{0, 0, 0}, 6, 3},
		{"a limit above the calls", []time.Duration{3, 1, 2}, 9, []time.Duration{0, 0, 0}, 6, 3},
		{"one at a time", []time.Duration{3, 1, 2}, 1, []time.Duration{0, 3, 4}, 6, 6},
		{"two at once", []time.Duration{3, 1, 2, 1}, 2, []time.Duration{0, 0, 1, 3}, 7, 4},
		{"equal waits, four at once", []time.Duration{5, 5, 5, 5, 5, 5, 5, 5, 5}, 4,
			[]time.Duration{0, 0, 0, 0, 5, 5, 5, 5, 10}, 45, 15},
		{"long and short", []time.Duration{9, 1, 1, 1, 1}, 3, []time.Duration{0, 0, 0, 1, 1}, 13, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spans := ideal.Concurrent(tc.waits, tc.limit)
			for i, s := range spans {
				if s.Start != tc.starts[i] || s.End != s.Start+tc.waits[i] {
					t.Errorf("call %d: got %v, want it to start at %d and take %d", i, s, tc.starts[i], tc.waits[i])
				}
			}
			if got := ideal.Total(spans); got != tc.slowest {
				t.Errorf("concurrent: total %d, want %d", got, tc.slowest)
			}
			if got := ideal.Total(ideal.Sequential(tc.waits)); got != tc.sequential {
				t.Errorf("sequential: total %d, want %d", got, tc.sequential)
			}
		})
	}
}

func TestSamples(t *testing.T) {
	draw := func(text string, n int, seed uint64, max time.Duration) ideal.Samples {
		t.Helper()
		s, err := ideal.Draw(text, n, seed, max)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const text = "lognormal:120ms,900ms"
	twenty := draw(text, 20, 7, time.Minute)
	if !slices.Equal(twenty.Waits(), draw(text, 20, 7, time.Minute).Waits()) {
		t.Error("the same seed gives other waits")
	}
	if !slices.Equal(twenty.Waits()[:5], draw(text, 5, 7, time.Minute).Waits()) {
		t.Error("five waits are not the first of twenty")
	}
	if slices.Equal(twenty.Waits(), draw(text, 20, 8, time.Minute).Waits()) {
		t.Error("another seed gives the same waits")
	}
	if got := len(slices.Compact(slices.Sorted(slices.Values(twenty.Waits())))); got != 20 {
		t.Errorf("%d different waits, want 20", got)
	}
	if got := slices.Max(draw(text, 20, 7, 100*time.Millisecond).Waits()); got > 100*time.Millisecond {
		t.Errorf("wait %v, want 100ms or less", got)
	}
	for i, wait := range twenty.Waits() {
		asked, seed := twenty.Call(i)
		if d, err := delay.Parse(asked); err != nil || d != delay.Fixed(wait) || seed != nil {
			t.Errorf("call %d asks for %s, seed %v; want the fixed delay %v", i, asked, seed, wait)
		}
	}
	fixed := draw("1.5s", 2, 7, time.Minute)
	if asked, seed := fixed.Call(1); asked != "1.5s" || seed != nil ||
		!slices.Equal(fixed.Waits(), []time.Duration{1.5e9, 1.5e9}) {
		t.Errorf("a fixed delay: asks for %s, seed %v, waits %v; want 1.5s twice", asked, seed, fixed.Waits())
	}
	recorded := draw("recorded:shop", 2, 7, time.Minute)
	if asked, seed := recorded.Call(1); asked != "recorded:shop" || seed == nil || *seed != 8 ||
		recorded.Waits() != nil {
		t.Errorf("a recorded delay: asks for %s, seed %v, waits %v; want a seed of its own, no waits",
			asked, seed, recorded.Waits())
	}
	if _, err := ideal.Draw("soon", 2, 7, time.Minute); err == nil {
		t.Error("an invalid delay: got no error")
	}
}
