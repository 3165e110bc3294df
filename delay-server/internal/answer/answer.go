// Package answer turns the second half of a plan into bytes.
package answer

import (
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/delay"
)

// JSON is the media type of Flash's answer.
const JSON = "application/json; charset=utf-8"

// Answer is what is sent once the wait is over.
type Answer struct {
	Status      int    // HTTP status code
	ContentType string // media type of Body
	Location    string // where a redirect leads, or ""
	Body        []byte
}

// Flash returns Flash's answer to a wait, byte for byte: status 200 and
//
//	{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}
func Flash(wait time.Duration) Answer {
	body := make([]byte, 0, 96)
	body = append(body, `{"status":200,"message":"Mock response from Flash","delay":"`...)
	body = delay.AppendMilliseconds(body, wait)
	body = append(body, ` ms"}`...)
	return Answer{Status: http.StatusOK, ContentType: JSON, Body: body}
}

// Redirect returns a 302 to target, which must be a checked absolute URL.
func Redirect(target string) Answer {
	return Answer{Status: http.StatusFound, Location: target}
}

// Write sends a with the headers that are already set. A body is not sent in
// reply to HEAD, which net/http sees to. The error is the connection's.
func (a Answer) Write(w http.ResponseWriter) error {
	h := w.Header()
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	if a.ContentType != "" {
		h.Set("Content-Type", a.ContentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}
