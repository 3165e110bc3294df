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

// soakScenario is what the soaked server's SCENARIO says.
const soakScenario = `routes:
  - {method: GET, path: "/soak/{ms}/products/{id}", delay: 50ms, json: {id: 7, name: kettle}}
  - {method: POST, path: "/soak/{ms}/charges", delay: "uniform:20ms,80ms", pool: {name: bank, workers: 100, queue: 1000}, status: "402:30", json: {charge: 1}}
`

// soakRequest is one kind of request of the soak.
type soakRequest struct {
	name   string
	method string // GET where it is ""
	path   string // %d is a number of milliseconds, %l one half larger, %n a number below soakNames
	header string
	body   string // as it is sent

	atLeast  int   // times the milliseconds: the whole answer takes so long
	statuses []int // nil is 200 alone
	breaks   bool  // there is no whole answer
	leaves   bool  // the client does not wait for one
	closes   bool  // the connection ends with the answer
}

var soakRequests = []soakRequest{
	{name: "plain", path: "/delay/%d", atLeast: 1},
	{name: "plain", path: "/delay/%d", atLeast: 1},
	{name: "no wait", path: "/delay/0"},
	{name: "HEAD", method: "HEAD", path: "/delay/%d", atLeast: 1},
	{name: "uniform", path: "/delay/uniform:1,%d"},
	{name: "lognormal", path: "/delay/lognormal:%d,%l"},
	{name: "seeded", path: "/delay/exponential:%d?seed=7&run=soak-%n"},
	{name: "status", path: "/delay/%d?status=503:50", atLeast: 1, statuses: []int{200, 503}},
	{name: "status alone", path: "/status/200:1,204:1", statuses: []int{200, 204}},
	{name: "header", path: "/delay/%d?header=X-A:b&size=100", atLeast: 1},
	{name: "run", path: "/delay/%d", header: "X-Run-Id: soak-%n\r\n", atLeast: 1},
	{name: "trace", path: "/delay/%d", header: "traceparent: 00-%t-00f067aa0ba902b7-01\r\n", atLeast: 1},
	{name: "origin", path: "/delay/%d", header: "Origin: https://example.com\r\n", atLeast: 1},
	{name: "fail_first", path: "/delay/%d?fail_first=2&run=fail-%n", statuses: []int{200, 503}},
	{name: "redirect", path: "/delay/%d/url/example.com", statuses: []int{302, 303, 307}, atLeast: 1},

	{name: "pool", path: "/delay/1?pool=large-%n&workers=20", statuses: []int{200}},
	{name: "full pool", path: "/delay/%d?pool=small&workers=2&queue=5", statuses: []int{200, 503}},
	{name: "barrier", path: "/barrier/soak-%n?parties=3&timeout=%dms", statuses: []int{200, 503, 504}},
	{name: "hold", path: "/hold/soak-%n?timeout=%dms", statuses: []int{200, 503, 504}},
	{name: "hold, then a wait", path: "/hold/soak-%n?timeout=10s&delay=%d", atLeast: 1, statuses: []int{200, 503, 504}},
	{name: "scenario", path: "/soak/%d/products/%n"},
	{name: "scenario's POST", method: "POST", path: "/soak/%d/charges", header: "Content-Length: 5\r\n", body: "a=b&c", statuses: []int{200, 402, 503}},

	{name: "POST", method: "POST", path: "/delay/%d", header: "Content-Length: 12\r\n", body: "twelve bytes", atLeast: 1},
	{name: "PUT of 20 KB", method: "PUT", path: "/delay/%d", header: "Content-Length: 20000\r\n", body: strings.Repeat("body", 5000), atLeast: 1},
	{name: "chunked POST", method: "POST", path: "/delay/%d", header: "Transfer-Encoding: chunked\r\n", body: "5\r\nhello\r\n0\r\n\r\n", atLeast: 1},
	{name: "Expect", method: "POST", path: "/delay/%d", header: "Expect: 100-continue\r\nContent-Length: 2\r\n", body: "ok", atLeast: 1},
	{name: "close", path: "/delay/%d", header: "Connection: close\r\n", atLeast: 1, closes: true},

	{name: "drip", path: "/drip?delay=0&duration=%dms&numbytes=10", atLeast: 1},
	{name: "sse", path: "/sse?count=3&interval=%dms", atLeast: 2},
	{name: "bytes", path: "/bytes/5000"},
	{name: "rate", path: "/delay/1?size=10000&rate=100"},
	{name: "body_delay", path: "/delay/1?size=100&body_delay=%d", atLeast: 1},
	{name: "a body that is not read", path: "/delay/1?size=3000000", leaves: true},
	{name: "a drip that is left", path: "/drip?delay=0&duration=10s&numbytes=100", leaves: true},

	{name: "reset", path: "/delay/%d?fault=reset", breaks: true},
	{name: "empty", path: "/delay/%d?fault=empty", breaks: true},
	{name: "garbage", path: "/delay/%d?fault=garbage", breaks: true},
	{name: "truncate", path: "/delay/%d?fault=truncate", breaks: true},
	{name: "hang", path: "/delay/1?fault=hang", leaves: true},

	{name: "page", path: "/doc"},
	{name: "health", path: "/healthz"},
	{name: "metrics", path: "/metrics"},
	{name: "runs", path: "/admin/runs"},
	{name: "nothing", path: "/nothing", statuses: []int{404}},
	{name: "refused", path: "/delay/%d?size=x", statuses: []int{400}},
}

