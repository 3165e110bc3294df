//go:build linux

package server

import (
	"fmt"
	"strings"

	"flash.test/delay-server/kit/httpkit"
)

// post is a request with a body.
func post(path, body string, headers ...string) string {
	return request("POST "+path+" HTTP/1.1", append([]string{"Host: x", fmt.Sprintf("Content-Length: %d", len(body))},
		headers...)...) + body
}

// chunked is a request with a body in chunks of the size.
func chunked(path, body string, size int) string {
	var b strings.Builder
	b.WriteString(request("POST "+path+" HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"))
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

// bodyStreams have bodies of all sizes, up to the limit and above.
func bodyStreams() []stream {
	var all []stream
	behind := get("/delay/0?run=RUN")
	for _, size := range []int{0, 1, 5, 4000, 4096, 16 << 10, 64 << 10, httpkit.MaxBody - 1, httpkit.MaxBody,
		httpkit.MaxBody + 1} {
		body := strings.Repeat("b", size)
		for _, path := range []string{"/delay/1", "/delay/1?run=RUN&status=503", "/drip?delay=0&duration=1ms&run=RUN",
			"/hold/RUN?timeout=1ms&run=RUN", "/delay/abc", "/healthz", "/s/1"} {
			if size > 100<<10 && path != "/delay/1?run=RUN&status=503" && path != "/delay/abc" {
				continue
			}
			all = append(all, stream{fmt.Sprintf("a body of %d bytes to %s", size, path), post(path, body) + behind,
				sentinel})
		}
		all = append(all,
			stream{fmt.Sprintf("a body of %d bytes in separate packets", size),
				strings.Replace(post("/delay/1?run=RUN", body), "\r\n\r\n", "\r\n\r\n"+cut, 1) + cut + behind,
				sentinel},
			stream{fmt.Sprintf("a body of %d bytes, the last", size),
				post("/delay/1?run=RUN", body, "Connection: close"), lastReply},
			stream{fmt.Sprintf("a body of %d bytes of HTTP/1.0", size), strings.Replace(post("/delay/1?run=RUN", body),
				"HTTP/1.1", "HTTP/1.0", 1), lastReply},
			stream{fmt.Sprintf("a body of %d bytes in one chunk", size),
				chunked("/delay/1?run=RUN", body, size+1) + behind, sentinel},
			stream{fmt.Sprintf("a body of %d bytes with Expect: 100-continue", size),
				strings.Replace(post("/delay/1?run=RUN", body, "Expect: 100-continue"), "\r\n\r\n", "\r\n\r\n"+replied,
					1) + behind, sentinel},
		)
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "BREW", "OPTIONS"} {
		all = append(all, stream{method + " with a body", strings.Replace(post("/delay/1?run=RUN", "hello"), "POST",
			method, 1) + behind, sentinel})
	}
	return append(all,
		stream{"a body in many chunks", chunked("/delay/1?run=RUN", strings.Repeat("b", 5000), 7) + behind, sentinel},
		stream{"a body after each of ten requests", strings.Repeat(post("/delay/1?run=RUN", "hello")+behind, 5),
			sentinel},
		stream{"a body that is a request", post("/delay/1?run=RUN", behind) + behind, sentinel},
		stream{"a body in many packets", strings.Replace(post("/delay/1?run=RUN", strings.Repeat("b", 20)),
			strings.Repeat("b", 20), strings.Repeat(cut+"b", 20), 1) + behind, sentinel},
		stream{"a body that comes while the request before waits",
			get("/delay/20?run=RUN") + strings.Replace(post("/delay/1?run=RUN", "hello"), "hello", cut+"hello",
				1) + behind, sentinel},
		stream{"a large body after a waiting request", get("/delay/20?run=RUN") + post("/delay/1?run=RUN",
			strings.Repeat("b", 200_000)) + behind, sentinel},
		stream{"a body that never comes", strings.TrimSuffix(post("/delay/1?run=RUN", "hello"), "lo"), silence},
		stream{"a large body that breaks off", post("/delay/1?run=RUN", strings.Repeat("b", 30_000))[:20_000], silence},
		stream{"a body with Expect: 100-continue that never comes",
			strings.TrimSuffix(post("/delay/1?run=RUN", "hello", "Expect: 100-continue"), "hello"), silence},
		stream{"a chunk that breaks off", strings.TrimSuffix(chunked("/delay/1?run=RUN", "hello", 5),
			"lo\r\n0\r\n\r\n"), silence},
		stream{"an invalid chunk",
			request("POST /delay/1?run=RUN HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") +
				"zz\r\nhello\r\n0\r\n\r\n" + behind, sentinel},
		stream{"an upgrade with a query", get("/delay/1?run=RUN", "Connection: Upgrade", "Upgrade: websocket") + behind,
			sentinel},
	)
}
