//go:build linux

package server

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// preface is the client preface of HTTP/2 with empty settings.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// stream is the bytes that a client sends on a connection.
type stream struct {
	says string // what it tests
	sent string // see cut and replied
	end  end
}

const (
	cut     = "¦"         // a packet ends here
	replied = cut + after // the next packet is sent after a reply
	after   = "¶"

	// runName stands for a unique name of a run, a pool, a barrier or a hold.
	runName = "RUN"
)

// end is what the client does after the last byte.
type end int

const (
	sentinel  end = iota // sends sentinelRequest, after which every server closes the connection
	flood                // sends it many times, which completes a missing body
	silence              // sends nothing: the server times out
	fin                  // closes its side
	closes               // closes the connection once a request of its run waits
	resets               // resets it then
	lastReply            // sends nothing: the server closes the connection after its last request
)

// The replies to a stream come before sentinelReply.
const (
	sentinelRequest = "GET /healthz HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n"
	sentinelReply   = "\r\n\r\nok"
)

// packed returns s in as few packets as possible.
func (s stream) packed() stream {
	packets := strings.Split(s.sent, replied)
	for i, packet := range packets {
		packets[i] = strings.ReplaceAll(packet, cut, "")
	}
	s.sent = strings.Join(packets, replied)
	return s
}

var runs atomic.Int64

// named returns s with a unique name in place of runName. All names have the same
// length, since the tests compare lengths of replies.
func (s stream) named() stream {
	s.sent = strings.ReplaceAll(s.sent, runName, fmt.Sprintf("r%08d", runs.Add(1)))
	return s
}

// whole returns the bytes of s, without packet boundaries.
func (s stream) whole() string {
	return strings.ReplaceAll(strings.ReplaceAll(s.sent, replied, ""), cut, "")
}

// withSentinel returns s with its sentinel, if it has one.
func (s stream) withSentinel(between string) stream {
	switch s.end {
	case sentinel:
		s.sent += between + sentinelRequest
	case flood:
		s.sent += between + strings.Repeat(sentinelRequest, 30)
	}
	return s
}

// request returns a request without a body.
func request(line string, headers ...string) string {
	return strings.Join(append([]string{line}, headers...), "\r\n") + "\r\n\r\n"
}

// get returns a GET with a Host.
func get(path string, headers ...string) string {
	return request("GET "+path+" HTTP/1.1", append([]string{"Host: x"}, headers...)...)
}

// streams returns all streams with the end.
func streams(of end) (all []stream) {
	for _, group := range [][]stream{
		plainStreams(), pipelinedStreams(), pathStreams(), lineStreams(), hostStreams(), connectionStreams(),
		headerStreams(), framingStreams(), bodyStreams(), ownStreams(), foreignStreams(), brokenOffStreams(),
		leavingStreams(), journalStreams(),
		endpointStreams(), queryStreams(), methodStreams(), faultStreams(), mixedStreams(),
	} {
		for _, s := range group {
			if s.end == of {
				all = append(all, s)
			}
		}
	}
	return all
}

func plainStreams() []stream {
	return []stream{
		{"a request", get("/delay/0"), sentinel},
		{"a request that waits", get("/delay/3"), sentinel},
		{"a slash at the end", get("/delay/1/"), sentinel},
		{"headers as curl sends them", get("/delay/0", "User-Agent: curl/8.5.0", "Accept: */*"), sentinel},
		{"headers as a browser sends them", get("/delay/0", `sec-ch-ua: "Chromium";v="140"`, "sec-ch-ua-mobile: ?0",
			"Upgrade-Insecure-Requests: 1", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
			"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Site: none",
			"Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: de,en;q=0.5", "Cookie: a=b; c=d"),
			sentinel},
		{"nothing at all", "", sentinel},
	}
}

