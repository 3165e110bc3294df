package report

import (
	"slices"
)

// Spread is the median over rounds with the smallest and the largest value. The zero Spread
// has no values.
type Spread struct {
	Median, Min, Max float64
	N                int // values
}

// SpreadOf returns the spread of values.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], N: n}
}

// write formats s: the median and, if there are several values, their range.
func (s Spread) write(format func(float64) string) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return format(s.Median)
	default:
		return format(s.Median) + " (" + format(s.Min) + "–" + format(s.Max) + ")"
	}
}

// Source names figures: one metric of one server under one load.
type Source struct {
	Load   string
	Server string
	Metric Metric
}

// byRound returns the values of a source by round.
func (r *Results) byRound(s Source) map[int]float64 {
	values := map[int]float64{}
	for _, sample := range r.Samples {
		if v, ok := sample.Values[s.Metric]; ok && sample.Load == s.Load && sample.Server == s.Server {
			values[sample.Round] = v
		}
	}
	return values
}

// Values returns the values of a source in the order of rounds.
func (r *Results) Values(s Source) []float64 {
	byRound := r.byRound(s)
	var values []float64
	for round := range r.Rounds {
		if v, ok := byRound[round+1]; ok {
			values = append(values, v)
		}
	}
	return values
}

// Ratios returns the ratio of a to b in each round that has both.
func (r *Results) Ratios(a, b Source) []float64 {
	as, bs := r.byRound(a), r.byRound(b)
	var ratios []float64
	for round := range r.Rounds {
		over, ok1 := as[round+1]
		under, ok2 := bs[round+1]
		if ok1 && ok2 && under != 0 {
			ratios = append(ratios, over/under)
		}
	}
	return ratios
}
