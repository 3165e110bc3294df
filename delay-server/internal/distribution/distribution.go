// Package distribution draws the distribution of a delay.
package distribution

import (
	"math"
	"time"

	"flash.test/delay-server/delay"
)

// bins is the number of bars of a histogram.
const bins = 60

// redraws is how often [delay.Delay.SampleWithin] draws a sample before it cuts it.
const redraws = 10

// bounded is the distribution of the samples of SampleWithin: a delay, cut at max.
type bounded struct {
	delay.Delay
	max   time.Duration
	share float64 // of the delay's samples up to max
	uncut float64 // share of samples that are drawn, not cut
}

func bound(d delay.Delay, max time.Duration) bounded {
	b := bounded{Delay: d, max: max, share: 1, uncut: 1}
	if d.Quantile(almostOne) > max {
		b.share = shareUpTo(d, max)
		b.uncut = 1 - math.Pow(1-b.share, redraws)
	}
	return b
}

// almostOne is the largest float64 below 1.
const almostOne = 1 - 0x1p-53

// shareUpTo returns the share of d's samples that are at most t.
func shareUpTo(d delay.Delay, t time.Duration) float64 {
	if d.Quantile(almostOne) <= t {
		return 1
	}
	low, high := 0.0, 1.0
	for range 24 { // far more precise than a pixel
		middle := (low + high) / 2
		if d.Quantile(middle) <= t {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// quantile returns the p-quantile, for 0 < p < 1.
func (b bounded) quantile(p float64) time.Duration {
	if p > b.uncut {
		return b.max
	}
	return min(b.Quantile(min(p*b.share/b.uncut, almostOne)), b.max)
}

// upTo returns the share of samples that are at most t.
func (b bounded) upTo(t time.Duration) float64 {
	if t >= b.max || b.share == 0 {
		return 1
	}
	return min(shareUpTo(b.Delay, t)/b.share*b.uncut, 1)
}

// histogram returns the shares of samples in equal parts of 0 to end. The first part
// includes 0.
func (b bounded) histogram(end time.Duration) [bins]float64 {
	var shares [bins]float64
	before := 0.0
	for i := range shares {
		share := b.upTo(time.Duration(float64(end) * float64(i+1) / bins))
		shares[i], before = share-before, share
	}
	return shares
}
