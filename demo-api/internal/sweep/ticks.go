package sweep

import (
	"fmt"
	"strconv"
	"time"

	"gonum.org/v1/plot"
)

// countTicks returns ticks at counts, with labels that do not overlap.
func countTicks(counts []int) plot.Ticker {
	const minRatio = 1.2 // between labels of four digits on a logarithmic axis
	var ticks plot.ConstantTicks
	last := 0.0
	for _, n := range counts {
		tick := plot.Tick{Value: float64(n)}
		if tick.Value > last*minRatio {
			last, tick.Label = tick.Value, strconv.Itoa(n)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// timeTicks places ticks on an axis of nanoseconds, with labels at powers of ten.
type timeTicks struct{}

// Ticks implements plot.Ticker.
func (timeTicks) Ticks(min, max float64) []plot.Tick {
	var ticks []plot.Tick
	for power := time.Microsecond; float64(power) <= max; power *= 10 {
		for i := range time.Duration(9) {
			tick := plot.Tick{Value: float64(power * (i + 1))}
			if i == 0 {
				tick.Label = power.String()
				if power > time.Second {
					tick.Label = fmt.Sprintf("%ds", power/time.Second) // 100s, not 1m40s
				}
			}
			if tick.Value >= min && tick.Value <= max {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
