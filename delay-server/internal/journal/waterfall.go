package journal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/spelling"
)

// maxRows is the maximum number of waits in a picture.
const maxRows = 500

// drawn returns the waits in a picture.
func (r Run) drawn() []Entry { return r.Waits[:min(len(r.Waits), maxRows)] }

// notes returns sentences about waits that are not in a picture.
func (r Run) notes() []string {
	var notes []string
	if drawn := len(r.drawn()); len(r.Waits)+r.More > drawn {
		notes = append(notes, fmt.Sprintf("first %d requests drawn, %d more not", drawn, len(r.Waits)+r.More-drawn))
	}
	if r.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("%s dropped, but counted in the figures",
			spelling.Count(int(r.Dropped), "older request")))
	}
	var hidden []int
	for i := range r.Marks {
		if i >= maxRows {
			hidden = append(hidden, i)
		}
	}
	if len(hidden) > 0 {
		first := slices.Min(hidden)
		notes = append(notes, fmt.Sprintf("%s on requests not drawn, the first on request %d: %s",
			spelling.Count(len(hidden), "remark"), first+1, remark(r.Marks[first], maxNote/3)[0]))
	}
	return notes
}

// label returns the name of a wait in a picture, with its attempt if numbered.
func (e Entry) label(numbered bool) string {
	name := escape(e.Method) + " " + escape(e.Path)
	if !numbered || e.Attempt == 0 {
		return shorten(name, maxLabel)
	}
	attempt := " #" + strconv.Itoa(e.Attempt)
	return shorten(name, maxLabel-len(attempt)) + attempt
}

// result returns what the client got, in a word or two.
func (e Entry) result() string {
	switch {
	case e.Outcome == Faulted && e.Fault != "":
		return e.Fault
	case e.Outcome == ClientClosed:
		return "client gave up"
	case e.Status > 0 && e.Outcome != Faulted:
		return strconv.Itoa(e.Status)
	}
	return e.outcome()
}

// state returns the result, and the outcome if the result does not tell it.
func (e Entry) state() string {
	switch {
	case e.Status == 0 || e.Outcome == Answered:
		return e.result()
	case e.Outcome == ClientClosed:
		return strconv.Itoa(e.Status) + " gave up"
	case e.Outcome == Faulted:
		return strconv.Itoa(e.Status) + " " + e.result()
	}
	return strconv.Itoa(e.Status) + " " + e.outcome()
}

// outcome returns the outcome in words.
func (e Entry) outcome() string {
	if e.Outcome == "" {
		return "waiting"
	}
	return strings.ReplaceAll(string(e.Outcome), "_", " ")
}

// The classes of waits in a picture, besides outcomes.
const (
	clientError = "client_error" // answered 4xx
	serverError = "server_error" // answered 5xx
)

// class returns the outcome, or a class of answers.
func (e Entry) class() string {
	switch {
	case e.Outcome == "":
		return "waiting"
	case e.Outcome == Answered && e.Status >= 500:
		return serverError
	case e.Outcome == Answered && e.Status >= 400:
		return clientError
	}
	return string(e.Outcome)
}

// numbered reports whether rows of the picture show attempts.
func (r Run) numbered() bool { return r.retries() > 0 }

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

// maxNote is the maximum length of a line of a note or a remark, in characters, and
// maxRemark of a whole remark.
const (
	maxNote   = 94
	maxRemark = 400
)

// remark returns the text of a mark in lines of a width. All characters except visible
// ASCII and … become question marks.
func remark(text string, width int) []string {
	text = strings.Map(func(c rune) rune {
		if c >= ' ' && c <= '~' || c == '…' {
			return c
		}
		return '?'
	}, text)
	lines := []string{""}
	for _, word := range strings.Fields(shorten(text, maxRemark)) {
		word = shorten(word, width)
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
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