// soakLimit is how long a connection may last on a machine that is too busy.
const soakLimit = 5 * time.Minute

// soakNames is how many runs, pools, barriers and holds there are of a kind.
const soakNames = 5

// soakClient is a client that visits a server.
type soakClient struct {
	addr  string
	rng   *rand.Rand
	wait  time.Duration // of a request, to three times that
	count *soakCounts
}

// soakCounts counts answers by the name of their request.
type soakCounts struct {
	mu      sync.Mutex
	answers map[string]int
	left    atomic.Int64
}

func (c *soakCounts) answered(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]int{}
	}
	c.answers[name]++
}

// fill returns a text with the numbers that it has places for.
func (c *soakClient) fill(text string, ms int) string {
	return strings.NewReplacer(
		"%d", strconv.Itoa(ms), "%l", strconv.Itoa(ms*3/2), "%n", strconv.Itoa(c.rng.IntN(soakNames)), "%t", fmt.Sprintf("%016x%016x", c.rng.Uint64(), c.rng.Uint64()|1),
	).Replace(text)
}

// milliseconds draws a wait, one of five: the first clients fill all caches.
func (c *soakClient) milliseconds() int {
	return int(c.wait/time.Millisecond) * (100 + 45*c.rng.IntN(5)) / 100
}

// visit is the life of a connection: some requests, of which the client may leave
// one by an orderly end, a reset or a half-closed connection.
func (c *soakClient) visit() error {
	if c.rng.IntN(20) == 0 {
		return c.visitHTTP2()
	}
	dialled, err := net.DialTimeout("tcp", c.addr, soakLimit)
	if err != nil {
		return err
	}
	conn := dialled.(*net.TCPConn)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(soakLimit)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 1024)
	for range 1 + c.rng.IntN(4) {
		request := soakRequests[c.rng.IntN(len(soakRequests))]
		ms := c.milliseconds()
		begin := time.Now()
		head := c.fill(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", cmp.Or(request.method, "GET"), request.path, request.header), ms)
		next := c.rng.IntN(10) == 0 && !request.breaks && !request.closes && request.method != "HEAD"
		if next { // the next request comes with it
			request.body += plain("1")
		}
		if _, err := io.WriteString(conn, head+request.body); err != nil {
			return fmt.Errorf("%s: %w", request.name, err)
		}
		if request.leaves || c.rng.IntN(5) == 0 {
			time.Sleep(time.Duration(c.rng.IntN(ms)) * time.Millisecond / 2)
			c.count.left.Add(1)
			return c.leave(conn, request)
		}
		err := request.read(in, begin, time.Duration(ms)*time.Millisecond)
		if err == nil && next {
			err = soakRequest{name: "the one behind"}.read(in, begin, 0)
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

// read reads the answer to a request that was written at begin with the wait.
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
			return fmt.Errorf("an answer or an end after %v, %w; want an end after %v or more", took, err, wait)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if r.statuses == nil {
		r.statuses = []int{200}
	}
	if !slices.Contains(r.statuses, reply.StatusCode) {
		return fmt.Errorf("%s and %d bytes after %v, want a status of %v", reply.Status, body, took, r.statuses)
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
		asked = max(asked, wait*time.Duration(r.atLeast))
	}
	if took < asked {
		return fmt.Errorf("%s after %v, want %v or more", reply.Status, took, asked)
	}
	return nil
}

// leave ends the connection of a client whose request is not answered.
func (c *soakClient) leave(conn *net.TCPConn, of soakRequest) error {
	switch c.rng.IntN(3) {
	case 0:
		return nil
	case 1:
		return conn.SetLinger(0) // Close resets it
	}
	if err := conn.CloseWrite(); err != nil && !of.breaks {
		return fmt.Errorf("%s, half-closed: %w", of.name, err)
	}
	if of.leaves {
		return nil
	}
	// The server ends the connection; one that is late may have answered before.
	if n, err := io.Copy(io.Discard, conn); err != nil && !of.breaks {
		return fmt.Errorf("%s, half-closed: after %d bytes %w, want the connection's end", of.name, n, err)
	}
	return nil
}

// visitHTTP2 has some streams of one connection, of which the client may reset
// some.
func (c *soakClient) visitHTTP2() error {
	conns := new(soakConns)
	defer conns.close()
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: conns.dial}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	n := 1 + c.rng.IntN(5)
	errs := make([]error, n)
	var streams sync.WaitGroup
	for i := range n {
		request := soakRequests[c.rng.IntN(len(soakRequests))]
		ms := c.milliseconds()
		wait := time.Duration(ms) * time.Millisecond
		path, limit := c.fill(request.path, ms), soakLimit
		if leaves := c.rng.IntN(4) == 0; leaves || request.leaves {
			request.leaves, limit = true, time.Duration(c.rng.Int64N(int64(wait)))
		}
		streams.Go(func() { errs[i] = request.readHTTP2(client, "http://"+c.addr+path, limit, wait) })
		if request.leaves {
			c.count.left.Add(1)
		} else {
			c.count.answered("HTTP/2")
		}
	}
	streams.Wait()
	return errors.Join(errs...)
}

// soakConns are the connections of a transport, which keeps one whose only stream
// was reset early.
type soakConns struct {
	mu    sync.Mutex
	conns []net.Conn
	over  bool
}

func (c *soakConns) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		conn.Close()
		return nil, net.ErrClosed
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *soakConns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, conn := range c.conns {
		conn.Close()
	}
}

// readHTTP2 sends r, without its header and body, on a stream that it resets
// after the limit.
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
	case r.leaves: // it may have been answered before
		return nil
	case r.breaks:
		if err == nil {
			return fmt.Errorf("HTTP/2, %s: an answer, want none", r.name)
		}
	case err != nil:
		return fmt.Errorf("HTTP/2, %s: %w", r.name, err)
	case r.statuses == nil && reply.StatusCode != 200 || r.statuses != nil && !slices.Contains(r.statuses, reply.StatusCode):
		return fmt.Errorf("HTTP/2, %s: %s, want a status of %v", r.name, reply.Status, r.statuses)
	case reply.StatusCode == 200 && took < wait*time.Duration(r.atLeast):
		return fmt.Errorf("HTTP/2, %s: %s after %v, want %v or more", r.name, reply.Status, took, wait*time.Duration(r.atLeast))
	}
	return nil
}
