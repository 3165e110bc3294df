package sweep

import (
	"fmt"
	"time"
)

const columns = "%7v  %17v  %*v  %8v  %14v"

// ConcurrentTitle returns "all at once", or "at most 8 at once" with a limit above 0.
func ConcurrentTitle(limit int) string {
	if limit > 0 {
		return fmt.Sprintf("at most %d at once", limit)
	}
	return "all at once"
}

// Header returns the first line of the table. Row returns the others.
func Header(limit int) string {
	title := ConcurrentTitle(limit)
	return fmt.Sprintf(columns, "calls", "one after another", len(title), title, "speed-up", "calls a second")
}

// Row returns p as a line of the table.
func (p Point) Row(limit int) string {
	sequential, speedup := "–", "–"
	switch {
	case p.Sequential > 0:
		sequential, speedup = truncated(p.Sequential), fmt.Sprintf("%.1f×", p.Speedup())
	case p.Expected > 0:
		sequential = "≈ " + truncated(p.Expected)
	}
	width, rate := len(ConcurrentTitle(limit)), fmt.Sprintf("%.1f", p.Rate())
	return fmt.Sprintf(columns, p.Calls, sequential, width, truncated(p.Concurrent), speedup, rate)
}

// truncated returns d with two decimals. It does not round: no time is above the
// measured one.
func truncated(d time.Duration) string {
	unit, name := time.Millisecond, "ms"
	if d >= time.Second {
		unit, name = time.Second, "s "
	}
	return fmt.Sprintf("%d.%02d %s", d/unit, d%unit*100/unit, name)
}
