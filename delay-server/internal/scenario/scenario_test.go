package scenario

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/plan"
)

// shop has every key of a route.
const shop = `
routes:
  - method: GET
    path: /products/{id}
    delay: 250
    json: {name: <kettle>, id: 7, since: 2024-01-31, price: 1.50}
    headers: {Cache-Control: max-age=60, Set-Cookie: [a=1, b=2]}
    pool: &db {name: db, workers: 4, queue: 16}
  - {method: GET, path: /products/sale, status: 302, headers: {Location: /elsewhere}, pool: *db}
  - {method: POST, path: /products/sale, body: text, fail_first: 1, body_delay: 10ms, rate: 100}
  - {method: OPTIONS, path: /own, status: 204}
  - {path: /any, size: 10, fault: truncate}
  - {path: /tree/, limit: {rate: 10/s, burst: 5}}
  - {path: '/files/{name...}'}
  - {path: '/orders/{id}', barrier: {name: checkout, parties: 3}, delay: 2s}
  - {path: '/orders/{id}/paid', barrier: {name: checkout, parties: 3, timeout: 5s}}
  - {path: '/holds/{id}', hold: {name: checkout}}
  - {path: '/holds/{id}/paid', hold: {name: checkout, timeout: 5s}}
  - {path: /caf%C3%A9, body: escaped}
  - {path: /tee/é, body: plain}
  - {path: /, body: root}
`

