package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flash.test/delay-server/delay"
)

// maxRows is the maximum number of waits in a picture.
const maxRows = 500

// drawn returns the waits in a picture.
func (r Run) drawn() []Entry { return r.Waits[:min(len(r.Waits), maxRows)] }

// notes returns sentences about waits that are not in a picture.
func (r Run) notes() []string {
	var notes []string
	if more := len(r.Waits) - maxRows; more > 0 {
		notes = append(notes, fmt.Sprintf("first %d requests drawn, %d more not", maxRows, more))
	}
	if r.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("%s dropped, but counted in the figures",
			plural(int(r.Dropped), "older request")))
	}
	return notes
}

// comparison describes the speedup, if there is one.
func (r Run) comparison() string {
	times, ok := r.Speedup()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.1f times as fast as sequential requests", times)
}

// name returns the name of a wait in a picture.
func (e Entry) name() string { return escape(e.Method) + " " + escape(e.Path) }

// state returns the outcome in words.
func (e Entry) state() string {
	if e.Outcome == "" {
		return "waiting"
	}
	return strings.ReplaceAll(string(e.Outcome), "_", " ")
}

// served returns when the queued part of a wait ended.
func (e Entry) served() time.Duration { return min(e.Start+e.Queued, e.End) }

// escape percent-encodes all bytes of text except visible ASCII and the … of a clipped
// path.
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

// shorten cuts escaped text to a width in characters.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// milliseconds formats d in milliseconds: a whole number from 100 on, and with three
// digits below that, to the microsecond.
func milliseconds(d time.Duration) string {
	unit := time.Millisecond
	for unit > time.Microsecond && d < 100*unit {
		unit /= 10
	}
	return delay.Milliseconds(d.Round(unit))
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.Itoa(n) + " " + of + "s"
}
