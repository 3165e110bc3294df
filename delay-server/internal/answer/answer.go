// Package answer turns the second half of a plan into bytes.
package answer

import (
	"iter"
	"net/http"
	"net/url"
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
}

// Flash returns Flash's answer to a wait, byte for byte but for another status:
//
//	{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}
func Flash(status int, wait time.Duration) Answer {
	body := make([]byte, 0, 96)
	body = append(body, `{"status":`...)
	body = strconv.AppendInt(body, int64(status), 10)
	body = append(body, `,"message":"Mock response from Flash","delay":"`...)
	body = delay.AppendMilliseconds(body, wait)
	body = append(body, ` ms"}`...)
	return Answer{Status: status, ContentType: JSON, Body: Body{Whole: body}}
}

// Redirect returns a 302 to target, which must be a checked absolute URL.
func Redirect(target string) Answer {
	return Answer{Status: http.StatusFound, Location: target}
}

// HasBody reports whether a reply of the HTTP status may have a body
// (RFC 9110, section 6.4.1).
func HasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
