package server

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// soakScenario is the scenario of the soak server.
const soakScenario = `routes:
  - {method: GET, path: "/soak/{ms}/products/{id}", delay: 50ms, json: {id: 7, name: kettle}}
  - method: POST
    path: "/soak/{ms}/charges"
    delay: "uniform:20ms,80ms"
    pool: {name: bank, workers: 100, queue: 1000}
    status: "402:30"
    json: {charge: 1}
`

// A soakRequest is a kind of request.
type soakRequest struct {
	name   string
	method string // "" is GET
	path   string // %d is a delay in milliseconds, %l is 1.5 times %d, %n is a number below soakNames
	header string
	body   string // raw

	minDelays int   // the answer takes at least this many times the delay
	statuses  []int // valid statuses; nil is 200
	breaks    bool  // the answer is incomplete
	abandons  bool  // the client closes the connection before the answer
	closes    bool  // the server closes the connection after the answer
}

var soakRequests = []soakRequest{
	{name: "plain", path: "/delay/%d", minDelays: 1},
	{name: "plain", path: "/delay/%d", minDelays: 1},
	{name: "no wait", path: "/delay/0"},
	{name: "HEAD", method: "HEAD", path: "/delay/%d", minDelays: 1},
	{name: "uniform", path: "/delay/uniform:1,%d"},
	{name: "lognormal", path: "/delay/lognormal:%d,%l"},
	{name: "seeded", path: "/delay/exponential:%d?seed=7&run=soak-%n"},
	{name: "status", path: "/delay/%d?status=503:50", minDelays: 1, statuses: []int{200, 503}},
	{name: "status alone", path: "/status/200:1,204:1", statuses: []int{200, 204}},
	{name: "header", path: "/delay/%d?header=X-A:b&size=100", minDelays: 1},
	{name: "run", path: "/delay/%d", header: "X-Run-Id: soak-%n\r\n", minDelays: 1},
	{name: "trace", path: "/delay/%d", header: "traceparent: 00-%t-00f067aa0ba902b7-01\r\n", minDelays: 1},
	{name: "origin", path: "/delay/%d", header: "Origin: https://example.com\r\n", minDelays: 1},
	{name: "fail_first", path: "/delay/%d?fail_first=2&run=fail-%n", statuses: []int{200, 503}},
	{name: "redirect", path: "/delay/%d/url/example.com", statuses: []int{302, 303, 307}, minDelays: 1},

	{name: "pool", path: "/delay/1?pool=large-%n&workers=20", statuses: []int{200}},
	{name: "full pool", path: "/delay/%d?pool=small&workers=2&queue=5", statuses: []int{200, 503}},
	{name: "barrier", path: "/barrier/soak-%n?parties=3&timeout=%dms", statuses: []int{200, 503, 504}},
	{name: "hold", path: "/hold/soak-%n?timeout=%dms", statuses: []int{200, 503, 504}},
	{name: "hold, delay", path: "/hold/soak-%n?timeout=10s&delay=%d", minDelays: 1, statuses: []int{200, 503, 504}},
	{name: "scenario", path: "/soak/%d/products/%n"},
	{
		name: "scenario, POST", method: "POST", path: "/soak/%d/charges",
		header: "Content-Length: 5\r\n", body: "a=b&c", statuses: []int{200, 402, 503},
	},

	{
		name: "POST", method: "POST", path: "/delay/%d",
		header: "Content-Length: 12\r\n", body: "twelve bytes", minDelays: 1,
	},
	{
		name: "PUT of 20 KB", method: "PUT", path: "/delay/%d",
		header: "Content-Length: 20000\r\n", body: strings.Repeat("body", 5000), minDelays: 1,
	},
	{
		name: "chunked POST", method: "POST", path: "/delay/%d",
		header: "Transfer-Encoding: chunked\r\n", body: "5\r\nhello\r\n0\r\n\r\n", minDelays: 1,
	},
	{
		name: "Expect", method: "POST", path: "/delay/%d",
		header: "Expect: 100-continue\r\nContent-Length: 2\r\n", body: "ok", minDelays: 1,
	},
	{name: "close", path: "/delay/%d", header: "Connection: close\r\n", minDelays: 1, closes: true},

	{name: "drip", path: "/drip?delay=0&duration=%dms&numbytes=10", minDelays: 1},
	{name: "sse", path: "/sse?count=3&interval=%dms", minDelays: 2},
	{name: "bytes", path: "/bytes/5000"},
	{name: "rate", path: "/delay/1?size=10000&rate=100"},
	{name: "body_delay", path: "/delay/1?size=100&body_delay=%d", minDelays: 1},
	{name: "unread body", path: "/delay/1?size=3000000", abandons: true},
	{name: "abandoned drip", path: "/drip?delay=0&duration=10s&numbytes=100", abandons: true},

	{name: "reset", path: "/delay/%d?fault=reset", breaks: true},
	{name: "empty", path: "/delay/%d?fault=empty", breaks: true},
	{name: "garbage", path: "/delay/%d?fault=garbage", breaks: true},
	{name: "truncate", path: "/delay/%d?fault=truncate", breaks: true},
	{name: "hang", path: "/delay/1?fault=hang", abandons: true},

	{name: "page", path: "/doc"},
	{name: "health", path: "/healthz"},
	{name: "metrics", path: "/metrics"},
	{name: "runs", path: "/admin/runs"},
	{name: "not found", path: "/nothing", statuses: []int{404}},
	{name: "refused", path: "/delay/%d?size=x", statuses: []int{400}},
}

