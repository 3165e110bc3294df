package e2e

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// stalled is READ_TIMEOUT and PROXY_TIMEOUT in tests that exceed them.
const stalled = 100 * time.Millisecond

// everyError provokes each error in the document, on each path that has it.
func (c *contract) everyError(t *testing.T) {
	impatient := serveDelays(t, func(s *server.Config) { s.ReadTimeout, s.ProxyTimeout = stalled, stalled })
	compat := serveDelays(t, func(s *server.Config) { s.FlashCompat, s.RedirectHosts = true, []string{"none"} })
	full := serveDelays(t, func(s *server.Config) { s.MaxInFlight = 1 })
	hold(t, full, "/delay/1m", "delay_server_waiting 1")
	hold(t, c.base, "/delay/1m?pool=held&workers=1&queue=0", `delay_server_pool_busy_workers{pool="held"} 1`)
	silent, closed := wiretest.Listen(t), wiretest.Listen(t)
	closed.Close()

	c.errorsOfAll(t, impatient, full)
	c.errorsOfAdmin(t, impatient)
	for _, tc := range []struct {
		path, url string
		status    int
	}{
		{"/delay/{delay}", c.base + "/delay/-1", 400},
		{"/delay/{delay}/", c.base + "/delay/uniform:2,1/", 400},
		{"/delay/{delay}/url/{url}", c.base + "/delay/0/url/ftp%3A%2F%2Fx", 400},
		{"/delay/{delay}/proxy/{url}", c.base + "/delay/0/proxy/user@x", 400},
		{"/drip", c.base + "/drip?code=200&status=200", 400},
		{"/sse", c.base + "/sse?count=0", 400},
		{"/status/{codes}", c.base + "/status/200:0", 400},
		{"/bytes/{n}", c.base + "/bytes/-1", 400},
		{"/barrier/{name}", c.base + "/barrier/b", 400},
		{"/hold/{name}", c.base + "/hold/h?timeout=0", 400},
		{"/distribution.svg", c.base + "/distribution.svg", 400},
		{"/get", c.base + "/get?address=192.0.2.99", 400},
		{"/exercises/{id}/{kind}/{file}", c.base + "/exercises/retry/start/exercise-retry.py?name=", 400},
		{"/status/{codes}", c.base + "/status/401", 401},
		{"/delay/{delay}/url/{url}", compat + "/delay/0/url/example.com", 403},
		{"/delay/{delay}/proxy/{url}", c.base + "/delay/0/proxy/example.com", 403},
		{"/assets/{name}", c.base + "/assets/none", 404},
		{"/problems/{name}", c.base + "/problems/none", 404},
		{"/exercises/{id}/{kind}/{file}", c.base + "/exercises/none/start/exercise-none.py", 404},
		{"/ca.pem", impatient + "/ca.pem", 404},
		{"/get", impatient + "/get", 404},
		{"/get/{name}", c.base + "/get/none", 404},
		{"/get/{name}", c.base + "/get/damaged.txt", 500},
		{"/delay/{delay}", compat + "/delay/abc", 500},
		{"/delay/{delay}/", compat + "/delay/abc/", 500},
		{"/delay/{delay}/url/{url}", compat + "/delay/abc/url/x", 500},
		{"/delay/{delay}/proxy/{url}", compat + "/delay/abc/proxy/x", 500},
		{"/delay/{delay}/proxy/{url}", c.base + "/delay/0/proxy/" + closed.Addr().String(), 502},
		{"/delay/{delay}/proxy/{url}", impatient + "/delay/0/proxy/" + silent.Addr().String(), 504},
		{"/barrier/{name}", c.base + "/barrier/b?parties=2&timeout=1ms", 504},
		{"/hold/{name}", c.base + "/hold/h?timeout=1ms", 504},
	} {
		c.keeps(t, "GET "+tc.path, newRequest(t, "GET", tc.url, ""), tc.status)
	}
	c.draining(t)
}