func pipelinedStreams() []stream {
	hundred := ""
	for i := range 100 {
		hundred += get(fmt.Sprintf("/delay/0.%02d", i))
	}
	return []stream{
		{"two in one packet", get("/delay/1") + get("/delay/0"), sentinel},
		{"three in one packet, the first waits longest", get("/delay/20") + get("/delay/1") + get("/delay/0"),
			sentinel},
		{"a hundred in one packet", hundred, sentinel},
		{"a hundred in a hundred packets", strings.ReplaceAll(hundred, "GET", cut+"GET")[len(cut):], sentinel},
		{"the second arrives while the first waits", get("/delay/20") + cut + get("/delay/0"), sentinel},
		{"half of the second comes with the first",
			get("/delay/10") + "GET /delay/2 HT" + cut + "TP/1.1\r\nHost: x\r\n\r\n", sentinel},
		{"half of the second comes with the first, which does not wait",
			get("/delay/0") + "GET /delay/2 HT" + cut + "TP/1.1\r\nHost: x\r\n\r\n", sentinel},
		{"a page in the middle", get("/delay/10") + get("/version") + get("/delay/0"), sentinel},
		{"a query in the middle", get("/delay/10") + get("/delay/2?_=17") + get("/delay/1"), sentinel},
		{"a bad delay in the middle", get("/delay/2") + get("/delay/abc") + get("/delay/0"), sentinel},
		{"a body in the middle",
			get("/delay/2") + "POST /delay/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + get("/delay/0"),
			sentinel},
		{"a malformed request in the middle, while the first waits",
			get("/delay/20") + "nonsense\r\n\r\n" + get("/delay/0"), sentinel},
		{"Connection: close before the end", get("/delay/5") + get("/delay/2", "Connection: close") + get("/delay/0"),
			sentinel},
		{"Connection: close before the end, in packets",
			get("/delay/5") + cut + get("/delay/2", "Connection: close") + cut + get("/delay/0"), sentinel},
		{"HTTP/1.0 after HTTP/1.1", get("/delay/5") + request("GET /delay/1 HTTP/1.0") + get("/delay/0"), sentinel},
		{"a blank line between two", get("/delay/1") + "\r\n" + get("/delay/0"), sentinel},
		{"a blank line between two, in a separate packet", get("/delay/1") + cut + "\r\n" + cut + get("/delay/0"),
			sentinel},
		{"the preface of HTTP/2 after a request", get("/delay/1") + preface, sentinel},
	}
}

func pathStreams() []stream {
	var all []stream
	for _, path := range []string{
		"/delay/00", "/delay/007", "/delay/0.5", "/delay/1.", "/delay/.5", "/delay/.", "/delay/", "/delay", "/delay//",
		"//delay/0", "/delay//0", "/delay/0//", "/delay/0/.", "/delay/../delay/0", "/Delay/0", "/delay/0/x",
		"/delay/%30", "/delay/0%2F", "/d%65lay/0", "/delay/0%20", "/delay/%", "/delay/0%zz", "/delay/-1", "/delay/-0",
		"/delay/+1", "/delay/1e0", "/delay/0x1", "/delay/1_0", "/delay/1,5", "/delay/1.5.5", "/delay/0.000001",
		"/delay/0.0000001", "/delay/0.0000009999",
		"/delay/1.25", "/delay/1.50", "/delay/01.10/", "/delay/2ms", "/delay/0s", "/delay/NaN", "/delay/Inf",
		"/delay/600001", "/delay/600000.000001", "/delay/99999999999999999999",
		"/delay/" + strings.Repeat("0", 400), "/delay/0." + strings.Repeat("0", 400),
		"/delay/" + strings.Repeat("0", 9000), "/delay/0." + strings.Repeat("1", 30),
		"/delay/9223372036855", "/delay/9223372036854.775808", "/delay/18446744073709.551616", "/delay/0?",
		"/delay/0/?", "/delay/0?run=r", "/delay/0?status=503", "/delay/0?stauts=503", "/delay/0#", "/delay/0#x",
		"/delay/0;x", "/delay/0&x", "/delay/0:", "/delay/0@",
		"/delay/0\\", "/delay/0\"", "/delay/0|", "/delay/0^", "/delay/0\x00", "/delay/0\x01", "/delay/0\x7f",
		"/delay/0\x80", "/delay/0é", "/delay/\u0660", "/delay/０", "delay/0", "*", "", "/", "?", "#",
		"http://x/delay/0", "http://x/delay/0/", "HTTP://y:80/delay/0", "http:///delay/0", "http:/delay/0",
		"x:/delay/0", "//x/delay/0", "https://x/delay/0",
		"/nothing", "/delay/0/url/example.com", "/status/418", "/bytes/3?seed=1",
	} {
		all = append(all, stream{fmt.Sprintf("path %.40q", path), get(path), sentinel})
	}
	return all
}

