package check

import (
	"cmp"
	"slices"
	"time"
)

// flight follows requests in the order of their starts and ends. At the same time, a
// request that has begun ends before another begins.
type flight struct {
	waits []wait
	ends  []int // indexes of waits, by end
	begun []bool
	count int // in flight
}

func newFlight(waits []wait) *flight {
	f := &flight{waits: waits, ends: make([]int, len(waits)), begun: make([]bool, len(waits))}
	for i := range f.ends {
		f.ends[i] = i
	}
	slices.SortStableFunc(f.ends, func(a, b int) int { return cmp.Compare(waits[a].End, waits[b].End) })
	return f
}

// start begins request i.
func (f *flight) start(i int) {
	f.begun[i] = true
	f.count++
}

// end ends the requests that have begun and end up to a time, and returns their indexes
// in order.
func (f *flight) end(until time.Duration) []int {
	n := 0
	for n < len(f.ends) && f.begun[f.ends[n]] && f.waits[f.ends[n]].End <= until {
		n++
	}
	ended := f.ends[:n]
	f.ends, f.count = f.ends[n:], f.count-n
	return ended
}
