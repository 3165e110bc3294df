//go:build linux

package server

import (
	"fmt"
	"strings"
)

// differentialScenario has routes of each kind, and one that replaces an endpoint.
const differentialScenario = `routes:
  - {path: /delay/0, status: 418, body: a teapot}
  - {method: GET, path: '/s/{id}', delay: 1ms, json: {id: 7}, headers: {X-A: b}}
  - {method: POST, path: '/s/{id}', delay: 2ms, status: 201}
  - {path: '/s/rest/{rest...}', size: 100, rate: 50}
  - {path: /s/weighted, status: '503:100', body: none}
  - {path: /s/fails, fail_first: 1, body: at last}
  - path: /s/script
    body: at last
    attempts: [503, {status: 429, headers: {X-A: b}}, {hold: {name: s, timeout: 1ms}}, {}]
  - {path: /s/pool, delay: 1ms, pool: {name: p, workers: 1000}}
  - {path: /s/limit, limit: {rate: 1000000/s, burst: 10000}, body: within}
  - {path: /s/barrier, barrier: {name: b, parties: 1}, body: passed}
  - {path: /s/truncated, fault: truncate, body: half of it}
  - {path: /s/reset, fault: reset}
  - {path: /s/later, body_delay: 2ms, body: later}
  - {path: /s/none, status: 204}
`

// endpointStreams have valid and invalid requests of each endpoint that waits.
func endpointStreams() []stream {
	var all []stream
	for _, path := range []string{
		"/delay/0/url/example.com", "/delay/1/url/http://example.com/a?b=c", "/delay/1/url/http:/example.com",
		"/delay/1/url/%2f%2fexample.com", "/delay/1/url/", "/delay/1/url/ftp://x", "/delay/abc/url/example.com",
		"/delay/1/url/example.com?run=RUN&status=301", "/delay/1/proxy/example.com", "/delay/1/proxy/",
		"/drip?delay=0&duration=0&numbytes=5&run=RUN", "/drip?delay=0&duration=0.004&numbytes=5&run=RUN",
		"/drip?delay=1ms&duration=2ms&numbytes=3&code=404&run=RUN", "/drip?delay=0&duration=0&numbytes=0",
		"/drip?delay=0&numbytes=1&duration=0&run=RUN", "/drip?delay=0&numbytes=1&duration=1ms",
		"/drip?delay=0&duration=0&code=204&run=RUN", "/drip?delay=0&duration=0&numbytes=70000&run=RUN",
		"/drip?delay=0&duration=0&size=3", "/drip/", "/drip?code=99&delay=0",
		"/sse?count=1&run=RUN", "/sse?count=3&duration=0.004&run=RUN", "/sse?count=3&interval=1ms&first=1ms&run=RUN",
		"/sse?count=300&interval=0&run=RUN", "/sse?count=4&duration=4ms&jitter=0.5&seed=3&run=RUN",
		"/sse?count=2&interval=uniform:0,2ms&seed=3&run=RUN", "/sse?count=0", "/sse?count=1&status=500&run=RUN",
		"/sse?count=1&body_delay=1ms&run=RUN", "/sse?count=2&interval=0&rate=100&run=RUN",
		"/status/200?run=RUN", "/status/204?run=RUN", "/status/205?run=RUN", "/status/304?run=RUN",
		"/status/418?run=RUN", "/status/599", "/status/600", "/status/100", "/status/099",
		"/status/200:1,503:2?seed=5&run=RUN", "/status/500?delay=1ms&run=RUN",
		"/status/301?header=Location:/x&run=RUN", "/status/", "/status/401?size=10&rate=100&run=RUN",
		"/bytes/0?run=RUN", "/bytes/1?seed=1&run=RUN", "/bytes/2047?seed=1&run=RUN", "/bytes/2049?seed=1&run=RUN",
		"/bytes/5000?seed=-1&run=RUN", "/bytes/100000?seed=2&run=RUN", "/bytes/-1", "/bytes/abc",
		"/bytes/200000000", "/bytes/10?seed=1&size=5", "/bytes/100?seed=1&delay=1ms&rate=100&status=206&run=RUN",
		"/barrier/RUN?parties=1&run=RUN", "/barrier/RUN?parties=1&delay=1ms&status=201&run=RUN",
		"/barrier/RUN?parties=2&timeout=2ms&run=RUN", "/barrier/RUN?parties=0", "/barrier/RUN",
		"/barrier/?parties=1", "/barrier/RUN/?parties=1&run=RUN", "/barrier/RUN?parties=1&size=10&run=RUN",
		"/barrier/a%20b?parties=1", "/barrier/RUN?parties=1&timeout=x",
		"/hold/RUN?timeout=2ms&run=RUN", "/hold/RUN?timeout=1ms&status=418&run=RUN", "/hold/RUN/?timeout=1ms&run=RUN",
		"/hold/RUN?timeout=0", "/hold/RUN?timeout=1h", "/hold/", "/hold/a%20b",
		"/s/1", "/s/2?run=RUN", "/s/a%2Fb", "/s/rest/a/b", "/s/weighted", "/s/pool", "/s/limit", "/s/barrier",
		"/s/later", "/s/none", "/s/truncated", "/s/reset", "/s",
	} {
		all = append(all,
			stream{"GET " + path, get(path) + get("/delay/0?run=RUN"), sentinel},
			stream{"GET in a run by its header " + path,
				get(path, "X-Run-Id: RUN", "Origin: https://a.example") + get("/delay/0"), sentinel},
			stream{"HEAD " + path, request("HEAD "+path+" HTTP/1.1", "Host: x") + get("/delay/1"), sentinel},
			stream{"HTTP/1.0 " + path, request("GET " + path + " HTTP/1.0"), lastReply},
			stream{"the last, " + path, get(path, "Connection: close"), lastReply},
		)
	}
	return all
}