func lineStreams() []stream {
	var all []stream
	for _, line := range []string{
		"GET /delay/0 HTTP/1.0", "GET /delay/0 HTTP/1.2", "GET /delay/0 HTTP/2.0", "GET /delay/0 HTTP/2",
		"GET /delay/0 HTTP/0.9", "GET /delay/0 HTTP/3.0", "GET /delay/0 http/1.1", "GET /delay/0 HTTP/1.1 ",
		"GET /delay/0 HTTP/1.10", "GET /delay/0 HTTP/01.1", "GET /delay/0 HTTP/1.1x", "GET /delay/0 HTTP/11",
		"GET /delay/0 HTTP/1,1", "GET /delay/0 HTTPS/1.1",
		"GET /delay/0", "GET /delay/0 ", "GET", "GET ", " GET /delay/0 HTTP/1.1", "GET  /delay/0 HTTP/1.1",
		"GET /delay/0  HTTP/1.1", "GET\t/delay/0 HTTP/1.1", "GET /delay/0\tHTTP/1.1", "GET /delay/0 HTTP/1.1\t",
		"GET /delay/0 x HTTP/1.1", "GET /delay/0 HTTP/1.1\r", "GET /delay/0\r HTTP/1.1",
		"GET /delay/0 HTTP/1.1\x00", "\x00GET /delay/0 HTTP/1.1", "GET\x00 /delay/0 HTTP/1.1",
		"get /delay/0 HTTP/1.1", "Get /delay/0 HTTP/1.1", "GETX /delay/0 HTTP/1.1", "GE /delay/0 HTTP/1.1",
		"HEAD /delay/0 HTTP/1.1", "POST /delay/0 HTTP/1.1", "PUT /delay/1/ HTTP/1.1", "OPTIONS /delay/0 HTTP/1.1",
		"DELETE /delay/0 HTTP/1.1", "TRACE /delay/0 HTTP/1.1", "CONNECT /delay/0 HTTP/1.1", "CONNECT x:80 HTTP/1.1",
		"BREW /delay/0 HTTP/1.1", "G@T /delay/0 HTTP/1.1", "PRI * HTTP/2.0",
	} {
		all = append(all, stream{fmt.Sprintf("line %q", line), request(line, "Host: x"), sentinel})
	}
	line := "GET /delay/0 HTTP/1.1"
	return append(all,
		stream{"bare line feeds", line + "\nHost: x\n\n", sentinel},
		stream{"a bare line feed behind the line", line + "\nHost: x\r\n\r\n", sentinel},
		stream{"a bare line feed behind a header", line + "\r\nHost: x\n\r\n", sentinel},
		stream{"a bare line feed at the end", line + "\r\nHost: x\r\n\n", sentinel},
		stream{"bare line feeds, pipelined", get("/delay/2") + line + "\nHost: x\n\n" + get("/delay/0"), sentinel},
		stream{"bare carriage returns", line + "\rHost: x\r\r", sentinel},
		stream{"a bare carriage return in a header", line + "\r\nHost: x\r\nA: b\rc\r\n\r\n", sentinel},
		stream{"two carriage returns before a line feed", line + "\r\r\nHost: x\r\n\r\n", sentinel},
		stream{"two carriage returns at the end", line + "\r\nHost: x\r\n\r\r\n", sentinel},
		stream{"a blank line first", "\r\n" + get("/delay/0"), sentinel},
		stream{"a blank line first, in a separate packet", "\r\n" + cut + get("/delay/0"), sentinel},
		stream{"two blank lines first", "\r\n\r\n" + get("/delay/0"), sentinel},
		stream{"a bare line feed first", "\n" + get("/delay/0"), sentinel},
		stream{"a space first", " " + get("/delay/0"), sentinel},
		stream{"no headers", line + "\r\n\r\n", sentinel},
		stream{"a line of 70 KB", request("GET /" + strings.Repeat("x", 70_000) + " HTTP/1.1"), sentinel},
	)
}

func hostStreams() []stream {
	var all []stream
	for _, host := range []string{
		"", " ", "x", "x:", "x:80", "x:port", "127.0.0.1:1", "[::1]:80", "[::1", "a b", "a\tb", "a/b", "a@b", "a,b",
		"a\"b", "é", "\x80", "a\x00b", "%41", "X_Y", "-", "*", "a?b", "a#b", "a;b", "<", strings.Repeat("h", 300),
	} {
		all = append(all, stream{fmt.Sprintf("host %.20q", host), request("GET /delay/0 HTTP/1.1", "Host: "+host),
			sentinel})
	}
	line := "GET /delay/0 HTTP/1.1"
	return append(all,
		stream{"no space behind Host:", request(line, "Host:x"), sentinel},
		stream{"spaces and tabs around the host", request(line, "Host: \t x \t "), sentinel},
		stream{"host in lower case", request(line, "host: x"), sentinel},
		stream{"HOST in upper case", request(line, "HOST: x"), sentinel},
		stream{"Host as the last header", request(line, "Accept: */*", "Host: x"), sentinel},
		stream{"no host", request(line, "Accept: */*"), sentinel},
		stream{"the same host twice", request(line, "Host: x", "Host: x"), sentinel},
		stream{"two hosts", request(line, "Host: x", "host: y"), sentinel},
		stream{"two hosts, apart", request(line, "Host: x", "Accept: */*", "HoSt: y"), sentinel},
		stream{"two empty hosts", request(line, "Host:", "Host:"), sentinel},
		stream{"a folded host", request(line, "Host: x", " y"), sentinel},
		stream{"no host in absolute form", request("GET http://x/delay/0 HTTP/1.1"), sentinel},
		stream{"no host in HTTP/1.0", request("GET /delay/0 HTTP/1.0"), sentinel},
		stream{"a space before the colon of Host", request(line, "Host : x"), sentinel},
	)
}
