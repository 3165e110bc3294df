package fastlane

import (
	"net/http"
	"time"

	"flash.test/delay-server/internal/answer"
)

// newHead returns the head of the lane's replies: the header, and their Content-Type.
func newHead(header http.Header) *answer.Head {
	h := header.Clone()
	h.Set("Content-Type", answer.JSON)
	return answer.NewHead(http.StatusOK, h)
}

// appendReply appends the reply with the head, sent at the date, to b.
func appendReply(b []byte, head *answer.Head, t answer.Timing, date []byte, last bool) []byte {
	var room [96]byte
	body := answer.AppendFlash(room[:0], http.StatusOK, t.Asked)
	b = head.Append(b, int64(len(body)), &t, date, last)
	return append(b, body...)
}

// date is the value of the header Date, made once a second.
type date struct {
	second int64
	text   []byte
}

func (d *date) at(now time.Time) []byte {
	if s := now.Unix(); s != d.second || d.text == nil {
		d.second, d.text = s, now.UTC().AppendFormat(d.text[:0], http.TimeFormat)
	}
	return d.text
}

// recorded is a reply that a handler gives at once, for a connection that ends with it.
type recorded struct {
	header http.Header
	status int
	body   []byte
}

// record returns what h answers.
func record(h http.Handler, r *http.Request) *recorded {
	rec := &recorded{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(rec, r)
	return rec
}

// Header implements http.ResponseWriter.
func (r *recorded) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorded) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorded) Write(b []byte) (int, error) {
	r.body = append(r.body, b...)
	return len(b), nil
}

// bytes returns the reply, as net/http writes it.
func (r *recorded) bytes(date []byte) []byte {
	r.header.Del("Connection")
	b := answer.NewHead(r.status, r.header).Append(nil, int64(len(r.body)), nil, date, true)
	return append(b, r.body...)
}