// soakDeadline bounds a connection, with time for a busy machine.
const soakDeadline = 5 * time.Minute

// soakNames is the number of runs, pools, barriers and holds.
const soakNames = 5

// A soakClient makes connections to a server.
type soakClient struct {
	addr  string
	rng   *rand.Rand
	wait  time.Duration // shortest delay of a request; the longest is three times this
	count *soakCounts
}

// soakCounts counts answers by the name of the request, and abandoned requests.
type soakCounts struct {
	mu        sync.Mutex
	answers   map[string]int
	abandoned atomic.Int64
}

func (c *soakCounts) answered(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]int{}
	}
	c.answers[name]++
}

// fill replaces the placeholders in text.
func (c *soakClient) fill(text string, ms int) string {
	return strings.NewReplacer(
		"%d", strconv.Itoa(ms),
		"%l", strconv.Itoa(ms*3/2),
		"%n", strconv.Itoa(c.rng.IntN(soakNames)),
		"%t", fmt.Sprintf("%016x%016x", c.rng.Uint64(), c.rng.Uint64()|1),
	).Replace(text)
}

// milliseconds draws one of five delays, so that the warm-up fills all caches.
func (c *soakClient) milliseconds() int {
	return int(c.wait/time.Millisecond) * (100 + 45*c.rng.IntN(5)) / 100
}

// connect makes a connection and sends up to four requests. It may abandon one: then
// it closes, resets or half-closes the connection.
func (c *soakClient) connect() error {
	if c.rng.IntN(20) == 0 {
		return c.connectHTTP2()
	}
	tcp, err := net.DialTimeout("tcp", c.addr, soakDeadline)
	if err != nil {
		return err
	}
	conn := tcp.(*net.TCPConn)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(soakDeadline)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 1024)
	for range 1 + c.rng.IntN(4) {
		request := soakRequests[c.rng.IntN(len(soakRequests))]
		ms := c.milliseconds()
		begin := time.Now()
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n",
			cmp.Or(request.method, "GET"), request.path, request.header)
		head = c.fill(head, ms)
		pipelined := c.rng.IntN(10) == 0 && !request.breaks && !request.closes && request.method != "HEAD"
		if pipelined {
			request.body += plain("1")
		}
		if _, err := io.WriteString(conn, head+request.body); err != nil {
			return fmt.Errorf("%s: %w", request.name, err)
		}
		if request.abandons || c.rng.IntN(5) == 0 {
			time.Sleep(time.Duration(c.rng.IntN(ms)) * time.Millisecond / 2)
			c.count.abandoned.Add(1)
			return c.abandon(conn, request)
		}
		err := request.read(in, begin, time.Duration(ms)*time.Millisecond)
		if err == nil && pipelined {
			err = soakRequest{name: "pipelined"}.read(in, begin, 0)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", request.name, err)
		}
		c.count.answered(request.name)
		if request.breaks || request.closes {
			return nil
		}
	}
	return nil
}

// valid returns the valid statuses of an answer.
func (r soakRequest) valid() []int {
	if r.statuses == nil {
		return []int{http.StatusOK}
	}
	return r.statuses
}

