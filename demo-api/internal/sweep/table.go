package sweep

import (
	"fmt"
	"time"
)

const columns = "%7v  %17v  %*v  %8v  %14v"

// AtOnce names the concurrent way: "all at once", or "at most 8 at once" with a
// limit above 0.
func AtOnce(limit int) string {
	if limit > 0 {
		return fmt.Sprintf("at most %d at once", limit)
	}
	return "all at once"
}

// Header returns the first line of the table whose others Row returns. The limit
// is how many calls there are at once at the most; 0 for any number.
func Header(limit int) string {
	name := AtOnce(limit)
	return fmt.Sprintf(columns, "calls", "one after another", len(name), name, "speed-up", "calls a second")
}

// Row returns p as a line of the table.
func (p Point) Row(limit int) string {
	sequential, speedup := "–", "–"
	switch {
	case p.Sequential > 0:
		sequential, speedup = brief(p.Sequential), fmt.Sprintf("%.1f×", p.Speedup())
	case p.Expected > 0:
		sequential = "≈ " + brief(p.Expected)
	}
	return fmt.Sprintf(columns, p.Calls, sequential, len(AtOnce(limit)), brief(p.Concurrent), speedup, fmt.Sprintf("%.1f", p.Rate()))
}

// brief writes d with two digits behind the point, cut and not rounded, so that
// no time reads as more than was measured.
func brief(d time.Duration) string {
	unit, name := time.Millisecond, "ms"
	if d >= time.Second {
		unit, name = time.Second, "s "
	}
	return fmt.Sprintf("%d.%02d %s", d/unit, d%unit*100/unit, name)
}