func load(t testing.TB, text string) *Scenario {
	t.Helper()
	s, err := Load("f.yaml", []byte(text), planner())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFind(t *testing.T) {
	without := load(t, shop)
	s := load(t, shop+"  - {method: GET, path: '/{rest...}', body: rest}\n")
	if s.Routes() != 15 {
		t.Errorf("Routes() = %d, want 15", s.Routes())
	}
	for _, tc := range []struct {
		name, method, path string
		want               string // the methods that are answered there, "a route" or a route's body
	}{
		{"a parameter", "GET", "/products/7", "a route"},
		{"HEAD by GET", "HEAD", "/products/7", "a route"},
		{"a parameter with a slash in it", "GET", "/products/a%2Fb", "a route"},
		{"another method", "POST", "/products/7", "GET, HEAD, OPTIONS"},
		{"another method of the more specific path", "DELETE", "/products/sale", "GET, HEAD, OPTIONS, POST"},
		{"any method", "PATCH", "/any", "a route"},
		{"any method is not OPTIONS", "OPTIONS", "/any", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
		{"any method is not TRACE", "TRACE", "/any", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
		{"an unknown method", "BREW", "/any", "a route"},
		{"a method of WebDAV", "PROPFIND", "/any", "a route"},
		{"HEAD of any method", "HEAD", "/any", "a route"},
		{"OPTIONS in the file", "OPTIONS", "/own", "a route"},
		{"a last slash", "POST", "/tree/", "a route"},
		{"below a last slash there is nothing", "POST", "/tree/x", ""},
		{"an escaped first segment", "POST", "/f%69les/a", "a route"},
		{"an escaped first segment that is no route's", "POST", "/f%2Files/a", ""},
		{"all that follow", "POST", "/files/a/b/c", "a route"},
		{"escaped in the file, not by the client", "GET", "/café", "escaped"},
		{"escaped by the client, not in the file", "GET", "/tee/%C3%A9", "plain"},
		{"the least specific", "GET", "/what/ever", "rest"},
		{"the root", "GET", "/", "root"},
		{"the server's own", "GET", "/healthz", ""},
		{"below the server's own", "GET", "/admin/runs/1", ""},
		{"begins like the server's own", "GET", "/administration", "rest"},
		{"a path that is not clean", "GET", "/products//7", ""},
		{"dots", "GET", "/products/../any", ""},
		{"dots for a parameter", "GET", "/products/..", ""},
		{"an empty parameter", "GET", "/products/", ""},
		{"a slash after a parameter", "GET", "/products/7/", ""},
		{"all that follow: an empty segment", "GET", "/files/a//b", "a route"},
		{"all that follow: nothing", "GET", "/files/", "a route"},
		{"all that follow: an empty segment alone", "GET", "/files//", "a route"},
		{"all that follow: dots", "GET", "/files/a/../b", "a route"},
		{"all that follow: a last slash", "GET", "/files/a/b/", "a route"},
		{"all that follow: an escaped slash", "GET", "/files/a%2Fb", "a route"},
		{"all that follow, not what stands before", "GET", "/files", ""},
		{"an escaped slash for a slash", "GET", "/files%2Fa", ""},
		{"the server's own, with an escaped slash", "GET", "/admin%2Fruns", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := s
			if tc.want != "rest" && !isReserved(tc.path[1:]) { // these two have a rest to fall to
				s = without
			}
			u, err := url.Parse("http://example.com" + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			template, allowed := s.Find(tc.method, u.EscapedPath())
			got := allowed
			if template != nil {
				got = "a route"
				if body := planOf(t, template, "").Answer.Body.Whole; tc.want != got {
					got = string(body)
				}
			}
			if got != tc.want {
				t.Errorf("Find(%s %s): got %q, want %q", tc.method, tc.path, got, tc.want)
			}
		})
	}
}

func TestRoutePlans(t *testing.T) {
	s := load(t, shop)
	find := func(method, path string) *plan.Plan {
		template, _ := s.Find(method, path)
		if template == nil {
			t.Fatalf("%s %s has no route", method, path)
		}
		return planOf(t, template, method+path)
	}
	p := find("GET", "/products/7")
	if p.Wait != 250*time.Millisecond || p.Template.Ignored != nil || p.Answer.Status != 200 {
		t.Errorf("got %+v, want 250ms, and nothing of the query", p)
	}
	if got, want := string(p.Answer.Body.Whole),
		`{"name":"<kettle>","id":7,"since":"2024-01-31","price":1.5}`; got != want {
		t.Errorf("json: got %s, want %s", got, want)
	}
	if n := len(p.Answer.Header); n != 3 {
		t.Errorf("headers: got %v, want all 3", p.Answer.Header)
	}
	if p.Pool == nil || p.Pool.Name != "db" || p.Pool.Workers != 4 || p.Pool.Queue != 16 || !p.Pool.Operator {
		t.Errorf("pool: got %+v, want db of 4 and 16", p.Pool)
	}
	if p := find("GET", "/products/sale"); p.Answer.Status != 302 || p.Pool == nil {
		t.Errorf("got %+v, want 302 and the pool by its alias", p)
	}
	if first, second := find("POST", "/products/sale"), find("POST", "/products/sale"); first.Answer.Status != 503 ||
		second.Answer.Status != 200 {
		t.Errorf("fail_first: got %d, then %d, want 503, then 200", first.Answer.Status, second.Answer.Status)
	}
	if p := find("GET", "/tree/"); p.Limit == nil || len(p.Answer.Body.Whole) != 0 || p.Answer.ContentType != "" {
		t.Errorf("got %+v, want a limit and no body", p)
	}
	for path, want := range map[string]gate.BarrierSpec{
		"/orders/7":      {Name: "checkout", Parties: 3, Timeout: 10 * time.Second},
		"/orders/7/paid": {Name: "checkout", Parties: 3, Timeout: 5 * time.Second},
	} {
		if p := find("GET", path); p.Barrier == nil || *p.Barrier != want || p.Hold != nil {
			t.Errorf("%s: got %+v and %+v, want the barrier %+v alone", path, p.Barrier, p.Hold, want)
		}
	}
	for path, want := range map[string]gate.HoldSpec{
		"/holds/7":      {Name: "checkout", Timeout: time.Minute},
		"/holds/7/paid": {Name: "checkout", Timeout: 5 * time.Second},
	} {
		if p := find("GET", path); p.Hold == nil || *p.Hold != want || p.Barrier != nil {
			t.Errorf("%s: got %+v and %+v, want the hold %+v alone", path, p.Barrier, p.Hold, want)
		}
	}
	if p := find("GET", "/orders/7"); p.Wait != 2*time.Second {
		t.Errorf("got a wait of %v after the barrier, want 2s", p.Wait)
	}
	if p := find("GET", "/any"); p.Answer.Body.Length != 10 || p.Answer.Fault != "truncate" {
		t.Errorf("got %+v, want 10 bytes, truncated", p.Answer)
	}
}

func TestJSONIsInTheOrderOfTheFile(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"a mapping", "{z: 1, a: {y: 2, b: 3}, m: [{d: 4, c: 5}]}", `{"z":1,"a":{"y":2,"b":3},"m":[{"d":4,"c":5}]}`},
		{"JSON as it is", `{"b": "x", "a": null, "c": true}`, `{"b":"x","a":null,"c":true}`},
		{"an alias", "{b: &x {d: 1, c: 2}, a: *x}", `{"b":{"d":1,"c":2},"a":{"d":1,"c":2}}`},
		{"an alias for a key", "{b: &x k, *x : 1}", `{"b":"k","k":1}`},
		{"a merge in its place", "{z: 1, <<: {y: 2, a: 3}, b: 4}", `{"z":1,"y":2,"a":3,"b":4}`},
		{"a merge that is overridden before and after it", "{z: 1, <<: {z: 2, y: 3, x: 4}, y: 5}",
			`{"z":1,"x":4,"y":5}`},
		{"merges, the first of which counts", "{<<: [{b: 1}, {b: 2, a: 3}]}", `{"b":1,"a":3}`},
		{"a key that is no merge", `{"<<": {b: 1}, a: 2}`, `{"<<":{"b":1},"a":2}`},
		{"strings like other values", `["01", "1", !!str 0100, 'true', 2024-01-31]`,
			`["01","1","0100","true","2024-01-31"]`},
		{"one value", "<&>", `"<&>"`},
		{"nothing", "", "null"},
		{"empty ones", "[{}, [], '']", `[{},[],""]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, _ := load(t, "routes:\n  - path: /a\n    json: "+tc.yaml+"\n").Find("GET", "/a")
			if got := string(planOf(t, template, "").Answer.Body.Whole); got != tc.want {
				t.Errorf("json: %s: got %s, want %s", tc.yaml, got, tc.want)
			}
		})
	}
}

func TestExample(t *testing.T) {
	for _, tc := range []struct{ name, text, method, path string }{
		{"the first that answers GET", "routes: [{method: POST, path: /a}, {method: GET, path: '/b/{id}'}, {path: /c}]",
			"GET", "/b/1"},
		{"any method answers GET", "routes: [{path: '/b/{rest...}'}]", "GET", "/b/1"},
		{"none that answers GET", "routes: [{method: POST, path: /a}, {method: PUT, path: /b}]", "POST", "/a"},
		{"a path that has to be escaped", "routes: [{path: /café%2F}]", "GET", "/caf%C3%A9%2F"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := load(t, tc.text)
			method, path := s.Example()
			if method != tc.method || path != tc.path {
				t.Errorf("got %s %s, want %s %s", method, path, tc.method, tc.path)
			}
			if template, _ := s.Find(method, path); template == nil {
				t.Errorf("%s %s has no route", method, path)
			}
		})
	}
}

func TestFailFirstCountsByRoute(t *testing.T) {
	s := load(t, "routes: [{path: '/a/{id}', fail_first: 2}]")
	var got []int
	for _, path := range []string{"/a/1", "/a/2", "/a/3"} { // of no run
		template, _ := s.Find("GET", path)
		got = append(got, planOf(t, template, "").Answer.Status)
	}
	if got[0] != 503 || got[1] != 503 || got[2] != 200 {
		t.Errorf("got %v, want 503 twice and then 200", got)
	}
}

func TestAttempts(t *testing.T) {
	s := load(t, `
routes:
  - path: /orders
    delay: 5ms
    json: {id: 7}
    headers: {X-A: b}
    attempts:
      - 503
      - 429@2s
      - {status: 503, headers: {Retry-After: "3"}, body: later}
      - &last {fault: reset, delay: 1s}
      - *last
      - {}
`)
	template, _ := s.Find("GET", "/orders")
	var got []string
	for range 7 {
		p := planOf(t, template, "r1")
		got = append(got, fmt.Sprintf("%d %s %v %q %v", p.Answer.Status, p.Answer.Fault, p.Wait, p.Answer.Body.Whole,
			p.Answer.Header[0]))
	}
	want := []string{
		`503  5ms "{\"id\":7}" {X-A b}`,
		`429  2s "{\"id\":7}" {X-A b}`,
		`503  5ms "later" {Retry-After 3}`,
		`200 reset 1s "{\"id\":7}" {X-A b}`, // not sent
		`200 reset 1s "{\"id\":7}" {X-A b}`,
		`200  5ms "{\"id\":7}" {X-A b}`,
		`200  5ms "{\"id\":7}" {X-A b}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// planOf plans a request of the run. Its query has parameters, which a route ignores.
func planOf(t testing.TB, template *plan.Template, run string) *plan.Plan {
	t.Helper()
	planned, err := template.Plan(plan.Request{Method: "GET", Path: "/x", Query: "status=500&stauts=1&rum=r2",
		RunID: run, ProtoMajor: 1})
	p, got := planned.Plan, planned.Run
	if err != nil || got != run || p.Template == nil {
		t.Fatalf("got %+v of run %q, %v, want a plan of run %q", p, got, err, run)
	}
	return p
}

func BenchmarkFind(b *testing.B) {
	var text strings.Builder
	text.WriteString("routes:\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "  - {method: GET, path: '/shop%d/products/{id}', delay: 250}\n", i)
	}
	s := load(b, text.String())
	for _, path := range []string{"/shop4711/products/7", "/shop4711/nothing/7", "/delay/1000"} {
		b.Run(path[1:], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Find("GET", path)
			}
		})
	}
	b.Run("with a plan", func(b *testing.B) {
		r := plan.Request{Method: "GET", Path: "/shop4711/products/7", RunID: "monday", ProtoMajor: 1}
		b.ReportAllocs()
		for b.Loop() {
			template, _ := s.Find(r.Method, r.Path)
			if _, err := template.Plan(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestFindAllocatesNothing(t *testing.T) {
	s := load(t, shop)
	for _, path := range []string{"/products/7", "/files/a/b/c", "/delay/1000"} {
		if n := testing.AllocsPerRun(100, func() { s.Find("GET", path) }); n != 0 {
			t.Errorf("Find(GET, %s) allocates %v times", path, n)
		}
	}
}
