package answer

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"strconv"
)

// NoLength is the length of a response with neither Content-Length nor
// Transfer-Encoding, such as a response to HEAD with unknown length.
const NoLength int64 = math.MinInt64

// Head is the status line and the header of a response, with gaps for Content-Length and
// Server-Timing, and without Date. It is immutable and can be shared.
type Head struct {
	Status int
	Header http.Header // as given to NewHead

	added      []Field
	text       []byte // the status line and the header lines, sorted by name
	connection span   // lines of Connection in text
	length     int    // position of Content-Length in text
	timing     int    // position of Server-Timing in text
	hasLength  bool   // the status allows Content-Length
	hasDate    bool   // text has Date
}

// span is a part of a text.
type span struct{ start, end int }

// NewHead returns the head of a response as net/http writes it. NewHead retains the
// header, which must not be changed later. The header must have a Content-Type if the
// response has a body, and no Transfer-Encoding, Trailer or "Connection: close". Its
// values of Server-Timing follow the Timing.
func NewHead(status int, header http.Header) *Head {
	h := &Head{Status: status, Header: header, hasLength: mayHaveLength(status)}
	_, h.hasDate = header["Date"]
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	b := bytes.NewBuffer(make([]byte, 0, 256))
	b.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\n")
	start := b.Len()
	without := map[string]bool{"Content-Length": true}
	if status == http.StatusNotModified {
		without["Content-Type"] = true
	}
	_ = header.WriteSubset(b, without) // writes to a buffer do not fail
	h.text = b.Bytes()
	h.connection = span{find(h.text, start, "Connection"), find(h.text, start, "Connection\x00")}
	h.length = find(h.text, start, "Content-Length")
	h.timing = find(h.text, start, "Server-Timing")
	return h
}

// With returns a copy of h with more header fields, which h does not have. They must be
// none that Append adds. This is cheaper than a new head.
func (h *Head) With(fields ...Field) *Head {
	w := *h
	w.added = slices.Concat(h.added, fields)
	w.text = make([]byte, len(h.text), len(h.text)+64*len(fields))
	copy(w.text, h.text)
	start := bytes.IndexByte(w.text, '\n') + 1
	for _, f := range fields {
		name := http.CanonicalHeaderKey(f.Name)
		line := name + ": " + f.Value + "\r\n"
		w.text = slices.Insert(w.text, find(w.text, start, name), []byte(line)...)
		for _, gap := range []struct {
			name string
			at   *int
		}{
			{"Connection", &w.connection.start}, {"Connection\x00", &w.connection.end},
			{"Content-Length", &w.length}, {"Server-Timing", &w.timing},
		} {
			if name < gap.name {
				*gap.at += len(line)
			}
		}
	}
	return &w
}

// find returns the position of the first line in text[start:] whose name sorts at or
// after name.
func find(text []byte, start int, name string) int {
	at := start
	for line := range bytes.Lines(text[start:]) {
		before, _, _ := bytes.Cut(line, []byte(":"))
		if string(before) >= name {
			break
		}
		at += len(line)
	}
	return at
}

// Append appends the head of an HTTP/1.1 response and an empty line to b, byte for byte
// as net/http writes it. A negative length other than NoLength makes it
// "Transfer-Encoding: chunked", if the status allows a body. A nil timing is left out.
// The date is the value of the header Date.
func (h *Head) Append(b []byte, length int64, timing *Timing, date []byte, close bool) []byte {
	b = append(b, h.text[:h.connection.start]...)
	if !close {
		b = append(b, h.text[h.connection.start:h.connection.end]...)
	}
	b = append(b, h.text[h.connection.end:h.length]...)
	if length >= 0 && h.hasLength {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, h.text[h.length:h.timing]...)
	if timing != nil {
		b = append(b, "Server-Timing: "...)
		b = timing.Append(b)
		b = append(b, "\r\n"...)
	}
	b = append(b, h.text[h.timing:]...)
	if !h.hasDate {
		b = append(b, "Date: "...)
		b = append(b, date...)
		b = append(b, "\r\n"...)
	}
	if close {
		b = append(b, "Connection: close\r\n"...)
	}
	if length < 0 && length != NoLength && h.hasLength {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(b, "\r\n"...)
}

// CopyTo sets the header fields that Append writes in header.
func (h *Head) CopyTo(header http.Header, length int64, timing *Timing) {
	for name, values := range h.Header {
		header[name] = slices.Clip(values) // so that adding a value copies
	}
	for _, f := range h.added {
		header.Set(f.Name, f.Value)
	}
	if length >= 0 && h.hasLength {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if timing != nil {
		header["Server-Timing"] = append([]string{string(timing.Append(nil))}, h.Header["Server-Timing"]...)
	}
}

// mayHaveLength reports whether a response with the status may have Content-Length or
// Transfer-Encoding (RFC 9112, sections 6.1 and 6.2).
func mayHaveLength(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