// queryStreams have valid and invalid queries of /delay.
func queryStreams() []stream {
	var all []stream
	for _, query := range []string{
		"", "run=RUN", "run=", "run=a+b", "run=%52UN", "run=RUN&run=RUN", "%72un=RUN", "_=17", "_=17&_=18&utm=a",
		"a%0D%0Ab=c", "%00=1", "=", "&", "&&", "a", "=b", "run=RUN&", "&run=RUN", "run=RUN;x=1", "run=RUN#x",
		"run=%zz", "run=RUN?status=503", "stauts=503", "Status=503", "status=503&status=504",
		"status=201&run=RUN", "status=204&run=RUN", "status=205&run=RUN", "status=304&run=RUN",
		"status=503:100&run=RUN", "status=503:50&seed=1&run=RUN", "status=500:10,503:20,404:30&seed=9&run=RUN",
		"status=", "status=abc", "status=99", "status=200:101", "status=599",
		"status=302&header=Location:http://x/&run=RUN",
		"size=0&run=RUN", "size=1&run=RUN", "size=66&run=RUN", "size=2048&run=RUN", "size=5000&run=RUN",
		"size=40000&run=RUN", "size=-1", "size=abc", "size=200000000", "size=+1", "size=007&run=RUN",
		"header=X-A:b&run=RUN", "header=X-A:b&header=x-a:c&run=RUN", "header=Content-Type:text/html&run=RUN",
		"header=Cache-Control:no-store&header=ETag:%22a%22&run=RUN", "header=Server-Timing:db;dur=5",
		"header=Server-Timing:db%3Bdur%3D5&run=RUN", "header=Vary:Accept&run=RUN", "header=Date:x",
		"header=Connection:close", "header=Content-Length:5", "header=Transfer-Encoding:chunked",
		"header=Set-Cookie:a%3Db&header=Set-Cookie:c%3Dd&run=RUN", "header=X-A", "header=:b", "header=X-A:%0D%0Ab",
		"header=X%20A:b", "header=X-A:&run=RUN", "header=Access-Control-Allow-Origin:y&run=RUN",
		"header=X-Content-Type-Options:no&run=RUN", "header=Trailer:X", "header=X-A:%C3%A9&run=RUN",
		"header=Retry-After:3&status=503&run=RUN",
		"rate=100&run=RUN", "rate=1000&size=3000&run=RUN", "rate=0", "rate=1e3", "rate=0.0001", "rate=&size=1",
		"rate=0.001&size=100000",
		"body_delay=0&run=RUN", "body_delay=2&run=RUN", "body_delay=uniform:0,2ms&seed=4&run=RUN", "body_delay=abc",
		"body_delay=1h", "body_delay=1&size=10&rate=100&run=RUN",
		"fail_first=1&run=RUN", "fail_first=1&status=429&run=RUN", "fail_first=2&header=Retry-After:1&run=RUN",
		"fail_first=1", "fail_first=0&run=RUN", "fail_first=1&fault=empty&run=RUN",
		"attempts=503,200@1&run=RUN", "attempts=reset,200&run=RUN", "attempts=503,truncate&size=5000&run=RUN",
		"attempts=503", "attempts=x&run=RUN", "attempts=503&status=200&run=RUN", "attempts_key=header:Host&run=RUN",
		"attempts=503,200&attempts_key=header:Nothing", "attempts=204,426&retry_after=2s&run=RUN",
		"pool=RUN&workers=1&run=RUN", "pool=RUN&workers=1&queue=0&run=RUN", "pool=RUN&workers=0", "pool=RUN",
		"workers=1", "queue=1", "pool=&workers=1", "pool=a+b&workers=1",
		"pool=RUN&workers=1&status=503&size=10&rate=100&run=RUN",
		"seed=1&run=RUN", "seed=-1", "seed=abc", "seed=18446744073709551615&run=RUN", "seed=18446744073709551616",
		"fault=", "fault=rest", "fault=reset&status=503", "fault=truncate&size=1", "fault=truncate&size=0",
		"status=204&size=1", "size=0&rate=1",
		"parties=1", "timeout=1", "barrier=x", "hold=x", "body=x",
		"limit=1000000/s&burst=10000&limit_key=ip", "limit=0/s", "burst=1", "delay=1", "numbytes=1",
		strings.Repeat("p=1&", 50) + "run=RUN", strings.Repeat("p", 9000) + "=1",
		"header=X-A:" + strings.Repeat("b", 3000) + "&run=RUN", strings.Repeat("header=X-A:b&", 100) + "run=RUN",
	} {
		all = append(all,
			stream{fmt.Sprintf("query %.60q", query), get("/delay/1?"+query) + get("/delay/0?"+query), sentinel},
			stream{fmt.Sprintf("query %.60q of HEAD", query),
				request("HEAD /delay/1?"+query+" HTTP/1.1", "Host: x") + get("/delay/0"), sentinel},
		)
	}
	for _, delay := range []string{
		"uniform:0,2", "uniform:0ms,2ms", "normal:1ms,1ms", "lognormal:1ms,2ms", "exponential:1ms", "pareto:1ms,3",
		"weighted:1ms:50,2ms:50", "percentiles:p50=1ms,p90=2ms", "random", "recorded:x", "uniform:2,1", "uniform:",
		"normal:a,b", "1ms", "1.5ms", "1us", "1h", "0x1", "uniform:0,2/", "UNIFORM:0,2", "uniform%3A0,2",
		"uniform:0%2C2",
	} {
		if delay != "random" { // takes up to three seconds
			all = append(all,
				stream{"delay " + delay,
					get("/delay/"+delay+"?seed=7&run=RUN") + get("/delay/"+delay+"?run=RUN&seed=7&status=418"),
					sentinel})
		}
	}
	return all
}

