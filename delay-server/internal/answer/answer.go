// Package answer turns the second half of a plan into bytes.
package answer

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"flash.test/delay-server/delay"
)

// Media types of the bodies that are made here.
const (
	JSON  = "application/json; charset=utf-8"
	Text  = "text/plain; charset=utf-8"
	Bytes = "application/octet-stream"
)

// Answer is what is sent once the wait is over.
type Answer struct {
	Status      int    // HTTP status code
	ContentType string // media type of the body, or ""
	Location    string // where a redirect leads, or ""
	Header      []Field
	Body        Body
	Fault       Fault // "" for none

	// Upstream, where it is not nil, is the URL whose answer this is, whatever
	// the other fields say.
	Upstream *url.URL
}

// Field is one header of an answer.
type Field struct{ Name, Value string }

// Default adds a header of the canonical name where a has none of it.
func (a *Answer) Default(name, value string) {
	if !slices.ContainsFunc(a.Header, func(f Field) bool { return f.Name == name }) {
		a.Header = append(slices.Clip(a.Header), Field{name, value})
	}
}

// Body is what follows the headers: Whole at once, or Parts, each at its time.
type Body struct {
	Whole []byte

	// Parts are the body's parts, each with the time from the sending of the
	// headers at which it is due. A part may be reused once the next is asked for.
	// An empty part is a wait alone: the next is asked for when it is over, and
	// can say what time it is.
	Parts iter.Seq2[time.Duration, []byte]

	// Length is the sum of all Parts in bytes, or negative where it is not known.
	Length int64

	// Paced marks Parts that are due over time: no proxy on the way is to buffer them.
	Paced bool
}

// Flash makes a Flash's answer to a wait, byte for byte but for a's status.
func (a *Answer) Flash(wait time.Duration) {
	a.ContentType = JSON
	a.Body.Whole = AppendFlash(make([]byte, 0, 96), a.Status, wait)
}

// FlashText makes a Flash's answer to a wait that was asked for as text, a number.
func (a *Answer) FlashText(text string) {
	a.ContentType = JSON
	a.Body.Whole = fmt.Appendf(nil, `{"status":%d,"message":"Mock response from Flash","delay":"%s ms"}`, a.Status, text)
}

// AppendFlash appends the body of Flash's answer to b:
//
//	{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}
func AppendFlash(b []byte, status int, wait time.Duration) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"message":"Mock response from Flash","delay":"`...)
	b = delay.AppendMilliseconds(b, wait)
	return append(b, ` ms"}`...)
}

// Redirect returns a 302 to target, which must be a checked absolute URL.
func Redirect(target string) Answer {
	return Answer{Status: http.StatusFound, Location: target}
}

// HasBody reports whether a reply of the HTTP status may have a body
// (RFC 9110, sections 6.4.1 and 15.3.6).
func HasBody(status int) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return false
	}
	return status >= 200
}