// read reads the answer to a request sent at begin, whose delay was wait.
func (r soakRequest) read(in *bufio.Reader, begin time.Time, wait time.Duration) error {
	reply, err := http.ReadResponse(in, &http.Request{Method: cmp.Or(r.method, "GET")})
	for err == nil && reply.StatusCode == http.StatusContinue {
		reply, err = http.ReadResponse(in, &http.Request{Method: r.method})
	}
	var body int64
	if err == nil {
		body, err = io.Copy(io.Discard, reply.Body)
	}
	took := time.Since(begin)
	if r.breaks {
		if err == nil || took < wait {
			return fmt.Errorf("got answer or end after %v, error %w; want an error after at least %v", took, err, wait)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.Contains(r.valid(), reply.StatusCode) {
		return fmt.Errorf("got %s and %d bytes after %v, want status %v", reply.Status, body, took, r.valid())
	}
	asked := time.Duration(0)
	if timing := reply.Header.Get("Server-Timing"); timing != "" && reply.StatusCode != http.StatusServiceUnavailable {
		number, _, _ := strings.Cut(strings.TrimPrefix(timing, "asked;dur="), ",")
		ms, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return fmt.Errorf("Server-Timing: %s: %w", timing, err)
		}
		asked = time.Duration(ms * float64(time.Millisecond))
	}
	if reply.StatusCode == http.StatusOK {
		asked = max(asked, wait*time.Duration(r.minDelays))
	}
	if took < asked {
		return fmt.Errorf("got %s after %v, want at least %v", reply.Status, took, asked)
	}
	return nil
}

// abandon ends a connection on which r is not answered yet.
func (c *soakClient) abandon(conn *net.TCPConn, r soakRequest) error {
	switch c.rng.IntN(3) {
	case 0:
		return nil
	case 1:
		return conn.SetLinger(0) // Close sends a reset
	}
	if err := conn.CloseWrite(); err != nil && !r.breaks {
		return fmt.Errorf("%s, half-closed: %w", r.name, err)
	}
	if r.abandons {
		return nil
	}
	// The server closes the connection. It may have answered before.
	if n, err := io.Copy(io.Discard, conn); err != nil && !r.breaks {
		return fmt.Errorf("%s, half-closed: after %d bytes %w, want the end", r.name, n, err)
	}
	return nil
}

// connectHTTP2 makes an HTTP/2 connection with up to five streams. It may reset some.
func (c *soakClient) connectHTTP2() error {
	conns := new(soakConns)
	defer conns.close()
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: conns.dial}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	n := 1 + c.rng.IntN(5)
	errs := make([]error, n)
	var streams sync.WaitGroup
	for i := range n {
		request := soakRequests[c.rng.IntN(len(soakRequests))]
		ms := c.milliseconds()
		wait := time.Duration(ms) * time.Millisecond
		path, limit := c.fill(request.path, ms), soakDeadline
		if c.rng.IntN(4) == 0 || request.abandons {
			request.abandons, limit = true, time.Duration(c.rng.Int64N(int64(wait)))
		}
		streams.Go(func() { errs[i] = request.readHTTP2(client, "http://"+c.addr+path, limit, wait) })
		if request.abandons {
			c.count.abandoned.Add(1)
		} else {
			c.count.answered("HTTP/2")
		}
	}
	streams.Wait()
	return errors.Join(errs...)
}

// soakConns closes the connections of a transport, which itself would keep a
// connection whose only stream was reset early.
type soakConns struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (c *soakConns) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *soakConns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.conns {
		conn.Close()
	}
}

// readHTTP2 sends r without its header and body, and resets the stream after limit.
func (r soakRequest) readHTTP2(client http.Client, url string, limit, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, "GET"), url, nil)
	if err != nil {
		return err
	}
	begin := time.Now()
	reply, err := client.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, reply.Body)
		reply.Body.Close()
	}
	took := time.Since(begin)
	switch {
	case r.abandons: // may have been answered before
		return nil
	case r.breaks:
		if err == nil {
			return fmt.Errorf("HTTP/2, %s: got an answer, want an error", r.name)
		}
	case err != nil:
		return fmt.Errorf("HTTP/2, %s: %w", r.name, err)
	case !slices.Contains(r.valid(), reply.StatusCode):
		return fmt.Errorf("HTTP/2, %s: got %s, want status %v", r.name, reply.Status, r.valid())
	case reply.StatusCode == 200 && took < wait*time.Duration(r.minDelays):
		return fmt.Errorf("HTTP/2, %s: got %s after %v, want at least %v",
			r.name, reply.Status, took, wait*time.Duration(r.minDelays))
	}
	return nil
}