// faultStreams have faults, which break the connection.
func faultStreams() []stream {
	var all []stream
	for _, fault := range []string{"reset", "empty", "garbage", "truncate", "truncate&size=2", "truncate&size=100000",
		"truncate&status=500", "truncate&body_delay=1", "hang"} {
		path := "/delay/1?run=RUN&fault=" + fault
		all = append(all,
			stream{"fault " + fault, get(path), lastReply},
			stream{"fault after an answer, " + fault, get("/delay/1?run=RUN") + get(path), lastReply},
			stream{"fault in HTTP/1.0, " + fault, request("GET "+path+" HTTP/1.0", "Connection: keep-alive"),
				lastReply},
			stream{"fault of POST, " + fault, post(path, "hello"), lastReply},
			stream{"fault of HEAD, " + fault, request("HEAD "+path+" HTTP/1.1", "Host: x", "Connection: close"),
				lastReply},
		)
		if fault != "hang" {
			all = append(all, stream{"fault before a request, " + fault, get(path) + get("/delay/0?run=RUN"), sentinel})
		}
	}
	for _, path := range []string{"/sse?count=4&interval=0&fault=truncate&run=RUN",
		"/bytes/5000?seed=1&fault=truncate&run=RUN", "/drip?delay=0&duration=2ms&fault=truncate&run=RUN",
		"/barrier/RUN?parties=1&fault=garbage&run=RUN", "/barrier/RUN?parties=1&fault=empty&run=RUN"} {
		all = append(all, stream{"fault " + path, get(path), lastReply})
	}
	return all
}

