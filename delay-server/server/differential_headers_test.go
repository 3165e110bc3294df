//go:build linux

package server

import (
	"fmt"
	"strings"
)

// connectionStreams have headers with an effect on the connection.
func connectionStreams() []stream {
	var all []stream
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		for _, header := range []string{
			"Connection: close", "connection: close", "CONNECTION: CLOSE", "Connection: Close", "Connection:close",
			"Connection: \tclose\t ", "Connection: close,", "Connection: ,close", "Connection: close, TE",
			"Connection: TE, close", "Connection: keep-alive, close", "Connection: close;", "Connection: \"close\"",
			"Connection: closed", "Connection: xclose", "Connection: close x",
			"Connection: keep-alive", "Connection: Keep-Alive", "Connection: KEEP-ALIVE", "Connection: keep-alive, TE",
			"Connection: keep-alive,", "Connection: TE", "Connection: te, trailers", "Connection: upgrade",
			"Connection: Host", "Connection:", "Connection: ,", "Connection: \x80", "Connection : close",
			"Connection: close\r\nConnection: keep-alive", "Connection: keep-alive\r\nConnection: close",
			"Connection: x\r\nAccept: */*\r\nconnection: close", "Connection: keep-alive\r\n close",
			"Connection:\r\n close",
			"Keep-Alive: timeout=5, max=1", "Proxy-Connection: close", "Proxy-Connection: keep-alive", "TE: trailers",
			"Trailer: X", "Upgrade: h2c", "Upgrade: websocket\r\nConnection: Upgrade",
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
			"X-Connection: close", "Connection2: close", "Connectio: close",
		} {
			all = append(all, stream{fmt.Sprintf("%s %q", version, header), request("GET /delay/1 "+version, "Host: x",
				header) + get("/delay/0"), sentinel})
		}
	}
	return all
}

func headerStreams() []stream {
	var all []stream
	for _, header := range []string{
		"A:", "A: ", "A:b", "A : b", "A\t: b", " A: b", "\tA: b", "A: b\r\n c", "A: b\r\n\tc", "A: b\r\n ",
		"A: b\r\n\t\r\n d", ":", ": b", "A", "A b", "=", "A: b: c", "A:: b", "A: \"b", "A(: b", "A/: b", "A@: b",
		"A\x00: b", "A: b\x00", "A: \x00", "A: \x01", "A: \x1f", "A: \t", "A: \x7f", "A: \x80\xff", "A: é",
		"A\x80: b", "Ä: b", "\x7f: b", "A: b\x0bc", "A: b\x0c", "!#$%&'*+-.^_`|~09: b", "A-: b", "-: b", "_: b",
		"a_b: c", "1: 2", "A: b\r\na: c", "\x00", "A: b\n c", "A: b\nC: d", "\r: b", "A: \r", "A: b\r\r",
		"Authorization: Bearer secret", "Cookie: a=b", "Cookie: a=b\r\nCookie: c=d", "Range: bytes=0-1",
		"If-None-Match: *", "If-Modified-Since: Mon, 01 Jan 2035 00:00:00 GMT", "Accept-Encoding: gzip",
		"Accept: application/json", "Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4",
		"X-Forwarded-Proto: https", "X-Forwarded-Host: y", "X-Real-Ip: 1.2.3.4", "X-Http-Method-Override: POST",
		"X-Original-Url: /version", "Max-Forwards: 0", "Via: 1.0 y", "Date: x", "Server-Timing: waited;dur=1",
		"Pragma: no-cache", "Cache-Control: only-if-cached", "Priority: u=0", "Early-Data: 1",
	} {
		all = append(all, stream{fmt.Sprintf("header %q", header), get("/delay/0", header), sentinel},
			stream{fmt.Sprintf("header %q before Host", header), request("GET /delay/0 HTTP/1.1", header, "Host: x"),
				sentinel})
	}
	var thousand []string
	for i := range 1000 {
		thousand = append(thousand, fmt.Sprintf("X-%d: %d", i, i))
	}
	return append(all,
		stream{"a header of 8 KB", get("/delay/0", "A: "+strings.Repeat("x", 8<<10)), sentinel},
		stream{"a name of 8 KB", get("/delay/0", strings.Repeat("x", 8<<10)+": a"), sentinel},
		stream{"a header of 70 KB", get("/delay/0", "A: "+strings.Repeat("x", 70_000)), sentinel},
		stream{"a header of 70 KB after a waiting request", get("/delay/10") + get("/delay/0",
			"A: "+strings.Repeat("x", 70_000)) + get("/delay/1"), sentinel},
		stream{"a header of 1.1 MB", get("/delay/0", "A: "+strings.Repeat("x", 1_100_000)), sentinel},
		stream{"1000 headers", get("/delay/0", thousand...), sentinel},
		stream{"1000 headers of one name", get("/delay/0", strings.Repeat("A: b\r\n", 999)+"A: b"), sentinel},
		stream{"4095 bytes", padded(4095), sentinel},
		stream{"4096 bytes", padded(4096), sentinel},
		stream{"4097 bytes", padded(4097), sentinel},
		stream{"requests over many reads", strings.Repeat(padded(1000), 20), sentinel},
	)
}

