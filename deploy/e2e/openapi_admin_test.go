package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// errorsOfAdmin provokes the errors of the admin API of a running server. impatient has a
// READ_TIMEOUT of stalled.
func (c *contract) errorsOfAdmin(t *testing.T, impatient string) {
	off := serveDelays(t, func(s *server.Config) { s.Admin = false })
	locked := serveDelays(t, func(s *server.Config) { s.AdminToken = "secret" })
	for name, operation := range c.operations {
		if !isAdmin(operation) {
			continue
		}
		method, _, _ := strings.Cut(name, " ")
		target, text := c.sample(name).target, bodyOf(name, operation)
		c.keeps(t, name, newRequest(t, method, with(c.base+target, "nonsense=1"), text), http.StatusBadRequest)
		c.keeps(t, name, newRequest(t, method, locked+target, text), http.StatusUnauthorized)
		c.keeps(t, name, newRequest(t, method, off+target, text), http.StatusNotFound)
		c.keeps(t, name, newRequest(t, method, tooLong(c.base+target), text), http.StatusRequestURITooLong)
		rebound := newRequest(t, method, c.base+target, text)
		rebound.Host = "example.com"
		c.keeps(t, name, rebound, http.StatusForbidden)
		foreign := newRequest(t, method, c.base+target, text)
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		c.keeps(t, name, foreign, http.StatusForbidden)
		if operation.RequestBody == nil {
			c.keeps(t, name, newRequest(t, method, c.base+target, `{"count":1}`), http.StatusBadRequest)
		}
	}
	admitted := newRequest(t, "GET", locked+"/admin/runs", "")
	admitted.Header.Set("Authorization", "Bearer secret")
	c.keeps(t, "GET /admin/runs", admitted, http.StatusOK)

	keep(t, c.base+"/hold/one?run=one")
	await(t, c.base+"/admin/holds/one?waiting=1")
	for _, tc := range []struct {
		operation, target, text string
		status                  int
	}{
		{"GET /admin/runs/{id}", "/admin/runs/none", "", 404},
		{"GET /admin/runs/{id}", "/admin/runs/none?settled=true", "", 404},
		{"DELETE /admin/runs/{id}", "/admin/runs/none", "", 404},
		{"GET /admin/runs/{id}/waterfall.svg", "/admin/runs/none/waterfall.svg", "", 404},
		{"GET /admin/runs/{id}/waterfall.txt", "/admin/runs/none/waterfall.txt", "", 404},
		{"GET /admin/runs/{id}/check", "/admin/runs/none/check?attempts=1", "", 422},
		{"GET /admin/check", "/admin/check?run_prefix=none&attempts=1", "", 422},
		{"DELETE /admin/holds/{name}", "/admin/holds/none", "", 404},
		{"POST /admin/holds/{name}/release", "/admin/holds/none/release", "", 404},
		{"POST /admin/holds/{name}/release", "/admin/holds/one/release?count=2", "", 409},
		{"POST /admin/clock", "/admin/clock", `{"advance":"1s"}`, 409},
		{"POST /admin/clock", "/admin/clock", `{"advance":"1s"}` + strings.Repeat(" ", 1<<20), 413},
		{"GET /admin/scenario", "/admin/scenario", "", 404},
		{"DELETE /admin/scenario", "/admin/scenario", "", 404},
		{"GET /admin/runs/{id}/scenario", "/admin/runs/none/scenario", "", 404},
		{"DELETE /admin/runs/{id}/scenario", "/admin/runs/none/scenario", "", 404},
		{"PUT /admin/scenario", "/admin/scenario", "routes: []", 400},
		{"PUT /admin/runs/{id}/scenario", "/admin/runs/none/scenario", "routes: [{path: /a, dely: 1}]", 400},
		{"PUT /admin/scenario", "/admin/scenario", strings.Repeat(" ", 1<<20+1), 413},
		{"PUT /admin/runs/{id}/scenario", "/admin/runs/none/scenario", strings.Repeat(" ", 1<<20+1), 413},
		{"GET /admin/runs/{id}/clock", "/admin/runs/one/clock", "", 404},
		{"POST /admin/runs/{id}/clock", "/admin/runs/none/clock", `{"advance":"1s"}`, 404},
		{"POST /admin/runs/{id}/clock", "/admin/runs/one/clock", `{"freeze":true}`, 409},
		{"POST /admin/runs/{id}/clock", "/admin/runs/one/clock", `{"scale":2}` + strings.Repeat(" ", 1<<20), 413},
		{"GET /admin/runs/{id}", "/admin/runs/none?waiting=1&timeout=1ms", "", 504},
		{"GET /admin/runs/{id}", "/admin/runs/one?settled=true&timeout=1ms", "", 504},
		{"HEAD /admin/runs/{id}", "/admin/runs/one?settled=true&timeout=1ms", "", 504},
		{"GET /admin/runs/{id}/check", "/admin/runs/one/check?attempts=1&settled=true&timeout=1ms", "", 422},
		{"GET /admin/check", "/admin/check?run_prefix=one&attempts=1&timeout=1ms", "", 422},
		{"GET /admin/holds/{name}", "/admin/holds/one?waiting=2&timeout=1ms", "", 504},
		{"GET /admin/clock", "/admin/clock?waiting=1000&timeout=1ms", "", 504},
	} {
		method, _, _ := strings.Cut(tc.operation, " ")
		r := newRequest(t, method, c.base+tc.target, tc.text)
		if ok, reason := c.allows(newRequest(t, method, c.base+tc.target, tc.text)); !ok {
			t.Errorf("%s %s: the document forbids a good request: %s", method, tc.target, reason)
		}
		c.keeps(t, tc.operation, r, tc.status)
	}
	c.keeps(t, "POST /admin/clock", stalling(t, impatient+"/admin/clock"), http.StatusRequestTimeout)
	for operation, path := range map[string]string{
		"PUT /admin/scenario": "/admin/scenario", "PUT /admin/runs/{id}/scenario": "/admin/runs/late/scenario",
	} {
		late := stalling(t, impatient+path)
		late.Method = "PUT"
		c.keeps(t, operation, late, http.StatusRequestTimeout)
	}
	c.tooManyScenarios(t)
	c.tooManyViewers(t)
	c.keeps(t, "POST /admin/runs/{id}/clock", stalling(t, impatient+"/admin/runs/one/clock"), http.StatusRequestTimeout)
	onceHeld(t, c.base, "failed", "DELETE", "/admin/holds/failed")
	c.keeps(t, "GET /hold/{name}", newRequest(t, "GET", c.base+"/hold/failed", ""), http.StatusServiceUnavailable)
}

