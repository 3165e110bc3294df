package journal

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	textWidth = 100 // columns of the text picture
	maxLabel  = 32  // columns of the name of a wait, in both pictures
	maxTitle  = 60  // columns of the ID of a run, in both pictures
)

// WriteText draws the run in plain text, 100 columns wide: two lines of figures, then a
// bar for each wait. Bars that overlap were in flight at the same time. The error is
// from out.
func (r Run) WriteText(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "run %s: %s, peak in flight %d", shorten(escape(r.ID), maxTitle), plural(r.Requests, "request"),
		r.PeakInFlight)
	if r.Waiting > 0 {
		fmt.Fprintf(w, ", %d still waiting", r.Waiting)
	}
	fmt.Fprintf(w, "\n%s ms from first to last for %s ms of waiting", milliseconds(r.Wall), milliseconds(r.Sum))
	if c := r.comparison(); c != "" {
		fmt.Fprintf(w, ": %s", c)
	}
	fmt.Fprintln(w)
	r.writeRows(w)
	for _, note := range r.notes() {
		fmt.Fprintf(w, "(%s)\n", note)
	}
	return w.Flush()
}

func (r Run) writeRows(w io.Writer) {
	label, start, end, state, queued := 0, 0, 0, len("timed out"), false
	for _, e := range r.drawn() {
		label = max(label, min(utf8.RuneCountInString(e.name()), maxLabel))
		start = max(start, len(milliseconds(e.Start)))
		end = max(end, len(milliseconds(e.End)))
		state = max(state, len(e.state()))
		queued = queued || e.Queued > 0
	}
	bar := textWidth - utf8.RuneCountInString("  || "+" → "+" ms  ") - label - start - end - state
	for _, e := range r.drawn() {
		fmt.Fprintf(w, "%-*s  |%s| %*s → %*s ms  %s\n", label, shorten(e.name(), maxLabel),
			e.bar(r.Wall, bar), start, milliseconds(e.Start), end, milliseconds(e.End), e.state())
	}
	if queued {
		fmt.Fprintln(w, "(░ is the time in a pool's queue)")
	}
}

// bar draws e in a row of cells, which is the wall time. Each wait has at least one cell.
// Longer waits that touch without overlapping have no cell in common.
func (e Entry) bar(wall time.Duration, cells int) string {
	cell := func(at time.Duration) int {
		if wall <= 0 {
			return 0
		}
		return int(math.Round(float64(cells) * float64(at) / float64(wall)))
	}
	from := min(cell(e.Start), cells-1)
	to := min(max(cell(e.End), from+1), cells)
	served := from
	if e.Queued > 0 {
		served = min(max(cell(e.served()), from), to)
	}
	return strings.Repeat(" ", from) + strings.Repeat("░", served-from) +
		strings.Repeat(e.fill(), to-served) + strings.Repeat(" ", cells-to)
}

func (e Entry) fill() string {
	switch e.Outcome {
	case Answered:
		return "█"
	case Refused:
		return "×"
	case "":
		return "▒"
	default:
		return "▓"
	}
}
