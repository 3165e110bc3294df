package fastlane

import (
	"bytes"
	"time"

	"flash.test/delay-server/delay"
)

// request is a plain request: all that its answer depends on.
type request struct {
	wait time.Duration
	path []byte // part of what was parsed
	last bool   // the client wants the connection closed behind the answer
}

// longest is the most bytes that a plain request has.
const longest = 4 << 10

var (
	begin  = []byte("GET /delay/")
	proto  = []byte(" HTTP/1.1\r\n")
	method = len("GET ")
)

// parse reads the plain request that b begins with, and returns how many bytes
// that takes. It is not ok for whatever is not certain to be one, be it the
// beginning of one, and net/http decides: what parse takes, net/http takes as
// the same request.
func parse(b []byte, telling *names) (r request, n int, ok bool) {
	if !bytes.HasPrefix(b, begin) {
		return r, 0, false
	}
	end := bytes.IndexByte(b, '\n') + 1
	line := b[:end]
	if !bytes.HasSuffix(line, proto) {
		return r, 0, false
	}
	r.path = line[method : end-len(proto)]
	number := r.path[len(begin)-method:]
	if len(number) > 0 && number[len(number)-1] == '/' {
		number = number[:len(number)-1]
	}
	if r.wait, ok = delay.ParseNumber(number); !ok {
		return r, 0, false
	}
	n, r.last, ok = parseHeader(b[:min(len(b), longest)], end, telling)
	return r, n, ok
}

// isCanonical reports whether the delay is written as answers write it.
func (r request) isCanonical() bool {
	var room [32]byte
	number := bytes.TrimSuffix(r.path[len(begin)-method:], []byte("/"))
	return bytes.Equal(delay.AppendMilliseconds(room[:0], r.wait), number)
}

// parseHeader reads the header that begins at n, and returns where it ends. It
// is ok where it has one Host, and nothing that may change the answer. The request
// is the connection's last where one of its options is close.
func parseHeader(b []byte, n int, telling *names) (end int, last, ok bool) {
	host := false
	for {
		length := bytes.IndexByte(b[n:], '\n') + 1
		line := b[n : n+length]
		n += length
		if length < 2 || line[length-2] != '\r' {
			return 0, false, false
		}
		line = line[:length-2]
		if len(line) == 0 {
			return n, last, host
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], &inName) {
			return 0, false, false
		}
		name, value := line[:colon], line[colon+1:]
		switch {
		case len(name) == len("Host") && bytes.EqualFold(name, hostName):
			value = bytes.Trim(value, " ")
			if host || len(value) == 0 || !all(value, &inHost) {
				return 0, false, false
			}
			host = true
		case len(name) == len("Connection") && bytes.EqualFold(name, connectionName):
			option := bytes.Trim(value, " ")
			if bytes.EqualFold(option, closeOption) {
				last = true
			} else if !bytes.EqualFold(option, keepAlive) {
				return 0, false, false
			}
		case !all(value, &inValue) || telling.has(name):
			return 0, false, false
		}
	}
}

var (
	hostName       = []byte("Host")
	connectionName = []byte("Connection")
	keepAlive      = []byte("keep-alive")
	closeOption    = []byte("close")
)

// names are names of headers, by their lengths: those that may change the answer.
type names [24][][]byte

// framing are the headers that net/http has a meaning of its own for.
var framing = []string{"Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "HTTP2-Settings"}

// newNames returns framing and more, each of up to 23 bytes.
func newNames(more []string) *names {
	n := new(names)
	for _, list := range [][]string{framing, more} {
		for _, name := range list {
			n[len(name)] = append(n[len(name)], []byte(name))
		}
	}
	return n
}

func (n *names) has(name []byte) bool {
	if len(name) >= len(n) {
		return false
	}
	for _, of := range n[len(name)] {
		if bytes.EqualFold(of, name) {
			return true
		}
	}
	return false
}

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

// What a plain request's header is made of: RFC 9110's tokens and values, and the
// hosts that net/http accepts. No answer to a plain request depends on its host.
var (
	inName  = newSet("AZ", "az", "09", "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~")
	inValue = newSet(" ~", "\t", "\x80\xff")
	inHost  = newSet("AZ", "az", "09", "!", "$", "%", "&", "'", "(", ")", "*", "+", ",", "-", ".", ":", ";", "=", "[", "]", "_", "~")
)

func all(b []byte, of *set) bool {
	for _, c := range b {
		if !of[c] {
			return false
		}
	}
	return true
}