// tooManyScenarios sets scenarios of runs up to the limit, and one more.
func (c *contract) tooManyScenarios(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	for i := range 1000 {
		exchange(t, newRequest(t, "PUT", fmt.Sprintf("%s/admin/runs/%d/scenario", base, i), routes))
	}
	r := newRequest(t, "PUT", base+"/admin/runs/last/scenario", routes)
	c.keeps(t, "PUT /admin/runs/{id}/scenario", r, http.StatusConflict)
}

// tooManyViewers opens streams of what happens now up to the limit, each from an address of
// its own, and one more.
func (c *contract) tooManyViewers(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	for i := range 200 {
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i))}
		client := http.Client{Transport: &http.Transport{
			DialContext: (&net.Dialer{LocalAddr: from}).DialContext, DisableKeepAlives: true,
		}}
		reply, err := client.Do(newRequest(t, "GET", base+"/admin/live", ""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { reply.Body.Close() })
	}
	c.keeps(t, "GET /admin/live", newRequest(t, "GET", base+"/admin/live", ""), http.StatusServiceUnavailable)
}

// steered controls a server's requests and clock through the admin API.
func (c *contract) steered(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	keep(t, base+"/barrier/b?parties=2&run=r")
	await(t, base+"/admin/clock?waiting=1") // until it waits at the barrier
	keep(t, base+"/hold/h?run=r")
	for _, tc := range []struct {
		operation, target, text string
		status                  int
	}{
		{"GET /barrier/{name}", "/barrier/b?parties=3&run=r", "", 409},
		{"GET /admin/holds/{name}", "/admin/holds/h?waiting=1&timeout=10s", "", 200},
		{"GET /admin/holds", "/admin/holds", "", 200},
		{"GET /admin/clock", "/admin/clock?waiting=2&timeout=5000", "", 200},
		{"GET /admin/runs/{id}", "/admin/runs/r?waiting=2&timeout=10s", "", 200},
		{"GET /admin/runs/{id}", "/admin/runs/r?settled=false", "", 200},
		{"GET /admin/runs", "/admin/runs", "", 200},
		{"GET /admin/runs/{id}/waterfall.svg", "/admin/runs/r/waterfall.svg", "", 200},
		{"GET /admin/runs/{id}/waterfall.txt", "/admin/runs/r/waterfall.txt", "", 200},
		{"POST /admin/clock", "/admin/clock", `{"freeze":true}`, 200},
		{"GET /delay/{delay}", "/delay/0?run=r", "", 200},
		{"POST /admin/clock", "/admin/clock", `{"advance":1.5}`, 200},
		{"POST /admin/clock", "/admin/clock", `{"advance":1e1}`, 200},
		{"POST /admin/clock", "/admin/clock", `{"advance":"10s"}`, 200}, // breaks the barrier
		{"POST /admin/clock", "/admin/clock", `{"scale":0.5}`, 200},
		{"GET /admin/clock", "/admin/clock", "", 200},
		{"POST /admin/clock", "/admin/clock", `{"freeze":false}`, 200},
		{"GET /barrier/{name}", "/barrier/b?parties=1&delay=1&pool=p&workers=1&run=r", "", 200},
		{"POST /admin/clock", "/admin/clock", `{"reset":true}`, 200},
		{"POST /admin/runs/{id}/clock", "/admin/runs/own/clock", `{"freeze":true}`, 200},
		{"POST /admin/runs/{id}/clock", "/admin/runs/own/clock", `{"advance":1.5}`, 200},
		{"POST /admin/runs/{id}/clock", "/admin/runs/own/clock", `{"scale":2}`, 200},
		{"GET /admin/runs/{id}/clock", "/admin/runs/own/clock", "", 200},
		{"GET /admin/runs/{id}/clock", "/admin/runs/own/clock?waiting=1&timeout=1ms", "", 504},
		{"DELETE /admin/runs/{id}", "/admin/runs/own", "", 204},
		{"POST /admin/holds/{name}/release", "/admin/holds/h/release?count=1", "", 200},
		{"GET /admin/runs/{id}", "/admin/runs/r?settled=true&timeout=10s", "", 200},
		{"GET /admin/runs/{id}/waterfall.svg", "/admin/runs/r/waterfall.svg", "", 200},
		{"GET /admin/runs/{id}/check", "/admin/runs/r/check?attempts=99&timeout=1m", "", 422},
		{"GET /admin/runs/{id}/check", "/admin/runs/r/check?backoff=1ms,1.5&jitter=20%25&cap=1s&within=0&path=/hold/h",
			"", 422},
		{"GET /admin/check", "/admin/check?run_prefix=r&statuses=503,reset&retry_after=honoured&breaker=5,10s", "",
			422},
	} {
		method, _, _ := strings.Cut(tc.operation, " ")
		if ok, reason := c.allows(newRequest(t, method, base+tc.target, tc.text)); !ok {
			t.Errorf("%s %s %s: the document forbids a good request: %s", method, tc.target, tc.text, reason)
		}
		c.keeps(t, tc.operation, newRequest(t, method, base+tc.target, tc.text), tc.status)
	}
}