// errorsOfAll provokes errors that many paths have, with three servers: impatient has a
// READ_TIMEOUT of stalled, full admits no more requests, and in c the pool "held" is in
// use.
func (c *contract) errorsOfAll(t *testing.T, impatient, full string) {
	for name, operation := range c.operations {
		method, path, _ := strings.Cut(name, " ")
		if method != "GET" || isAdmin(operation) {
			continue
		}
		has := func(code string) bool { return operation.Responses.Codes.GetOrZero(code) != nil }
		target := c.sample(name).target
		if has("408") {
			c.keeps(t, "POST "+path, stalling(t, impatient+target), http.StatusRequestTimeout)
		}
		if has("409") {
			c.keeps(t, name, newRequest(t, "GET", with(c.base+target, "pool=held&workers=2"), ""), http.StatusConflict)
		}
		if has("429") { // the first request is admitted, and then refused by the pool
			const limited = "limit=1/h&limit_headers=draft&pool=held&workers=2"
			c.keeps(t, name, newRequest(t, "GET", with(c.base+target, limited), ""), http.StatusConflict)
			c.keeps(t, name, newRequest(t, "GET", with(c.base+target, limited), ""), http.StatusTooManyRequests)
		}
		if has("413") {
			c.keeps(t, "POST "+path, tooLarge(t, c.base+target), http.StatusRequestEntityTooLarge)
		}
		if has("414") {
			c.keeps(t, name, newRequest(t, "GET", tooLong(c.base+target), ""), http.StatusRequestURITooLong)
		}
		if has("503") && path != "/readyz" {
			c.keeps(t, name, newRequest(t, "GET", full+target, ""), http.StatusServiceUnavailable)
		}
	}
}

// tooLarge returns a request whose body is too large forevery endpoint, with Expect:
// 100-continue.
func tooLarge(t *testing.T, url string) *http.Request {
	t.Helper()
	r := newRequest(t, "POST", url, strings.Repeat("x", 1<<20+1))
	r.Header.Set("Expect", "100-continue")
	return r
}

// tooLong returns a URL that is too long.
func tooLong(url string) string { return with(url, "_="+strings.Repeat("x", 8<<10)) }

// with returns a URL with a longer query.
func with(url, query string) string {
	if strings.Contains(url, "?") {
		return url + "&" + query
	}
	return url + "?" + query
}

// hold keeps a request waiting until the test ends, and returns when /metrics has the given
// line. A request instead of /metrics might take the only free place first.
func hold(t *testing.T, base, path, metric string) {
	t.Helper()
	keep(t, base+path)
	wiretest.Eventually(t, "/metrics says "+metric, func() bool {
		_, text := exchange(t, newRequest(t, "GET", base+"/metrics", ""))
		return strings.Contains(text, "\n"+metric+"\n")
	})
}

// keep sends a request that is cancelled when the test ends.
func keep(t *testing.T, url string) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	r := newRequest(t, "GET", url, "").WithContext(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if reply, err := direct.Do(r); err == nil {
			reply.Body.Close()
		}
	}()
	t.Cleanup(func() { leave(); <-done })
}

// stalling returns a request whose body never arrives.
func stalling(t *testing.T, url string) *http.Request {
	t.Helper()
	body, writer := io.Pipe()
	t.Cleanup(func() { writer.Close() })
	r := newRequest(t, "POST", url, "")
	r.Body = body
	r.Header.Set("Content-Type", "text/plain")
	return r
}

// draining calls the handler of a stopped server, which accepts no connections.
func (c *contract) draining(t *testing.T) {
	srv, err := server.New(server.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := srv.Serve(ctx, wiretest.Listen(t)); err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, "GET", c.base+"/readyz", "")
	rec := httptest.NewRecorder()
	srv.Handler().ServeHTTP(rec, r)
	c.holds(t, "GET /readyz", r, rec.Result(), rec.Body.String(), http.StatusServiceUnavailable)
}

