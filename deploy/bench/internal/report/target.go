package report

import "fmt"

// Target is one bound on what is measured: on the ratio of one source to
// another of the same round, or, without Of, on the figure itself.
type Target struct {
	Text string // what is bounded
	Want string // the bound in words

	What Source
	Of   Source // zero for none

	Bound   float64
	AtLeast bool // the bound is the least, not the most
	Strict  bool // the bound itself does not meet the target
}

// Verdict is what was measured for a target.
type Verdict struct {
	Target
	Measured Spread
	Met      string // yes, no, or not measured
}

// Judge compares the median over rounds with the target, and says where single
// rounds differ.
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

// write writes the measured ratio, or the figure with its unit.
func (v Verdict) write() string {
	if v.Of != (Source{}) || v.Measured.N == 0 {
		return v.Measured.write(digits)
	}
	return v.Measured.write(v.What.Metric.format) + " " + about[v.What.Metric].unit
}

// early counts the answers of a server over all loads, and how many were early.
func (r *Results) early(server string) (answers, early int64) {
	for _, s := range r.Samples {
		if s.Server == server {
			answers += s.Answers
			early += s.Early
		}
	}
	return answers, early
}
