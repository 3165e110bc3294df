package eventloop

import (
	"bytes"
	"strings"
	"unsafe"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/plan"
)

// request is a parsed request head. Its strings share memory with the parsed bytes.
type request struct {
	plan.Request
	origin string
	body   int64 // Content-Length
	close  bool  // Connection: close

	head []byte // the lines of the header, with all fields

	arrived clock.Timestamp // in the time of clock
	clock   *clock.Clock    // the run's own; nil for the server's
	planned plan.Planned
}

// clone returns a copy of r that shares no memory, with the fields that a flow needs.
func (r *request) clone(e *flow.Engine) *request {
	c := *r
	c.Request = plan.Request{Method: strings.Clone(r.Method), Path: strings.Clone(r.Path)}
	if r.planned.Run != "" {
		c.Query, c.Headers = strings.Clone(r.Query), e.Journal.CloneHeaders(r)
	}
	c.head = nil
	c.origin = strings.Clone(r.origin)
	return &c
}

// Get implements plan.Headers.
func (r *request) Get(name string) string {
	if name == "Host" {
		return "" // as in net/http, which removes it
	}
	for line := range bytes.Lines(r.head) {
		if colon := len(name); len(line) > colon && line[colon] == ':' &&
			strings.EqualFold(unsafeString(line[:colon]), name) {
			return unsafeString(bytes.Trim(line[colon+1:], " \t\r\n"))
		}
	}
	return ""
}

// parseResult is the result of parsing a request's head.
type parseResult int

const (
	parsed      parseResult = iota
	incomplete              // valid so far
	unsupported             // net/http must parse it
)

// maxHead is the maximum size of a request line and header.
const maxHead = 8 << 10

// maxBody is the maximum size of a request body. net/http rejects larger ones.
const maxBody = 1 << 20

// parse parses the head at the start of b and returns its length. net/http would
// parse the same request from it.
func (r *request) parse(b []byte) (n int, result parseResult) {
	line, n, result := nextLine(b, 0)
	if result != parsed {
		return 0, result
	}
	if !r.parseRequestLine(line) {
		return 0, unsupported
	}
	var seen seenFields
	header := n
	for {
		if line, n, result = nextLine(b, n); result != parsed {
			return 0, result
		}
		if len(line) == 0 {
			if !seen.host {
				return 0, unsupported
			}
			r.head, r.Headers = b[header:n], r
			return n, parsed
		}
		if !r.parseField(line, &seen) {
			return 0, unsupported
		}
	}
}

// seenFields are the header fields that were parsed. Only the first of each counts.
type seenFields struct{ host, length, runID, traceparent, origin bool }

// parseField parses a line of the header. It returns false if the line is
// unsupported.
func (r *request) parseField(line []byte, seen *seenFields) (ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !all(line[:colon], &tokenBytes) || !all(line[colon+1:], &valueBytes) {
		return false
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	switch len(name) { // compare with few names only
	case len("Host"):
		if bytes.EqualFold(name, hostName) {
			ok := !seen.host && len(value) > 0 && all(value, &hostBytes)
			seen.host = true
			return ok
		}
	case len("Origin"), len("Upgrade"):
		switch {
		case bytes.EqualFold(name, originName) && !seen.origin:
			r.origin, seen.origin = unsafeString(value), true
		case bytes.EqualFold(name, expectName), bytes.EqualFold(name, upgradeName), bytes.EqualFold(name, trailerName):
			return false
		}
	case len("X-Run-Id"):
		if bytes.EqualFold(name, runIDName) && !seen.runID {
			r.RunID, seen.runID = unsafeString(value), true
		}
	case len("Connection"):
		if bytes.EqualFold(name, connectionName) {
			r.close = r.close || bytes.EqualFold(value, closeOption)
			return r.close || bytes.EqualFold(value, keepAlive)
		}
	case len("Traceparent"):
		if bytes.EqualFold(name, traceparentName) && !seen.traceparent {
			r.Traceparent, seen.traceparent = unsafeString(value), true
		}
	case len("Content-Length"):
		switch {
		case bytes.EqualFold(name, lengthName):
			ok := !seen.length && r.parseLength(value)
			seen.length = true
			return ok
		case bytes.EqualFold(name, settingsName):
			return false
		}
	case len("Transfer-Encoding"):
		return !bytes.EqualFold(name, encodingName)
	}
	return true
}

var (
	hostName        = []byte("Host")
	originName      = []byte("Origin")
	expectName      = []byte("Expect")
	upgradeName     = []byte("Upgrade")
	trailerName     = []byte("Trailer")
	runIDName       = []byte("X-Run-Id")
	connectionName  = []byte("Connection")
	traceparentName = []byte("Traceparent")
	lengthName      = []byte("Content-Length")
	settingsName    = []byte("HTTP2-Settings")
	encodingName    = []byte("Transfer-Encoding")
	keepAlive       = []byte("keep-alive")
	closeOption     = []byte("close")
	version         = []byte(" HTTP/1.1")
)

// nextLine returns the line of b that starts at n, without CRLF, and the start of the
// next line.
func nextLine(b []byte, n int) (line []byte, next int, result parseResult) {
	end := bytes.IndexByte(b[n:], '\n')
	switch {
	case end < 0 && len(b) >= maxHead, end >= 0 && n+end >= maxHead:
		return nil, 0, unsupported
	case end < 0:
		return nil, 0, incomplete
	case end == 0 || b[n+end-1] != '\r':
		return nil, 0, unsupported
	}
	return b[n : n+end-1], n + end + 1, parsed
}

// parseRequestLine parses a request line. It returns false if the line is
// unsupported.
func (r *request) parseRequestLine(line []byte) bool {
	rest, ok := bytes.CutSuffix(line, version)
	if !ok {
		return false
	}
	method, target, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(method) == 0 || !all(method, &tokenBytes) {
		return false
	}
	if len(target) == 0 || target[0] != '/' || !all(target, &targetBytes) {
		return false
	}
	r.Method, r.ProtoMajor = unsafeString(method), 1
	switch r.Method {
	case "OPTIONS", "CONNECT", "TRACE":
		return false
	}
	path, query, _ := bytes.Cut(target, []byte("?"))
	r.Path, r.Query = unsafeString(path), unsafeString(query)
	return true
}

// parseLength parses the value of Content-Length.
func (r *request) parseLength(value []byte) bool {
	if len(value) == 0 || len(value) > 7 {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		r.body = r.body*10 + int64(c-'0')
	}
	return r.body <= maxBody
}

// unsafeString returns b as a string without a copy. The string changes with b.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// byteSet is a set of bytes.
type byteSet [256]bool

// newByteSet returns the set of the bytes in ranges: "az" is a to z.
func newByteSet(ranges ...string) (s byteSet) {
	for _, r := range ranges {
		for c := int(r[0]); c <= int(r[len(r)-1]); c++ {
			s[c] = true
		}
	}
	return s
}

// The bytes in a request's head: tokens and field values of RFC 9110, hosts that
// net/http accepts, and targets that net/url parses unchanged.
var (
	tokenBytes = newByteSet("AZ", "az", "09", "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~")
	valueBytes = newByteSet(" ~", "\t", "\x80\xff")
	hostBytes  = newByteSet("AZ", "az", "09",
		"!", "$", "%", "&", "'", "(", ")", "*", "+", ",", "-", ".", ":", ";", "=", "[", "]", "_", "~")
	targetBytes = newByteSet("!~")
)

// all reports whether all bytes of b are in the set.
func all(b []byte, set *byteSet) bool {
	for _, c := range b {
		if !set[c] {
			return false
		}
	}
	return true
}
