package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// mostRows is how many waits a picture has; it says how many it leaves out.
const mostRows = 500

// drawn returns the waits that a picture shows.
func (r Run) drawn() []Moment { return r.Waits[:min(len(r.Waits), mostRows)] }

// remarks are what a picture says of the waits that it does not show.
func (r Run) remarks() []string {
	var remarks []string
	if more := len(r.Waits) - mostRows; more > 0 {
		remarks = append(remarks, fmt.Sprintf("the first %d are drawn, %d more are not", mostRows, more))
	}
	if r.Dropped > 0 {
		remarks = append(remarks, fmt.Sprintf("no longer remembered, but part of the figures: %s that came first", plural(int(r.Dropped), "request")))
	}
	return remarks
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
func (m Moment) what() string { return legible(m.Method) + " " + legible(m.Path) }

// state is the outcome in words.
func (m Moment) state() string {
	if m.Outcome == "" {
		return "waiting"
	}
	return strings.ReplaceAll(string(m.Outcome), "_", " ")
}

// turn is when the queued part of a wait ended.
func (m Moment) turn() time.Duration { return min(m.Start+m.Queued, m.End) }

// legible writes text as a URL has it: visible ASCII, the … of a clipped path,
// and %XX for any other byte.
func legible(text string) string {
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

// shorten cuts text, which is legible, to a width in characters.
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
