package journal

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"flash.test/delay-server/kit/spelling"
)

const (
	textWidth = 100 // columns of the text picture
	maxLabel  = 32  // columns of the name of a wait, in both pictures
	maxTitle  = 60  // columns of the ID of a run, in both pictures
)

// WriteText draws the run in plain text, 100 columns wide: two or three lines of figures,
// then a bar for each wait. Bars that overlap were in flight at the same time. Marks are
// in lines below the rows. The error is from out.
func (r Run) WriteText(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "run %s: %s, peak in flight %d", shorten(escape(r.ID), maxTitle),
		spelling.Count(r.Requests, "request"), r.PeakInFlight)
	if r.Waiting > 0 {
		fmt.Fprintf(w, ", %d still waiting", r.Waiting)
	}
	times := fmt.Sprintf("%s ms from first to last for %s ms of waiting", milliseconds(r.Wall), milliseconds(r.Sum))
	switch headline := r.Headline(); {
	case headline == "":
		fmt.Fprintf(w, "\n%s\n", times)
	case r.numbered():
		fmt.Fprintf(w, "\n%s\n%s\n", times, strings.Join(remark(headline, textWidth), "\n"))
	default:
		fmt.Fprintf(w, "\n%s: %s\n", times, headline)
	}
	r.writeRows(w)
	for _, note := range r.notes() {
		fmt.Fprintf(w, "(%s)\n", note)
	}
	return w.Flush()
}

func (r Run) writeRows(w io.Writer) {
	numbered := r.numbered()
	label, start, end, state, queued, gap := 0, 0, 0, len("timed out"), false, false
	for _, e := range r.drawn() {
		label = max(label, utf8.RuneCountInString(e.label(numbered)))
		start = max(start, len(milliseconds(e.Start)))
		end = max(end, len(milliseconds(e.End)))
		state = max(state, len(e.state()))
		queued = queued || e.Queued > 0
	}
	cells := textWidth - utf8.RuneCountInString("  || "+" → "+" ms  ") - label - start - end - state
	for i, e := range r.drawn() {
		bar := e.bar(r.Wall, cells)
		gap = gap || strings.Contains(bar, gapFill)
		fmt.Fprintf(w, "%-*s  |%s| %*s → %*s ms  %s\n", label, e.label(numbered),
			bar, start, milliseconds(e.Start), end, milliseconds(e.End), e.state())
		if mark := r.Marks[i]; mark != "" {
			for _, line := range remark(mark, maxNote) {
				fmt.Fprintf(w, "  < %s\n", line)
			}
		}
	}
	if gap {
		fmt.Fprintln(w, "(- is the gap after the request before)")
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
	gap := ""
	if e.Gap > 0 {
		gap = e.gap(from - min(cell(e.Start-e.Gap), from))
	}
	return strings.Repeat(" ", from-len(gap)) + gap + strings.Repeat("░", served-from) +
		strings.Repeat(e.fill(), to-served) + strings.Repeat(" ", cells-to)
}

const gapFill = "-"

// gap draws the gap before e in a number of cells, with its length if it fits.
func (e Entry) gap(cells int) string {
	for _, length := range []string{milliseconds(e.Gap) + " ms", milliseconds(e.Gap)} {
		if fill := cells - len(length); fill >= 2 {
			return strings.Repeat(gapFill, fill/2) + length + strings.Repeat(gapFill, fill-fill/2)
		}
	}
	return strings.Repeat(gapFill, cells)
}

func (e Entry) fill() string {
	switch e.class() {
	case string(Answered):
		return "█"
	case string(Refused), string(Rejected):
		return "×"
	case "waiting":
		return "▒"
	default:
		return "▓"
	}
}