// padded is a request of n bytes.
func padded(n int) string {
	return get("/delay/0", "A: "+strings.Repeat("x", n-len(get("/delay/0", "A: "))))
}

// framingStreams have headers about a body.
func framingStreams() []stream {
	var all []stream
	for _, header := range []string{
		"Content-Length: 0", "Content-Length: 00", "Content-Length:", "Content-Length: +0", "Content-Length: -1",
		"Content-Length: 0x0", "Content-Length: a", "Content-Length: 5 5", "Content-Length: 5, 5",
		"Content-Length: 99999999999999999999", "Content-Length: 2000000", "Content-Length: 05",
		"Content-Length: +5", "Content-Length: 5.0", "Content-Length: 5e0", "Content-Length: 1048577",
		"Content-Length: 9223372036854775807", "Content-Length: 9223372036854775808", "Content-Length: 5\r\n ",
		"Content-Length:5", "Content-Length: \t5\t",
		"Content-Length: 0\r\nContent-Length: 0", "Content-Length: 5\r\nContent-Length: 5",
		"Content-Length: 0\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 05", "content-length: 5",
		"Content-Length: 5", "Content-Length : 5", "Content-Length: 5\r\nExpect: 100-continue",
		"Expect: 100-continue", "Expect: 100-Continue", "Expect: tea", "Expect:",
		"Content-Length: 0\r\nExpect: 100-continue",
		"Transfer-Encoding: chunked", "transfer-encoding: CHUNKED", "Transfer-Encoding:", "Transfer-Encoding: identity",
		"Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: \x0bchunked",
		"Transfer-Encoding : chunked", "Content-Type: text/plain", "Content-Encoding: gzip",
		"Trailer: A\r\nTransfer-Encoding: chunked",
	} {
		for _, method := range []string{"GET", "POST"} {
			body := "hello"
			if strings.Contains(strings.ToLower(header), "chunked") {
				body = "5\r\nhello\r\n0\r\n\r\n"
			}
			ask := request(method+" /delay/1 HTTP/1.1", "Host: x", header)
			all = append(all,
				stream{fmt.Sprintf("%s %q, a body", method, header), ask + body + get("/delay/0"), sentinel},
				stream{fmt.Sprintf("%s %q, a body in a packet of its own", method, header),
					ask + cut + body + cut + get("/delay/0"), sentinel},
				stream{fmt.Sprintf("%s %q, no body", method, header), ask + get("/delay/0"), sentinel},
			)
		}
	}
	return append(all,
		stream{"a body that nothing announces", get("/delay/0") + "hello", sentinel},
		stream{"an additional line end after a body",
			"POST /delay/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\r\n" + get("/delay/1"), sentinel},
		stream{"a body after a waiting request", get("/delay/20") +
			"POST /delay/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n" + cut + "hello" + get("/delay/1"),
			sentinel},
	)
}