// methodStreams have all kinds of methods.
func methodStreams() []stream {
	var all []stream
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "PATCH", "BREW", "get", "X!#$%&'*+-.^_`|~9",
		"OPTIONS", "TRACE", "CONNECT", "G@T", "PRI", strings.Repeat("M", 300)} {
		for _, path := range []string{"/delay/1?run=RUN", "/delay/1?run=RUN&status=503&size=10",
			"/drip?delay=0&duration=0&run=RUN", "/sse?count=1&run=RUN", "/status/404?run=RUN",
			"/bytes/9?seed=1&run=RUN", "/barrier/RUN?parties=1&run=RUN", "/hold/RUN?timeout=1&run=RUN",
			"/delay/1/url/example.com?run=RUN", "/healthz", "/nothing", "/s/1", "/s/later"} {
			line := method + " " + path + " HTTP/1.1"
			all = append(all,
				stream{fmt.Sprintf("%.20s %s", method, path), request(line, "Host: x") + get("/delay/0"), sentinel},
				stream{fmt.Sprintf("%.20s %s with a body", method, path),
					request(line, "Host: x", "Content-Length: 5") + "hello" + get("/delay/0"), sentinel},
			)
		}
	}
	return all
}

// mixedStreams have different endpoints and pages on one connection.
func mixedStreams() []stream {
	wait := get("/delay/2?run=RUN")
	return []stream{
		{"pages between waits", wait + get("/healthz") +
			wait + request("HEAD /doc HTTP/1.1", "Host: x") +
			get("/delay/1") + get("/openapi.yaml") +
			wait, sentinel},
		{"a page after each answer", wait + replied +
			get("/healthz") + replied +
			wait + replied +
			get("/nothing") + replied +
			get("/delay/0"), sentinel},
		{"every endpoint on one connection", wait +
			get("/drip?delay=0&duration=1ms&numbytes=2&run=RUN") +
			get("/sse?count=2&interval=0&run=RUN") +
			get("/status/404?run=RUN") +
			get("/bytes/10?seed=1&run=RUN") +
			get("/barrier/RUN?parties=1&run=RUN") +
			get("/hold/RUN?timeout=1ms&run=RUN") +
			get("/delay/1/url/example.com?run=RUN"), sentinel},
		{"fail_first over one connection", strings.Repeat(get("/delay/0?fail_first=2&run=RUN"), 4), sentinel},
		{"a script over one connection", strings.Repeat(get("/delay/0?attempts=503,429@1,200&run=RUN"), 4), sentinel},
		{"a script by key", strings.Repeat(get("/delay/0?attempts=503,200&attempts_key=header:K", "K: RUN")+
			get("/delay/0?attempts=404,200&attempts_key=header:K", "K: RUN2"), 3), sentinel},
		{"a script that resets", get("/delay/0?attempts=503,reset&run=RUN") +
			get("/delay/0?attempts=503,reset&run=RUN"), lastReply},
		{"a script of a route", strings.Repeat(get("/s/script", "X-Run-Id: RUN"), 5), sentinel},
		{"fail_first of a route", strings.Repeat(get("/s/fails", "X-Run-Id: RUN"), 3), sentinel},
		{"one stream of samples over one connection",
			strings.Repeat(get("/delay/exponential:1ms?seed=7&run=RUN"), 5) +
				get("/delay/exponential:1ms?seed=8&run=RUN"), sentinel},
		{"HEAD between two bodies", get("/delay/0?size=5000&run=RUN") +
			request("HEAD /delay/0?size=5000&run=RUN HTTP/1.1", "Host: x") +
			get("/bytes/5000?seed=1&run=RUN"), sentinel},
		{"a pool of one, pipelined", strings.Repeat(get("/delay/1?pool=RUN&workers=1&queue=0&run=RUN"), 5), sentinel},
		{"a pool with other sizes later", get("/delay/1?pool=RUN&workers=1&run=RUN") +
			get("/delay/1?pool=RUN&workers=2&run=RUN"), sentinel},
		{"twenty requests of all kinds", strings.Repeat(wait+
			get("/delay/0?size=3000&run=RUN")+
			post("/delay/0?status=404&run=RUN", "hello")+
			get("/status/204?run=RUN")+
			request("HEAD /delay/1?run=RUN HTTP/1.1", "Host: x"), 4), sentinel},
		{"an answer to a request with Connection: close in a body of parts",
			get("/drip?delay=0&duration=2ms&run=RUN", "Connection: close"), lastReply},
		{"a malformed query between two waits", wait + get("/delay/1?run=%zz") + wait, sentinel},
		{"a run by header, query and trace", get("/delay/0", "X-Run-Id: RUN") +
			get("/delay/0?run=RUN") +
			get("/delay/0?run=other", "X-Run-Id: RUN") +
			get("/delay/0?run=RUN", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), sentinel},
	}
}