// forbiddenOfTheClock posts invalid commands: the document and the server must both reject
// them.
func (c *contract) forbiddenOfTheClock(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	exchange(t, newRequest(t, "POST", base+"/admin/clock", `{"freeze":true}`)) // an advance needs a frozen clock
	for _, text := range []string{
		"", "null", "[]", "true", `"freeze"`, "{}", `{"freeze":true`, `{"freeze":true}}`,
		`{"freeze":true,"scale":1}`, `{"advence":"1s"}`, `{"speed":2}`, `{"Freeze":true}`,
		`{"advance":0}`, `{"advance":-1}`, `{"advance":null}`, `{"advance":true}`, `{"advance":[1]}`,
		`{"advance":31536000001}`,
		`{"advance":"0"}`, `{"advance":"0s"}`, `{"advance":"-1s"}`, `{"advance":""}`, `{"advance":"x"}`,
		`{"advance":"random"}`, `{"advance":"uniform:1,2"}`,
		`{"freeze":1}`, `{"freeze":"true"}`, `{"freeze":null}`,
		`{"scale":0}`, `{"scale":-1}`, `{"scale":"1"}`, `{"scale":1e7}`, `{"scale":1e-7}`,
		`{"scale":NaN}`, `{"scale":null}`,
		`{"reset":false}`, `{"reset":1}`, `{"reset":null}`,
	} {
		r := newRequest(t, "POST", base+"/admin/clock", text)
		r.Header.Set("Content-Type", "application/json")
		if ok, _ := c.allows(r.Clone(t.Context())); ok {
			t.Errorf("POST /admin/clock %q: the document allows it", text)
		}
		r = newRequest(t, "POST", base+"/admin/clock", text)
		c.keeps(t, "POST /admin/clock", r, http.StatusBadRequest)
	}
}

// clocks are the paths of the server's clock and of a run's, by operation.
var clocks = map[string]string{
	"/admin/clock":           "/admin/clock",
	"/admin/runs/{id}/clock": "/admin/runs/stuck/clock",
}