// ownStreams have headers that delay-server reads.
func ownStreams() []stream {
	var all []stream
	for _, header := range []string{
		"X-Run-Id: RUN", "x-run-id: RUN", "X-Run-Id:", "X-Run-Id: a b", "X-Run-Id: " + strings.Repeat("r", 300),
		"X-Run-Id: \x80", "X-Run-Id: RUN\r\nX-Run-Id: s", "X-Run-Id: \r\nX-Run-Id: RUN",
		"X-Run-Id: a b\r\nX-Run-Id: RUN", "X-Run-Id:RUN\t", "X-Run-Id: RUN\r\n s", "X-Run-Ids: r", "X-Run-I: r",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "Traceparent: nonsense",
		"Traceparent:", "Tracestate: a=b", "Baggage: a=b",
		"Origin: https://a.example", "origin: https://A.example", "Origin: https://b.example", "Origin: null",
		"Origin: none", "Origin:", "Origin: *", "Origin: https://a.example\r\nOrigin: https://b.example",
		"Origin:https://a.example \t", "Origin: \x80", "Access-Control-Request-Method: GET",
		"Access-Control-Request-Headers: x", "Sec-Fetch-Mode: cors", "Referer: https://a.example/",
	} {
		all = append(all, stream{fmt.Sprintf("steering %.60q", header), get("/delay/0", header) + get("/delay/1"),
			sentinel})
	}
	return append(all,
		stream{"a preflight", request("OPTIONS /delay/600000 HTTP/1.1", "Host: x", "Origin: https://a.example",
			"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-run-id") + get("/delay/0",
			"Origin: https://a.example"), sentinel},
		stream{"an origin behind a request that waits", get("/delay/10") + get("/delay/0", "Origin: https://a.example"),
			sentinel},
	)
}

// journalStreams have what the journal records, besides the endpoints.
func journalStreams() []stream {
	var all []stream
	for _, headers := range [][]string{
		{"User-Agent: a/1", "Idempotency-Key: k"}, {"user-agent:a/1\t", "IDEMPOTENCY-KEY: k", "Idempotency-Key: l"},
		{"User-Agent:", "Idempotency-Key: \t "}, {"User-Agent: " + strings.Repeat("é", 150)},
		{"User-Agent: \x80\xff " + strings.Repeat("\x80", 300)}, {"Idempotency-Key: \xc2\xa0k\xc2\xa0"},
	} {
		headers = append(headers, "X-Run-Id: RUN", "Cookie: a=b")
		all = append(all,
			stream{fmt.Sprintf("recorded %.60q", headers), get("/delay/1", headers...), sentinel},
			stream{fmt.Sprintf("recorded %.60q with a body that comes later", headers),
				strings.Replace(post("/delay/1?a=b", "hello", headers...), "hello", "he"+cut+"llo", 1), sentinel})
	}
	for _, path := range []string{
		"/delay/1?run=RUN&a=" + strings.Repeat("b", 300), "/delay/1?run=RUN&a=%20+%zz", "/delay/1?run=RUN&",
		"/status/503?run=RUN", "/status/503?retry_after=7s&run=RUN",
		"/delay/1?header=Retry-After:soon&run=RUN",
		"/delay/abc?run=RUN", "/delay/1?run=RUN&status=1", "/delay/1?run=RUN&x=%zz", "/delay/abc?run=a%20b",
		"/delay/abc?run=RUN&run=RUN", "/drip?numbytes=x&run=RUN", "/delay/1?run=RUN&fail_first=x",
	} {
		all = append(all,
			stream{"recorded twice: " + path, get(path) + get("/healthz") + get(path), sentinel},
			stream{"recorded with a body: " + path, post(path, "hello"), sentinel},
			stream{"recorded with a body that comes later: " + path,
				strings.Replace(post(path, "hello"), "hello", "he"+cut+"llo", 1) + get(path), sentinel})
	}
	return append(all,
		stream{"an invalid request of a run in the header", get("/delay/abc?run=s", "X-Run-Id: RUN"), sentinel},
		stream{"an invalid request of HTTP/1.0", request("GET /delay/abc?run=RUN HTTP/1.0"), lastReply},
		stream{"an invalid request, the last", get("/delay/abc?run=RUN", "Connection: close"), lastReply},
	)
}

// foreignStreams are not HTTP/1.1. See TestH2C for HTTP/2, which has frames in any order.
func foreignStreams() []stream {
	return []stream{
		{"garbage", "\xde\xad\xbe\xef\r\n\r\n", sentinel},
		{"NUL bytes", strings.Repeat("\x00", 100), sentinel},
		{"a line of NUL bytes", strings.Repeat("\x00", 100) + "\r\n\r\n", sentinel},
		{"line feeds alone", strings.Repeat("\n", 10), sentinel},
		{"a client hello of TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\xc0", 160),
			sentinel},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", sentinel},
		{"the preface of HTTP/2 behind a reply", get("/delay/1") + replied + preface + get("/delay/0"), sentinel},
		{"a preface that goes wrong", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", sentinel},
		{"PROXY protocol", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get("/delay/0"), sentinel},
	}
}

