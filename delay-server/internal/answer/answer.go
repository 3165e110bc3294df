// Package answer turns the second half of a plan into bytes.
package answer

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
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

// SetHeader sets a's headers but for Content-Length in h, in place of those of
// the same names. Values of Vary and Server-Timing are added to h's.
func (a *Answer) SetHeader(h http.Header) {
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	if a.ContentType != "" {
		h.Set("Content-Type", a.ContentType)
	}
	if a.Body.Paced {
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // or nginx buffers the body
	}
	for _, f := range a.Header {
		if f.Name != "Vary" && f.Name != "Server-Timing" {
			h.Del(f.Name)
		}
	}
	for _, f := range a.Header {
		h.Add(f.Name, f.Value)
	}
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

// FromProblem returns p as an answer: the headers and the body that p.Write sends.
func FromProblem(p *problem.Problem) Answer {
	header, body := p.Encode()
	a := Answer{Status: p.Status, Header: make([]Field, 0, len(header)), Body: Body{Whole: body}}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if name == "Content-Type" {
			a.ContentType = header.Get(name)
		} else {
			a.Header = append(a.Header, Field{name, header.Get(name)})
		}
	}
	return a
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