// asAsked validates responses whose parameters change status or body.
func (c *contract) asAsked(t *testing.T) {
	for _, tc := range []struct {
		path, target string
		status       int
	}{
		{"/delay/{delay}", "/delay/0?status=400", 400},
		{"/delay/{delay}", "/delay/0?status=429:100", 429},
		{"/delay/{delay}", "/delay/0?status=503", 503},
		{"/delay/{delay}", "/delay/0?status=204", 204},
		{"/delay/{delay}", "/delay/0?size=10", 200},
		{"/delay/{delay}", "/delay/0?header=Content-Type:text/csv&header=X-A:b", 200},
		{"/delay/{delay}", "/delay/0?body_delay=2&rate=1000", 200},
		{"/delay/{delay}", "/delay/0?fail_first=1&run=f", 503},
		{"/delay/{delay}", "/delay/0?fail_first=1&run=f", 200},
		{"/delay/{delay}", "/delay/0?attempts=404,200@1ms&run=g", 404},
		{"/delay/{delay}", "/delay/0?attempts=404,200@1ms&run=g", 200},
		{"/delay/{delay}", "/delay/0?pool=p&workers=1", 200},
		{"/delay/{delay}", "/delay/0?limit=1/h&limit_window=fixed&limit_headers=x", 200},
		{"/delay/{delay}", "/delay/0?limit=1/h&limit_window=fixed&limit_headers=x", 429},
		{"/delay/{delay}", "/delay/0?limit=10/s&burst=5&limit_key=header:X-Api-Key&limit_headers=draft", 200},
		{"/delay/{delay}/", "/delay/0/?status=404", 404},
		{"/drip", "/drip?delay=0&duration=0&code=500", 500},
		{"/sse", "/sse?count=2&interval=1ms&status=500", 500},
		{"/sse", "/sse?count=1&first=1ms", 200},
		{"/status/{codes}", "/status/200?size=3", 200},
		{"/status/{codes}", "/status/500", 500},
		{"/status/{codes}", "/status/302", 302},
		{"/bytes/{n}", "/bytes/0?status=500", 500},
		{"/barrier/{name}", "/barrier/b?parties=1&delay=1ms&status=400", 400},
		{"/barrier/{name}", "/barrier/b?parties=1&status=504&pool=q&workers=1", 504},
		{"/barrier/{name}", "/barrier/b?parties=1&timeout=1.5s&size=10", 200},
	} {
		r := newRequest(t, "GET", c.base+tc.target, "")
		if ok, reason := c.allows(r.Clone(t.Context())); !ok {
			t.Errorf("GET %s: the document forbids a good request: %s", tc.target, reason)
		}
		c.keeps(t, "GET "+tc.path, r, tc.status)
	}
}

// companions are the parameters that a parameter needs.
var companions = map[string]string{"fail_first": "run=a", "attempts": "run=a", "workers": "pool=p",
	"queue": "pool=p&workers=1", "pool": "workers=1", "burst": "limit=1000000/s", "limit_key": "limit=1000000/s",
	"limit_window": "limit=1000000/s", "limit_headers": "limit=1000000/s"}

// suspicious are values that some parameters accept and others do not.
var suspicious = []string{"", "0", "-1", "1.5", "2", "1e3", "99", "200:", "x", "a b", ":", "a:b", "empty",
	"10 ms", "99999999999999999999"}

// forbidden tries each parameter with each suspicious value: the server must reject what
// the document forbids.
func (c *contract) forbidden(t *testing.T) {
	for name, operation := range c.operations {
		method, path, _ := strings.Cut(name, " ")
		if method != "GET" && !isAdmin(operation) {
			continue // their parameters are GET's
		}
		item := c.document.Paths.PathItems.GetOrZero(path)
		for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
			forbidden := 0
			for _, value := range suspicious {
				r := c.trying(t, name, p, value)
				if ok, _ := c.allows(r.Clone(t.Context())); ok {
					continue
				}
				forbidden++
				reply, body := exchange(t, r)
				if reply.StatusCode < 400 || reply.StatusCode > 499 {
					t.Errorf("%s %s %q of %s %s: the document forbids it, the server answers %d %.100s", p.In, p.Name,
						value, method, r.URL, reply.StatusCode, body)
				}
			}
			// Any text is valid, or the parameter is a list, whose items the validator does
			// not match.
			free := []string{"url", "name", "traceparent", "header"}
			if forbidden == 0 && !slices.Contains(free, p.Name) {
				t.Errorf("%s %s of %s: the document forbids none of %q", p.In, p.Name, name, suspicious)
			}
		}
	}
}

// trying returns a valid request for the operation, except that the parameter has the
// value.
func (c *contract) trying(t *testing.T, operation string, p *v3.Parameter, value string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	target, query, _ := strings.Cut(c.sample(operation).target, "?")
	if p.Name == "interval" {
		query = "count=2" // it conflicts with the sample's duration
	}
	if p.Name == "timeout" && strings.HasPrefix(path, "/admin/") {
		query = "waiting=1" // which timeout belongs to
	}
	values, err := url.ParseQuery(query + "&" + companions[p.Name])
	if err != nil {
		t.Fatal(err)
	}
	switch p.In {
	case "path":
		segments, names := strings.Split(target, "/"), strings.Split(path, "/")
		segments[slices.Index(names, "{"+p.Name+"}")] = url.PathEscape(value)
		target = strings.Join(segments, "/")
	case "query":
		values.Set(p.Name, value)
	}
	r := newRequest(t, method, c.base+target+"?"+values.Encode(), "")
	if p.In == "header" {
		r.Header.Set(p.Name, value)
	}
	return r
}
