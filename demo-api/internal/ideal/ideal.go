// Package ideal computes when calls would start and end if nothing but their waits
// took time.
package ideal

import "time"

// Span is the time of a call, from the start of its lane.
type Span struct{ Start, End time.Duration }

// Sequential returns the spans of calls that start when the one before ends.
func Sequential(waits []time.Duration) []Span { return Concurrent(waits, 1) }

// Concurrent returns the spans of calls that start in order, at most limit at once.
// A limit of 0 is no limit.
func Concurrent(waits []time.Duration, limit int) []Span {
	spans := make([]Span, len(waits))
	if limit == 0 || limit > len(waits) {
		limit = len(waits)
	}
	free := make(places, limit) // all free at 0
	for i, wait := range waits {
		spans[i] = Span{free[0], free[0] + wait}
		free.replaceFirst(spans[i].End)
	}
	return spans
}

// places is a binary heap of the times when places for a call become free.
type places []time.Duration

// replaceFirst replaces the earliest time.
func (p places) replaceFirst(t time.Duration) {
	i := 0
	for {
		child := 2*i + 1
		if child+1 < len(p) && p[child+1] < p[child] {
			child++
		}
		if child >= len(p) || p[child] >= t {
			p[i] = t
			return
		}
		p[i] = p[child]
		i = child
	}
}

// Total returns the time when the last of spans ends.
func Total(spans []Span) time.Duration {
	var last time.Duration
	for _, s := range spans {
		last = max(last, s.End)
	}
	return last
}
