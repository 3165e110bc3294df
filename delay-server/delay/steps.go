package delay

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// random is Flash's distribution: 0 to 9 whole seconds.
type random struct{}

func (random) Quantile(p float64) float64 { return math.Floor(p*10) * 1000 }

// A step is a point of a quantile function: ms is the quantile of upTo.
type step struct {
	upTo float64 // 0 to 1
	ms   float64
}

// steps is a distribution of a few times, in ascending order. The last upTo is 1.
type steps []step

func (s steps) Quantile(p float64) float64 {
	i := sort.Search(len(s)-1, func(i int) bool { return p <= s[i].upTo })
	return s[i].ms
}

// parseWeighted parses fortio's form. The rest to 100 percent is no wait.
func parseWeighted(args string, unit time.Duration) (Delay, error) {
	var (
		dist  steps
		texts []string
		sum   float64
	)
	for pair := range strings.SplitSeq(args, ",") {
		value, weight, ok := strings.Cut(pair, ":")
		if !ok {
			return Delay{}, fmt.Errorf("%s has no percentage", spelling.Quote(pair))
		}
		wait, err := argument("TIME", value, unit)
		if err != nil {
			return Delay{}, err
		}
		percent, err := number("PERCENT", weight)
		if err != nil {
			return Delay{}, err
		}
		dist = append(dist, step{upTo: percent / 100, ms: milliseconds(wait)})
		texts = append(texts, Milliseconds(wait)+":"+printNumber(percent))
		sum += percent
	}
	const rounding = 1e-9 // three weights of 33.333333333333 and one of the rest are 100
	if sum > 100+rounding {
		return Delay{}, fmt.Errorf("the percentages add up to %s", printNumber(sum))
	}
	dist = append(dist, step{upTo: max(0, 1-sum/100), ms: 0})
	slices.SortStableFunc(dist, func(a, b step) int { return cmp.Compare(a.ms, b.ms) })
	total := 0.0
	for i := range dist {
		total += dist[i].upTo
		dist[i].upTo = total
	}
	return written(dist, "weighted", texts...), nil
}

// points is a quantile function that interpolates linearly between a few points.
type points []step

func (s points) Quantile(p float64) float64 {
	i := sort.Search(len(s), func(i int) bool { return p <= s[i].upTo })
	if i == len(s) {
		return s[i-1].ms
	}
	from := step{}
	if i > 0 {
		from = s[i-1]
	}
	if s[i].upTo == from.upTo {
		return s[i].ms
	}
	share := (p - from.upTo) / (s[i].upTo - from.upTo)
	return from.ms + float64(share*(s[i].ms-from.ms)) // float64 prevents a fused multiply-add
}

func parsePercentiles(args string, unit time.Duration) (Delay, error) {
	var (
		dist  points
		texts []string
	)
	for pair := range strings.SplitSeq(args, ",") {
		name, value, ok := strings.Cut(pair, "=")
		rank, isRank := strings.CutPrefix(name, "p")
		if !ok || !isRank {
			return Delay{}, fmt.Errorf("%s is not pN=TIME", spelling.Quote(pair))
		}
		percent, err := number("percentile", rank)
		if strings.Trim(rank, "0") == "" && rank != "" {
			percent, err = 0, nil
		}
		if err != nil || percent > 100 {
			return Delay{}, fmt.Errorf("%s is not a percentile from p0 to p100", spelling.Quote(name))
		}
		wait, err := argument(name, value, unit)
		if err != nil {
			return Delay{}, err
		}
		point := step{upTo: percent / 100, ms: milliseconds(wait)}
		if n := len(dist); n > 0 && (point.upTo <= dist[n-1].upTo || point.ms < dist[n-1].ms) {
			return Delay{}, fmt.Errorf("%s does not rise", spelling.Quote(pair))
		}
		dist = append(dist, point)
		texts = append(texts, "p"+printNumber(percent)+"="+Milliseconds(wait))
	}
	if last := dist[len(dist)-1]; last.upTo == 0 {
		return Delay{}, errors.New("no percentile above p0")
	}
	return written(dist, "percentiles", texts...), nil
}
