//go:build linux

package server

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// Parts of random requests, valid and invalid. An entry listed twice is twice as likely.
var (
	someMethods = []string{"GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW",
		"get"}
	somePaths = []string{
		"/delay/0", "/delay/0", "/delay/1", "/delay/1", "/delay/2/", "/delay/1ms", "/delay/uniform:0,2",
		"/delay/exponential:1ms", "/delay/0/url/example.com", "/delay/99999", "/delay/x", "/delay/%31", "/nothing",
		"/healthz", "/delay",
		"/drip", "/drip?delay=0&duration=0", "/drip?delay=0&duration=1ms&numbytes=3", "/sse?count=2&interval=0",
		"/sse?count=2&duration=1ms", "/status/200", "/status/204", "/status/503:1,200:1", "/bytes/0", "/bytes/10",
		"/bytes/5000", "/barrier/RUN?parties=1", "/barrier/RUN?parties=2&timeout=1ms", "/hold/RUN?timeout=1ms",
		"/hold/RUN",
	}
	someParameters = []string{
		"run=RUN", "run=RUN", "run=RUN", "run=a+b", "_=17", "status=503", "status=204", "status=503:50", "status=x",
		"size=0", "size=10", "size=5000", "size=70000", "header=X-A:b", "header=Content-Type:a/b", "header=Date:x",
		"rate=1000", "body_delay=1", "body_delay=uniform:0,1", "fault=reset", "fault=empty", "fault=garbage",
		"fault=truncate", "fault=hang",
		"fail_first=1", "attempts=503,reset,200@1", "attempts_key=header:Cookie", "pool=RUN&workers=1",
		"pool=RUN&workers=1&queue=0", "workers=1", "seed=7", "seed=x", "stauts=1",
		"%zz", "a;b", "delay=1ms",
	}
	someHeaders = []string{
		"Host: x", "host: y", "Accept: */*", "A:", "A : b", " folded", "\tfolded", "no colon", "A: \x00", "A: b\nC: d",
		"Connection: close", "Connection: keep-alive", "Connection: close, TE", "Connection: TE", "X-Run-Id: RUN",
		"X-Run-Id: a b", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"Origin: https://a.example", "Origin: null", "Expect: 100-continue", "Upgrade: h2c", "Content-Length: 0",
		"Content-Length: 3", "Content-Length: +3", "Transfer-Encoding: chunked", "Trailer: A", "TE: trailers",
		"Cookie: a=b",
	}
	someVersions = []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0",
		"HTTP/1.2"}
	drawing = regexp.MustCompile(`uniform|exponential|:50|:1|bytes|seed|fail_first|attempts`)
)

// compose returns a random request. Requests that need random numbers or counts are in
// the run of their exchange.
func compose(choose func(n int) int) string {
	one := func(of []string) string { return of[choose(len(of))] }
	target := one(somePaths)
	for range choose(3) {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		target += separator + one(someParameters)
	}
	var headers []string
	if choose(20) > 0 {
		headers = append(headers, "Host: x")
	}
	if drawing.MatchString(target) && !strings.Contains(target, "run=RUN") {
		headers = append(headers, "X-Run-Id: RUN")
	}
	for range choose(3) {
		headers = append(headers, one(someHeaders))
	}
	body := strings.Repeat("b", []int{0, 0, 0, 1, 5, 5000}[choose(6)])
	if body != "" {
		headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	if slices.Contains(headers, "Transfer-Encoding: chunked") {
		body = "3\r\nabc\r\n0\r\n\r\n"
	}
	return request(one(someMethods)+" "+target+" "+one(someVersions), headers...) + body
}

// randomConfig has short waits, and the same random numbers on both servers.
func randomConfig() Config {
	config := DefaultConfig()
	config.MaxDelay, config.ReadTimeout = 5*time.Millisecond, 10*time.Second // for busy machines
	seed := uint64(7)
	config.Seed = &seed
	config.Admin = false
	return config
}

// Random requests, split at random.
func TestDifferentialRandom(t *testing.T) {
	t.Parallel()
	p := startPair(t, randomConfig())
	seeds := make([]uint64, 1000)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	concurrently(seeds, func(seed uint64) {
		choose := rand.New(rand.NewPCG(seed, 0)).IntN
		whole := ""
		for range 1 + choose(6) {
			whole += compose(choose)
		}
		sent := []stream{{fmt.Sprintf("seed %d", seed), whole, flood}}
		for range 2 {
			split := ""
			for rest := sent[0].named().sent; rest != ""; {
				n := 1 + choose(len(rest))
				split, rest = split+rest[:n]+cut, rest[n:]
			}
			sent = append(sent, stream{sent[0].says, strings.TrimSuffix(split, cut), flood})
		}
		for i := range sent {
			sent[i] = sent[i].withSentinel("")
		}
		p.compare(t, sent...)
	})
}

// FuzzRequests sends requests that choices compose, in two packets split at byte at.
func FuzzRequests(f *testing.F) {
	p := startFuzzed(f)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		choices := make([]byte, 40)
		for i := range choices {
			choices[i] = byte(random.IntN(256))
		}
		f.Add(choices, uint16(random.IntN(300)))
	}
	f.Fuzz(func(t *testing.T, choices []byte, at uint16) {
		if len(choices) > 200 {
			t.Skip()
		}
		whole := ""
		for len(choices) > 0 {
			whole += compose(func(n int) int {
				if len(choices) == 0 {
					return 0
				}
				choice := int(choices[0]) % n
				choices = choices[1:]
				return choice
			})
		}
		p.fuzz(t, whole, at)
	})
}

// unsteady matches what FuzzBytes leaves out: pages that differ each time, HTTP/2, and
// bodies longer than a flood.
var unsteady = regexp.MustCompile(`(?i)metrics|doc|PRI \* HTTP/2|length[\t ]*:[\t ]*[0-9]{4}`)

// FuzzBytes sends bytes in two packets, split at byte at.
func FuzzBytes(f *testing.F) {
	for i, s := range streams(sentinel) {
		if whole := s.packed(); len(whole.sent) < 1000 && i%4 == 0 { // a sample
			f.Add([]byte(whole.sent), uint16(len(whole.sent)*len(s.says)%97))
		}
	}
	p := startFuzzed(f)
	f.Fuzz(func(t *testing.T, sent []byte, at uint16) {
		whole := strings.ReplaceAll(strings.ReplaceAll(string(sent), cut, ""), after, "")
		plain, err := url.PathUnescape(whole)
		if err != nil {
			plain = whole
		}
		if len(sent) > 4000 || unsteady.MatchString(plain) || unsteady.MatchString(whole) {
			t.Skip()
		}
		p.fuzz(t, whole, at)
	})
}

func startFuzzed(f *testing.F) pair {
	f.Helper()
	p := startPair(f, randomConfig())
	p.pause = 100 * time.Microsecond
	return p
}

// fuzz compares the replies to whole in one packet and in two. Before each, both servers
// forget their counts and random numbers.
func (p pair) fuzz(t *testing.T, whole string, at uint16) {
	split := stream{"split", whole, flood}.named()
	i := min(int(at), len(split.sent))
	split.sent = split.sent[:i] + cut + split.sent[i:]
	for _, s := range []stream{{"whole", whole, flood}, split} {
		for _, server := range []target{p.loops, p.netHTTP} {
			wiretest.Eventually(t, "none waits", func() bool { return server.srv.engine.Journal.Waiting() == 0 })
			server.srv.requests.Planner.ForgetAll()
			server.srv.engine.Journal.ForgetAll()
		}
		p.compare(t, s.withSentinel(""))
	}
}
