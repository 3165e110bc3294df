package eventloop

import (
	"bytes"
	"strings"
	"unsafe"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/plan"
)

// request is a request whose answer may come of the loop. Its strings alias what
// was parsed.
type request struct {
	plan.Request
	origin string
	body   int64 // Content-Length
	close  bool  // the client wants the connection closed behind the answer

	arrived clock.Timestamp
	plan    *plan.Plan
	run     string // a copy
}

// clone returns r with its own copies of the strings that its flow needs.
func (r *request) clone() *request {
	c := *r
	c.Request = plan.Request{Method: strings.Clone(r.Method), Path: strings.Clone(r.Path)}
	c.origin = strings.Clone(r.origin)
	return &c
}

// verdict is what parse makes of a request's head.
type verdict int

const (
	certain    verdict = iota
	incomplete         // and right so far
	uncertain          // net/http is to decide
)

// maxHead is the most bytes of a request line and a header.
const maxHead = 8 << 10

// maxBody is the most bytes of a request's body: net/http refuses more.
const maxBody = 1 << 20

// parse reads the head that b begins with, and returns its length. What parse
// calls certain, net/http reads as the same request.
func (r *request) parse(b []byte) (n int, is verdict) {
	line, n, is := nextLine(b, 0)
	if is != certain {
		return 0, is
	}
	if !r.parseRequestLine(line) {
		return 0, uncertain
	}
	var host, length, runID, traceparent, origin bool // have come: only the first of each counts
	for {
		if line, n, is = nextLine(b, n); is != certain {
			return 0, is
		}
		if len(line) == 0 {
			if !host {
				return 0, uncertain
			}
			return n, certain
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], &inName) || !all(line[colon+1:], &inValue) {
			return 0, uncertain
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		ok := true
		switch len(name) { // of few names
		case len("Host"):
			if bytes.EqualFold(name, hostName) {
				ok = !host && len(value) > 0 && all(value, &inHost)
				host = true
			}
		case len("Origin"): // and of Expect
			switch {
			case bytes.EqualFold(name, expectName):
				ok = false
			case bytes.EqualFold(name, originName) && !origin:
				r.origin, origin = alias(value), true
			}
		case len("Upgrade"): // and of Trailer
			ok = !bytes.EqualFold(name, upgradeName) && !bytes.EqualFold(name, trailerName)
		case len("X-Run-Id"):
			if bytes.EqualFold(name, runIDName) && !runID {
				r.RunID, runID = alias(value), true
			}
		case len("Connection"):
			if bytes.EqualFold(name, connectionName) {
				r.close = r.close || bytes.EqualFold(value, closeOption)
				ok = r.close || bytes.EqualFold(value, keepAlive)
			}
		case len("Traceparent"):
			if bytes.EqualFold(name, traceparentName) && !traceparent {
				r.Traceparent, traceparent = alias(value), true
			}
		case len("Content-Length"): // and of HTTP2-Settings
			switch {
			case bytes.EqualFold(name, lengthName):
				ok = !length && r.parseLength(value)
				length = true
			case bytes.EqualFold(name, settingsName):
				ok = false
			}
		case len("Transfer-Encoding"):
			ok = !bytes.EqualFold(name, encodingName)
		}
		if !ok {
			return 0, uncertain
		}
	}
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

// nextLine returns the line that begins at n, without its end, and where the next
// begins.
func nextLine(b []byte, n int) (line []byte, next int, is verdict) {
	end := bytes.IndexByte(b[n:], '\n')
	switch {
	case end < 0 && len(b) >= maxHead, end >= 0 && n+end >= maxHead:
		return nil, 0, uncertain
	case end < 0:
		return nil, 0, incomplete
	case end == 0 || b[n+end-1] != '\r':
		return nil, 0, uncertain
	}
	return b[n : n+end-1], n + end + 1, certain
}

// parseRequestLine reads the method and the target of a request that an endpoint
// that waits may answer.
func (r *request) parseRequestLine(line []byte) bool {
	rest, ok := bytes.CutSuffix(line, version)
	if !ok {
		return false
	}
	method, target, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(target) == 0 || target[0] != '/' || !all(target, &inTarget) || !all(method, &inName) || len(method) == 0 {
		return false
	}
	r.Method, r.ProtoMajor = alias(method), 1
	switch r.Method {
	case "OPTIONS", "CONNECT", "TRACE":
		return false
	}
	path, query, _ := bytes.Cut(target, []byte("?"))
	r.Path, r.Query = alias(path), alias(query)
	return true
}

// parseLength reads Content-Length.
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

// alias returns b as a string that changes with it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// set is a set of bytes.
type set [256]bool

func newSet(ranges ...string) (s set) {
	for _, r := range ranges {
		for c := int(r[0]); c <= int(r[len(r)-1]); c++ {
			s[c] = true
		}
	}
	return s
}

// What the head of a request is made of: RFC 9110's tokens and values, the hosts
// that net/http accepts, and targets that net/url reads as they are.
var (
	inName   = newSet("AZ", "az", "09", "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~")
	inValue  = newSet(" ~", "\t", "\x80\xff")
	inHost   = newSet("AZ", "az", "09", "!", "$", "%", "&", "'", "(", ")", "*", "+", ",", "-", ".", ":", ";", "=", "[", "]", "_", "~")
	inTarget = newSet("!~")
)

func all(b []byte, of *set) bool {
	for _, c := range b {
		if !of[c] {
			return false
		}
	}
	return true
}