// stuck returns an advance of a clock past a request whose response the listener never
// takes.
func stuck(t *testing.T, ln *reluctant, path string) *http.Request {
	t.Helper()
	clock := "http://" + ln.Addr().String() + path
	exchange(t, newRequest(t, "POST", clock, `{"freeze":true}`))
	keep(t, "http://"+ln.Addr().String()+"/delay/1000?size=100000&run=stuck") // in parts, sent one by one
	await(t, clock+"?waiting=1")
	return newRequest(t, "POST", clock, `{"advance":"1s"}`)
}

// lateAdvances begins advances that run into their limit of 10 seconds, and returns a
// function that waits for the responses.
func (c *contract) lateAdvances(t *testing.T) (wait func()) {
	t.Helper()
	var replies []func()
	for operation, path := range clocks {
		ln := newReluctant(t)
		serveUntil(t, t.Context(), ln, func(*server.Config) {})
		replies = append(replies, c.later(t, "POST "+operation, stuck(t, ln, path), http.StatusGatewayTimeout))
	}
	return func() {
		t.Helper()
		for _, reply := range replies {
			reply()
		}
	}
}

// later sends a request in a goroutine, and returns a function that waits for the response
// and validates it.
func (c *contract) later(t *testing.T, operation string, r *http.Request, status int) func() {
	t.Helper()
	var reply *http.Response
	var body []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if reply, err = direct.Do(r); err == nil {
			body, err = io.ReadAll(reply.Body)
			reply.Body.Close()
		}
	}()
	return func() {
		t.Helper()
		if <-done; err != nil {
			t.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		reply.Body = io.NopCloser(strings.NewReader(string(body)))
		c.holds(t, operation, r, reply, string(body), status)
	}
}

// stopped stops a server while requests of the admin API wait.
func (c *contract) stopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var replies []func()
	var ln *reluctant
	for operation, path := range clocks {
		ln = newReluctant(t)
		serveUntil(t, ctx, ln, func(*server.Config) {})
		replies = append(replies, c.later(t, "POST "+operation, stuck(t, ln, path), http.StatusServiceUnavailable))
		<-ln.answered
	}
	exchange(t, newRequest(t, "POST", "http://"+ln.Addr().String()+"/admin/runs/own/clock", `{"freeze":true}`))
	for operation, target := range map[string]string{
		"GET /admin/runs/{id}":       "/admin/runs/none?waiting=1",
		"GET /admin/runs/{id}/check": "/admin/runs/stuck/check?peak=1",
		"GET /admin/check":           "/admin/check?run_prefix=stuck&peak=1",
		"GET /admin/runs/{id}/clock": "/admin/runs/own/clock?waiting=1",
		"GET /admin/holds/{name}":    "/admin/holds/none?waiting=1",
		"GET /admin/clock":           "/admin/clock?waiting=1",
	} {
		r := newRequest(t, "GET", "http://"+ln.Addr().String()+target, "")
		replies = append(replies, c.later(t, operation, r, http.StatusServiceUnavailable))
		for <-ln.handled != "GET "+target {
		}
	}
	stop()
	for _, reply := range replies {
		reply()
	}
}

// reluctant is a listener whose connections block responses to /delay/ until the test ends,
// and that reports how far the server is with a request.
type reluctant struct {
	net.Listener
	handled  chan string   // "GET /doc" once a handler has been given the request
	answered chan struct{} // one for each blocked response
	done     <-chan struct{}
}

func newReluctant(t *testing.T) *reluctant {
	t.Helper()
	return &reluctant{wiretest.Listen(t), make(chan string, 100), make(chan struct{}, 1), t.Context().Done()}
}

func (l *reluctant) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &reluctantConn{Conn: conn, of: l}, nil
}

type reluctantConn struct {
	net.Conn
	of   *reluctant
	text string // read so far
}

// net/http calls Read again when the handler runs, to notice that the client closes.
func (c *reluctantConn) Read(b []byte) (int, error) {
	if strings.HasSuffix(c.text, "\r\n\r\n") {
		request, _, _ := strings.Cut(c.text, " HTTP/")
		c.of.handled <- request
	}
	n, err := c.Conn.Read(b)
	if n > 0 { // text does not change while Write reads it
		c.text += string(b[:n])
	}
	return n, err
}

func (c *reluctantConn) Write(b []byte) (int, error) {
	if strings.HasPrefix(c.text, "GET /delay/") {
		select {
		case c.of.answered <- struct{}{}:
		default: // it has been notified
		}
		<-c.of.done
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
