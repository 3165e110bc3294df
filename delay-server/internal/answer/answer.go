// Package answer describes a planned response, and builds its head and body. It does not
// wait or send.
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

// Media types.
const (
	JSON  = "application/json; charset=utf-8"
	Text  = "text/plain; charset=utf-8"
	Bytes = "application/octet-stream"
)

// Answer is the response after the wait.
type Answer struct {
	Status      int    // HTTP status code
	ContentType string // media type of the body, or ""
	Location    string // target of a redirect, or ""
	Header      []Field
	Body        Body
	Fault       Fault // "" for none

	// Dynamic sets header fields when the response begins; nil for none. Heads of such an
	// answer are not shared.
	Dynamic func(http.Header)

	// Upstream is the URL to forward the request to, nil for none. With it, the other
	// fields are ignored.
	Upstream *url.URL
}

// Field is a header field of an answer.
type Field struct{ Name, Value string }

// Default adds a header field with the canonical name if a has none.
func (a *Answer) Default(name, value string) {
	if !slices.ContainsFunc(a.Header, func(f Field) bool { return f.Name == name }) {
		a.Header = append(slices.Clip(a.Header), Field{name, value})
	}
}

// SetHeader sets a's header fields in h, except Content-Length. It replaces fields of
// the same name, but adds values of Vary and Server-Timing.
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
	if a.Dynamic != nil {
		a.Dynamic(h)
	}
}

// Flash sets a's body to Flash's answer to the wait. a.Status is set.
func (a *Answer) Flash(wait time.Duration) {
	a.ContentType = JSON
	a.Body.Whole = AppendFlash(make([]byte, 0, 96), a.Status, wait)
}

// FlashText is like Flash for a wait whose number is text, as in the request.
func (a *Answer) FlashText(text string) {
	a.ContentType = JSON
	const body = `{"status":%d,"message":"Mock response from Flash","delay":"%s ms"}`
	a.Body.Whole = fmt.Appendf(nil, body, a.Status, text)
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

// Redirect returns a 302 to target, which must be a valid absolute URL.
func Redirect(target string) Answer {
	return Answer{Status: http.StatusFound, Location: target}
}

// FromProblem returns p as an answer, with the same header and body as p.Write.
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

// HasBody reports whether a response with the HTTP status may have a body (RFC 9110,
// sections 6.4.1 and 15.3.6).
func HasBody(status int) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return false
	}
	return status >= 200
}
