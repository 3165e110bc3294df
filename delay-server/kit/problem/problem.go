// Package problem is the problem document of RFC 9457, the one shape of every
// error that both programs answer.
package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// ContentType is the media type of a problem document (RFC 9457, section 3).
const ContentType = "application/problem+json"

// Problem is an error that a client is told of. Detail speaks in the client's
// terms: what was read, what is accepted.
type Problem struct {
	Type   Type   `json:"type"`   // a URI reference: the path of its page
	Title  string `json:"title"`  // the type's
	Status int    `json:"status"` // HTTP status code
	Detail string `json:"detail"`

	// Call names the call that failed, where the program made several.
	Call string `json:"call,omitempty"`

	// RetryAfter, when over zero, is sent as Retry-After, rounded up to seconds.
	// A 429 or a 503 has that header always, of 1 second where nothing else is known.
	RetryAfter time.Duration `json:"-"`
}

// New returns a problem of the HTTP status and of no type.
//
// Deprecated: use Type.New.
func New(status int, format string, args ...any) *Problem {
	title := http.StatusText(status)
	if title == "" {
		title = "Error"
	}
	return &Problem{Type: "about:blank", Title: title, Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Is reports whether target is p's type, for errors.Is.
func (p *Problem) Is(target error) bool { return target == p.Type }

// Encode returns p's header, one value to a name and without Content-Length, and body.
func (p *Problem) Encode() (header http.Header, body []byte) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // read by people, never as HTML
	_ = e.Encode(p)        // of strings and a number: never an error
	header = http.Header{
		"Content-Type":           {ContentType},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
	}
	after := p.RetryAfter
	if after <= 0 && (p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable) {
		after = time.Second
	}
	if after > 0 {
		seconds := (after + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	return header, b.Bytes()
}

// Write sends p as the whole reply. Headers that are already set stay. The
// error is the connection's.
func (p *Problem) Write(w http.ResponseWriter) error {
	header, body := p.Encode()
	maps.Copy(w.Header(), header)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

// Quote returns [spelling.Quote] of s, for a detail.
func Quote(s string) string { return spelling.Quote(s) }
