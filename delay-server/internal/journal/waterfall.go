package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRows is how many waits a picture has; it says how many it leaves out.
const maxRows = 500

// drawn returns the waits that a picture shows.
func (r Run) drawn() []Entry { return r.Waits[:min(len(r.Waits), maxRows)] }

// notes are what a picture says of the waits that it does not show.
func (r Run) notes() []string {
	var notes []string
	if more := len(r.Waits) - maxRows; more > 0 {
		notes = append(notes, fmt.Sprintf("the first %d are drawn, %d more are not", maxRows, more))
	}
	if r.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("no longer remembered, but part of the figures: %s that came first", plural(int(r.Dropped), "request")))
	}
	return notes
}

// comparison says what the speed-up comes to, "" where there is none.
func (r Run) comparison() string {
	times, ok := r.Speedup()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.1f times as fast as in turn", times)
}

// what names a wait in a picture.
func (e Entry) what() string { return escape(e.Method) + " " + escape(e.Path) }

// state is the outcome in words.
func (e Entry) state() string {
	if e.Outcome == "" {
		return "waiting"
	}
	return strings.ReplaceAll(string(e.Outcome), "_", " ")
}

// turn is when the queued part of a wait ended.
func (e Entry) turn() time.Duration { return min(e.Start+e.Queued, e.End) }

// escape writes text as a URL has it: visible ASCII, the … of a clipped path,
// and %XX for any other byte.
func escape(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		if c > ' ' && c <= '~' && c != '%' || c == '…' {
			b.WriteString(text[:size])
		} else {
			for _, octet := range []byte(text[:size]) {
				fmt.Fprintf(&b, "%%%02X", octet)
			}
		}
		text = text[size:]
	}
	return b.String()
}

// shorten cuts text, which is escaped, to a width in characters.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// milliseconds writes d as a number of milliseconds: whole ones from 100 on,
// three digits below, to the microsecond.
func milliseconds(d time.Duration) string {
	unit := time.Millisecond
	for unit > time.Microsecond && d < 100*unit {
		unit /= 10
	}
	return strconv.FormatFloat(float64(d.Round(unit))/float64(time.Millisecond), 'f', -1, 64)
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.Itoa(n) + " " + of + "s"
}
