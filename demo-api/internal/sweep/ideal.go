package sweep

import (
	"time"

	"flash.test/demo-api/internal/ideal"
)

// IdealPoint is what a count of calls takes if nothing but their waits takes time.
type IdealPoint struct {
	Calls                  int
	Sequential, Concurrent time.Duration
}

// Ideal returns a point for each count, or nil if the waits are unknown or zero.
func (s Sweep) Ideal() []IdealPoint {
	var points []IdealPoint
	for _, n := range s.Counts {
		if n > len(s.Waits) {
			return nil
		}
		p := IdealPoint{
			Calls:      n,
			Sequential: ideal.Total(ideal.Sequential(s.Waits[:n])),
			Concurrent: ideal.Total(ideal.Concurrent(s.Waits[:n], s.Limit)),
		}
		if p.Concurrent == 0 {
			return nil // a logarithmic axis has no zero
		}
		points = append(points, p)
	}
	return points
}
