package drive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Request is a request and the answers that it accepts.
type Request struct {
	Method string // "" for GET
	Host   string
	Path   string   // with the query
	Header []string // lines, such as "X-Run-Id: bench"
	Body   string   // sent with its Content-Length; "" sends none

	// Trace adds a traceparent with a new trace id each time, as a gateway does.
	Trace bool

	// Statuses are the accepted statuses; nil for 200.
	Statuses []int

	// Drawn is whether the server draws each wait, which is then the asked field of the
	// answer's Server-Timing.
	Drawn bool
}

// message is a Request as bytes. It belongs to one goroutine.
type message struct {
	Request
	bytes  []byte
	trace  []byte // the digits of the trace id, within bytes; nil if there is none
	traces uint64 // trace ids so far
}

// message returns r as bytes.
func (r Request) message() *message {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", cmp.Or(r.Method, "GET"), r.Path, r.Host)
	for _, line := range r.Header {
		b = append(append(b, line...), "\r\n"...)
	}
	trace := len(b) + len("traceparent: 00-")
	if r.Trace {
		b = append(b, "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n"...)
	}
	if r.Body != "" {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(r.Body))
	}
	b = append(append(b, "\r\n"...), r.Body...)
	m := &message{Request: r, bytes: b}
	if r.Trace {
		m.trace = b[trace : trace+32]
	}
	return m
}

// next returns the bytes to send, valid until the next call.
func (m *message) next() []byte {
	if m.trace != nil {
		m.traces++
		for i, n := len(m.trace)-1, m.traces; n > 0; i, n = i-1, n>>4 {
			m.trace[i] = "0123456789abcdef"[n&15]
		}
	}
	return m.bytes
}

var headerEnd = []byte("\r\n\r\n")

// reply is an answer, complete or not.
type reply struct {
	header int           // bytes of the header; 0 if it is incomplete
	length int           // bytes in all, if the header says
	asked  time.Duration // the wait that was asked for
}

// read parses the reply at the beginning of b. It is an error if m does not accept the
// status, or if the reply is no stream and has no Content-Length or more bytes than that.
// The reply's wait is asked, unless the server draws it.
func (m *message) read(b []byte, stream bool, asked time.Duration) (reply, error) {
	end := bytes.Index(b, headerEnd)
	if end < 0 {
		return reply{}, nil
	}
	status, fields, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !m.accepts(status) {
		return reply{}, fmt.Errorf("status line %q: want HTTP/1.1 200", status)
	}
	r := reply{header: end + len(headerEnd), asked: asked}
	if stream {
		return r, nil
	}
	said, drawn := false, false
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(field, []byte(":"))
		switch {
		case !said && is(name, "content-length"):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 {
				return reply{}, fmt.Errorf("Content-Length %q: want a number of bytes", value)
			}
			said, r.length = true, r.header+n
		case m.Drawn && is(name, "server-timing"):
			r.asked, drawn = askedIn(value)
		}
	}
	if m.Method == "HEAD" {
		r.length = r.header
	}
	switch {
	case !said:
		return reply{}, errors.New("reply without Content-Length")
	case m.Drawn && !drawn:
		return reply{}, errors.New("reply without the asked wait in Server-Timing")
	case len(b) > r.length:
		return reply{}, fmt.Errorf("%d bytes after the reply", len(b)-r.length)
	}
	return r, nil
}

// is reports whether a header field's name is lower, ignoring case.
func is(name []byte, lower string) bool {
	return len(name) == len(lower) && bytes.EqualFold(name, []byte(lower))
}

// accepts reports whether m accepts a status line.
func (m *message) accepts(line []byte) bool {
	code, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(code) < 4 || code[3] != ' ' {
		return false
	}
	status, err := strconv.Atoi(string(code[:3]))
	return err == nil && (m.Statuses == nil && status == 200 || slices.Contains(m.Statuses, status))
}

// askedIn reads asked;dur= of a Server-Timing, in milliseconds.
func askedIn(value []byte) (time.Duration, bool) {
	_, number, ok := bytes.Cut(value, []byte("asked;dur="))
	if end := bytes.IndexAny(number, ",; "); end >= 0 {
		number = number[:end]
	}
	asked, err := strconv.ParseFloat(string(number), 64)
	return time.Duration(asked * float64(time.Millisecond)), ok && err == nil
}

// errClosed says that the server closed the connection before the reply's end.
func errClosed(read int) error {
	return fmt.Errorf("connection closed after %d bytes of a reply", read)
}
