// Package problem has the problem documents of RFC 9457 with which the programs
// respond to errors.
package problem

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// ContentType is the media type of a problem document (RFC 9457, section 3).
const ContentType = "application/problem+json"

// Problem is an error that is sent to the client. Detail says what was wrong with the
// request, then what is valid.
type Problem struct {
	Type   Type   `json:"type"`   // a URI reference: the path of its page
	Title  string `json:"title"`  // the title of the type
	Status int    `json:"status"` // HTTP status code
	Detail string `json:"detail"`

	// Call names the call that failed, if the program made several.
	Call string `json:"call,omitempty"`

	// RetryAfter is sent as Retry-After, rounded up to seconds. If it is zero, only 429
	// and 503 have that header, with 1 second.
	RetryAfter time.Duration `json:"-"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Is reports whether target is the type of p, for errors.Is.
func (p *Problem) Is(target error) bool { return target == p.Type }

// Encode returns the header of the response, without Content-Length, and its body.
func (p *Problem) Encode() (header http.Header, body []byte) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // read by people, never as HTML
	_ = e.Encode(p)        // cannot fail
	header = http.Header{
		"Content-Type":           {ContentType},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
	}
	if after := p.SentRetryAfter(); after > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(after/time.Second), 10))
	}
	return header, b.Bytes()
}

// SentRetryAfter returns what the header Retry-After says, or 0 if p has none.
func (p *Problem) SentRetryAfter() time.Duration {
	after := p.RetryAfter
	if after <= 0 && (p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable) {
		after = time.Second
	}
	if after <= 0 {
		return 0
	}
	return (after + time.Second - 1) / time.Second * time.Second
}

// Write sends p as the response. It keeps headers that are set. The error is from
// writing.
func (p *Problem) Write(w http.ResponseWriter) error {
	header, body := p.Encode()
	maps.Copy(w.Header(), header)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

// Quote quotes s for a detail, like [spelling.Quote].
func Quote(s string) string { return spelling.Quote(s) }