// brokenOffStreams end in the middle of a request.
func brokenOffStreams() []stream {
	var all []stream
	for _, sent := range []string{
		"", "G", "GET", "GET ", "GET /delay/0", "GET /delay/0 HTTP/1.1", "GET /delay/0 HTTP/1.1\r",
		"GET /delay/0 HTTP/1.1\r\n", "GET /delay/0 HTTP/1.1\r\nHost: x", "GET /delay/0 HTTP/1.1\r\nHost: x\r\n",
		"GET /delay/0 HTTP/1.1\r\nHost: x\r\n\r", "\r\n", "\n", "PRI * HTTP/2.0\r\n",
		"POST /delay/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
		"GET /delay/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", "\x16\x03\x01",
	} {
		all = append(all,
			stream{fmt.Sprintf("%q, then nothing", sent), sent, silence},
			stream{fmt.Sprintf("a reply, then %q, then nothing", sent), get("/delay/1") + replied + sent, silence},
			stream{fmt.Sprintf("a request and %q in one packet, then nothing", sent), get("/delay/1") + sent, silence},
			stream{fmt.Sprintf("%q, then the end", sent), sent, fin},
		)
	}
	return all
}

// leavingStreams end with a client that leaves while a request waits. For net/http, a
// FIN means that. If the request does not wait, net/http may answer or not, so there is
// no row.
func leavingStreams() []stream {
	all := []stream{
		{"the client leaves two requests in one packet", get("/delay/500000") + get("/delay/0"), fin},
		{"the client leaves a second request", get("/delay/1") + replied + get("/delay/500000"), fin},
		{"the client leaves between requests", get("/delay/1") + replied, fin},
		{"the client leaves in the middle of a body", get("/drip?delay=0&duration=500&run=RUN") + replied, fin},
		{"the client leaves between events", get("/sse?first=0&duration=500&run=RUN") + replied, fin},
		{"the client leaves before a body", get("/delay/0?body_delay=500s&run=RUN") + replied, fin},
		{"the client leaves in the middle of a body, for good", get("/drip?delay=0&duration=500&run=RUN") + replied,
			closes},
		{"the client leaves between events, for good", get("/sse?first=0&duration=500&run=RUN") + replied, closes},
		{"the client leaves before a body, for good", get("/delay/0?body_delay=500s&run=RUN") + replied, closes},
		{"the client leaves a slow body", get("/delay/0?size=100000&rate=1&run=RUN") + replied, closes},
		{"the client leaves an answer that it does not read", get("/delay/0?size=50000000&run=RUN") + replied, closes},
		{"the client leaves bytes that it does not read", get("/bytes/50000000?seed=1&run=RUN") + replied, closes},
	}
	for _, ask := range []string{
		get("/delay/500000"), get("/delay/500000?run=RUN"), get("/delay/500000", "X-Run-Id: RUN"),
		get("/delay/500s?run=RUN"), get("/delay/uniform:500s,550s?seed=1&run=RUN"),
		get("/delay/500000?status=503&size=10&rate=1&run=RUN"),
		get("/delay/500000/url/example.com", "X-Run-Id: RUN"),
		get("/delay/500000?pool=RUN&workers=1&run=RUN"), get("/barrier/RUN?parties=2&run=RUN"),
		get("/hold/RUN?run=RUN"), get("/drip?delay=500&run=RUN"), get("/sse?delay=500&run=RUN"),
		get("/status/200?delay=500&run=RUN"), get("/bytes/10?delay=500&seed=1&run=RUN"),
		get("/delay/0?fault=hang&run=RUN"), get("/delay/500000?fault=reset&run=RUN"),
		request("HEAD /delay/500000?run=RUN HTTP/1.1", "Host: x"), request("POST /delay/500000?run=RUN HTTP/1.1",
			"Host: x", "Content-Length: 5") + "hello", request("GET /delay/500000?run=RUN HTTP/1.0"),
		get("/delay/500000?run=RUN", "Connection: close"),
		get("/delay/500000?run=RUN") + get("/delay/0?run=RUN") + "GET /del",
	} {
		all = append(all, stream{fmt.Sprintf("the client closes its side of %.60q", ask), ask, fin})
		if strings.Contains(ask, runName) {
			all = append(all, stream{fmt.Sprintf("the client leaves %.60q", ask), ask, closes})
		}
	}
	return all
}