// splitStreams have all kinds of heads and bodies, to be split at every byte.
func splitStreams() []stream {
	return []stream{
		{"a query", get("/delay/0?status=503&run=RUN&header=X-A:b"), sentinel},
		{"headers with an effect", get("/delay/0", "X-Run-Id: RUN", "Origin: https://a.example"), sentinel},
		{"HEAD", request("HEAD /delay/0?run=RUN HTTP/1.1", "Host: x"), sentinel},
		{"a body", post("/delay/1?run=RUN", "hello") + get("/delay/0"), sentinel},
		{"a body that comes in chunks",
			request("PUT /delay/1?run=RUN HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") +
				"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n" + get("/delay/0"), sentinel},
		{"a body that looks like a request", post("/delay/0?run=RUN", get("/delay/1?run=RUN")) + get("/delay/0"),
			sentinel},
		{"another endpoint", get("/bytes/10?seed=1&run=RUN") + get("/delay/0"), sentinel},
		{"a page between waits", get("/delay/0?run=RUN") + get("/healthz") + get("/delay/0"), sentinel},
		{"HTTP/1.0", request("GET /delay/0?run=RUN HTTP/1.0", "Connection: keep-alive") + get("/delay/0"), sentinel},
		{"a folded header", get("/delay/0?run=RUN", "A: b\r\n c"), sentinel},
	}
}

// largeStreams have answers of more than one packet.
func largeStreams() []stream {
	return []stream{
		{"a drip", get("/drip?delay=0&duration=20ms&numbytes=2000&run=RUN"), sentinel},
		{"bytes", get("/bytes/300000?seed=1&run=RUN") + get("/delay/1?run=RUN"), sentinel},
		{"a size", get("/delay/1?size=200000&run=RUN") + get("/delay/1?run=RUN"), sentinel},
		{"a size at a rate", get("/delay/1?size=50000&rate=1000&run=RUN"), sentinel},
		{"many events", get("/sse?count=3000&interval=0&run=RUN") + get("/delay/1?run=RUN"), sentinel},
		{"a size, HTTP/1.0", request("GET /delay/1?size=200000&run=RUN HTTP/1.0"), lastReply},
		{"many large answers", strings.Repeat(get("/delay/0?size=20000&run=RUN"), 20), sentinel},
		{"many answers", strings.Repeat(get("/delay/0?run=RUN"), 500), sentinel},
		{"half of a size", get("/delay/1?size=400000&fault=truncate&run=RUN"), lastReply},
	}
}
