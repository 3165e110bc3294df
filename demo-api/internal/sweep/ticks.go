package sweep

import (
	"fmt"
	"strconv"
	"time"

	"gonum.org/v1/plot"
)

// countTicks marks the counts of points, with their numbers where these have
// room beside each other.
func countTicks(points []Point) plot.Ticker {
	const room = 1.2 // on a logarithmic axis, of four digits
	var ticks plot.ConstantTicks
	last := 0.0
	for _, p := range points {
		tick := plot.Tick{Value: float64(p.Calls)}
		if tick.Value > last*room {
			last, tick.Label = tick.Value, strconv.Itoa(p.Calls)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// timeTicks marks nanoseconds, with the powers of ten as times.
type timeTicks struct{}

func (timeTicks) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	for power := time.Microsecond; float64(power) <= most; power *= 10 {
		for i := range time.Duration(9) {
			tick := plot.Tick{Value: float64(power * (i + 1))}
			if i == 0 {
				tick.Label = power.String()
				if power > time.Second {
					tick.Label = fmt.Sprintf("%ds", power/time.Second) // 100s, not 1m40s
				}
			}
			if tick.Value >= least && tick.Value <= most {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
