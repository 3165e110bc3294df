package check

import (
	"fmt"
	"math"
	"slices"
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/spelling"
)

// significance is the probability that the gaps of a client that is right fail the test
// of their distribution, if no gap is later than within.
const significance = 1e-6

// defaultShare is the default of within in a test of a distribution, as a share of the
// range of a gap.
const defaultShare = 0.25

// sample is a gap within its range: 0 is the low end of the range, and 1 the high end.
// The client's own wait was between late and early: the gap may be later by within.
type sample struct{ early, late float64 }

// distribution judges the gaps of all runs together. If the client draws each gap
// uniformly from its range, the samples are uniform from 0 to 1. Two one-sided
// Kolmogorov-Smirnov tests compare their empirical distribution F with that: early may
// not be above it by too much, and late not below it. By the inequality of Dvoretzky,
// Kiefer and Wolfowitz with Massart's constant (Ann. Probab. 18, 1990, 1269-1283,
// https://doi.org/10.1214/aop/1176990746), each difference exceeds d with a probability
// of at most exp(-2nd²), for each number of samples n.
//
// A client whose gaps are all in the upper half of their ranges differs by 1/2 less
// within. So it fails for certain if the number of samples is at least minSamples.
func (b backoff) distribution(subjects []*subject) finding {
	samples, share := b.samples(subjects)
	if share >= 0.5 {
		return tooFew(spelling.Count(len(samples), "retry"),
			"within=%s is too much to judge jitter=%s: use less than half of the "+
				"range of the first gap, or a longer back-off", b.within, b.jitter.name)
	}
	if need := minSamples(share); len(samples) < need {
		return tooFew(spelling.Count(len(samples), "retry"),
			"%s cannot tell jitter=%s from another one: %d are needed; judge many runs together with "+
				"/admin/check?run_prefix=…", spelling.Count(len(samples), "retry"), b.jitter.name, need)
	}
	early, late := deviations(samples)
	allowed := math.Sqrt(math.Log(2/significance) / 2 / float64(len(samples)))
	got := fmt.Sprintf("%s in %s, deviation %.2f early and %.2f late of %.2f allowed; %s",
		spelling.Count(len(samples), "retry"), spelling.Count(len(subjects), "run"), early, late, allowed,
		b.herd(subjects))
	switch {
	case early > allowed:
		return fail(got, "the gaps are shorter than jitter=%s draws them; draw each uniformly from its whole range",
			b.jitter.name)
	case late > allowed:
		return fail(got, "the gaps are longer than jitter=%s draws them, or spread less; draw each uniformly from its "+
			"whole range, or raise within if the machine was busy", b.jitter.name)
	}
	return hold("%s", got)
}

// samples returns the samples of all gaps, and the highest share of within in a range.
func (b backoff) samples(subjects []*subject) (samples []sample, share float64) {
	share = defaultShare
	if b.given {
		low, high := b.gap(1) // no range is shorter
		share = float64(b.within) / float64(high-low)
	}
	for _, s := range subjects {
		for _, q := range s.sequences {
			for i, w := range q.waits[1:] {
				before := q.waits[i]
				if before.Outcome == journal.ClientClosed { // its end is late, so the gap may look too short
					continue
				}
				low, high := b.gap(i + 1)
				width := float64(high - low)
				within := defaultShare * width
				if b.given {
					within = float64(b.within)
				}
				place := float64(w.Start - before.End - low)
				samples = append(samples, sample{early: place / width, late: (place - within) / width})
			}
		}
	}
	return samples, share
}

// minSamples returns the number of samples from which on a deviation of 1/2 - share is
// never allowed.
func minSamples(share float64) int {
	d := 0.5 - share
	return int(math.Ceil(math.Log(2/significance) / 2 / (d * d)))
}

// deviations returns by how much the distribution of early is above the uniform one, and
// the distribution of late below it.
func deviations(samples []sample) (early, late float64) {
	n := float64(len(samples))
	earlies, lates := make([]float64, len(samples)), make([]float64, len(samples))
	for i, s := range samples {
		earlies[i], lates[i] = min(max(s.early, 0), 1), min(max(s.late, 0), 1)
	}
	slices.Sort(earlies)
	slices.Sort(lates)
	for i := range samples {
		early = max(early, float64(i+1)/n-earlies[i])
		late = max(late, lates[i]-float64(i)/n)
	}
	return early, late
}

// herd describes how much the first retries would come together if all first attempts
// had failed at the same time: the largest share of them in a tenth of the base.
func (b backoff) herd(subjects []*subject) string {
	var first []time.Duration
	for _, s := range subjects {
		for _, q := range s.sequences {
			if len(q.waits) > 1 {
				first = append(first, q.waits[1].Start-q.waits[0].End)
			}
		}
	}
	slices.Sort(first)
	window, densest, from := b.base/10, 0, 0
	for to := range first {
		for first[to]-first[from] > window {
			from++
		}
		densest = max(densest, to-from+1)
	}
	return fmt.Sprintf("thundering herd: %.0f%% of %s within %s",
		100*float64(densest)/float64(max(len(first), 1)), spelling.Count(len(first), "first retry"), ms(window))
}
