package fastlane

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/internal/answer"
)

// form is what replies are made from: their bytes between those that vary.
type form struct {
	start, afterLength, afterTiming []byte
}

// The places of what varies, by which a header is sorted before it is cut.
const (
	lengthPlace = "{length}"
	timingPlace = "{timing}"
)

// newForm returns the form of replies with the header, as net/http writes one.
func newForm(header http.Header) form {
	h := header.Clone()
	h.Set("Content-Type", answer.JSON)
	h.Set("Content-Length", lengthPlace)
	h.Set("Server-Timing", timingPlace)
	start, rest, _ := bytes.Cut(head(http.StatusOK, h), []byte(lengthPlace))
	afterLength, afterTiming, _ := bytes.Cut(rest, []byte(timingPlace))
	return form{start, afterLength, afterTiming}
}

// head returns the status line and the header, without its end and net/http's
// own Date and Connection.
func head(status int, h http.Header) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	_ = h.Write(&b) // a buffer takes all
	return b.Bytes()
}

// append appends the reply, sent at the date, to b.
func (f *form) append(b []byte, t answer.Timing, date []byte, last bool) []byte {
	var room [96]byte
	body := answer.AppendFlash(room[:0], http.StatusOK, t.Asked)
	b = append(b, f.start...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, f.afterLength...)
	b = t.Append(b)
	b = append(b, f.afterTiming...)
	b = appendDate(b, date)
	if last {
		b = append(b, lastLine...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// lastLine is that of a reply with which the connection ends.
const lastLine = "Connection: close\r\n"

// appendDate appends what net/http adds to the header of a handler.
func appendDate(b, date []byte) []byte {
	b = append(b, "Date: "...)
	b = append(b, date...)
	return append(b, "\r\n"...)
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
	b := appendDate(head(r.status, r.header), date)
	b = append(b, "Content-Length: "+strconv.Itoa(len(r.body))+"\r\n"+lastLine+"\r\n"...)
	return append(b, r.body...)
}
