package report

import "fmt"

// Target is a bound on the ratio of two sources in the same round, or, without Of, on one
// source.
type Target struct {
	Text string // what is bounded
	Want string // the bound in words

	What Source
	Of   Source // zero for none

	Bound   float64
	AtLeast bool // Bound is a minimum, not a maximum
	Strict  bool // a figure equal to Bound does not meet the target
}

// Verdict says whether a target was met.
type Verdict struct {
	Target
	Measured Spread
	Met      string // yes, no, or not measured
}

// Judge compares the median over rounds with the target, and says in how many rounds it was
// met if not in all.
func (r *Results) Judge(t Target) Verdict {
	values := r.Values(t.What)
	if t.Of != (Source{}) {
		values = r.Ratios(t.What, t.Of)
	}
	v := Verdict{Target: t, Measured: SpreadOf(values)}
	if len(values) == 0 {
		v.Met = "not measured"
		return v
	}
	good := 0
	for _, value := range values {
		if t.met(value) {
			good++
		}
	}
	v.Met = "no"
	if t.met(v.Measured.Median) {
		v.Met = "yes"
	}
	if 0 < good && good < len(values) {
		v.Met += fmt.Sprintf(", in %d of %d rounds", good, len(values))
	}
	return v
}

func (t Target) met(v float64) bool {
	switch {
	case v == t.Bound:
		return !t.Strict
	case t.AtLeast:
		return v > t.Bound
	default:
		return v < t.Bound
	}
}

// write formats the measured ratio, or the figure with its unit.
func (v Verdict) write() string {
	if v.Of != (Source{}) || v.Measured.N == 0 {
		return v.Measured.write(digits)
	}
	return v.Measured.write(v.What.Metric.format) + " " + about[v.What.Metric].unit
}

// early counts the answers of a server under all loads, and the early ones.
func (r *Results) early(server string) (answers, early int64) {
	for _, s := range r.Samples {
		if s.Server == server {
			answers += s.Answers
			early += s.Early
		}
	}
	return answers, early
}
