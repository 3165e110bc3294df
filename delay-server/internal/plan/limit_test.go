package plan_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func TestLimit(t *testing.T) {
	for _, tc := range []struct {
		query string
		want  gate.Rate
	}{
		{"limit=10/s", gate.Rate{Requests: 10, Window: time.Second, Burst: 1}},
		{"limit=10/s&burst=5", gate.Rate{Requests: 10, Window: time.Second, Burst: 5}},
		{"limit=100/m&limit_window=bucket", gate.Rate{Requests: 100, Window: time.Minute, Burst: 1}},
		{"limit=1000/h&limit_window=fixed", gate.Rate{Requests: 1000, Window: time.Hour}},
		{"limit=0.5/s", gate.Rate{Requests: 1, Window: 2 * time.Second, Burst: 1}},
		{"limit=2.25/m", gate.Rate{Requests: 9, Window: 4 * time.Minute, Burst: 1}},
		{"limit=0.001/h&limit_window=fixed", gate.Rate{Requests: 1, Window: 1000 * time.Hour}},
		{"limit=1000000/s&burst=1000000", gate.Rate{Requests: 1_000_000, Window: time.Second, Burst: 1_000_000}},
	} {
		got, err := planOf(t, planner(), request(t, "/delay/0?"+tc.query))
		if err != nil || got.Limit.Rate() != tc.want {
			t.Errorf("%s: got %+v, %v, want %+v", tc.query, got, err, tc.want)
		}
	}
}

func TestInvalidLimits(t *testing.T) {
	const form = ": use 0.001 to 1000000 a second, minute or hour, such as 10/s, 100/m or 1000/h"
	for _, tc := range []struct {
		query string
		kind  problem.Type
		want  string
	}{
		{"limit=", problem.InvalidParameter, `limit "" is invalid` + form},
		{"limit=10", problem.InvalidParameter, `limit "10" is invalid` + form},
		{"limit=0/s", problem.InvalidParameter, `limit "0/s" is invalid` + form},
		{"limit=-1/s", problem.InvalidParameter, `limit "-1/s" is invalid` + form},
		{"limit=NaN/s", problem.InvalidParameter, `limit "NaN/s" is invalid` + form},
		{"limit=1e3/s", problem.InvalidParameter, `limit "1e3/s" is invalid` + form},
		{"limit=1/d", problem.InvalidParameter, `limit "1/d" is invalid` + form},
		{"limit=1/s/s", problem.InvalidParameter, `limit "1/s/s" is invalid` + form},
		{"limit=0.0015/s", problem.InvalidParameter, `limit "0.0015/s" is invalid` + form},
		{"limit=1000000.001/s", problem.InvalidParameter, `limit "1000000.001/s" is invalid` + form},
		{"burst=2", problem.ConflictingParameters, "burst needs limit: add limit=10/s"},
		{"limit_key=ip", problem.ConflictingParameters, "limit_key needs limit: add limit=10/s"},
		{"limit_window=fixed", problem.ConflictingParameters, "limit_window needs limit: add limit=10/s"},
		{"limit_headers=x", problem.ConflictingParameters, "limit_headers needs limit: add limit=10/s"},
		{"limit=1/s&burst=0", problem.InvalidParameter, `burst "0" is invalid: use a whole number from 1 to 1000000`},
		{"limit=1/s&burst=1.5", problem.InvalidParameter,
			`burst "1.5" is invalid: use a whole number from 1 to 1000000`},
		{"limit=0.001/h&burst=1000000", problem.ConflictingParameters,
			"limit=0.001/h and burst=1000000 conflict: the bucket would take over 292 years to fill"},
		{"limit=1/s&limit_window=sliding", problem.InvalidParameter,
			`limit_window "sliding" is invalid: use bucket or fixed`},
		{"limit=1/s&limit_window=fixed&burst=2", problem.ConflictingParameters,
			"limit_window=fixed and burst conflict: a fixed window admits its whole limit at once"},
		{"limit=1/s&limit_key=", problem.InvalidParameter,
			`limit_key "" is invalid: use ip, run or header:NAME, such as header:X-Api-Key`},
		{"limit=1/s&limit_key=X-Api-Key", problem.InvalidParameter,
			`limit_key "X-Api-Key" is invalid: use ip, run or header:NAME, such as header:X-Api-Key`},
		{"limit=1/s&limit_key=header:", problem.InvalidParameter,
			`limit_key "header:" is invalid: use ip, run or header:NAME, such as header:X-Api-Key`},
		{"limit=1/s&limit_key=header:a%20b", problem.InvalidParameter,
			`limit_key "header:a b" is invalid: use ip, run or header:NAME, such as header:X-Api-Key`},
		{"limit=1/s&limit_key=header:host", problem.InvalidParameter,
			`limit_key "header:host" is invalid (Host names this server)` +
				`: use another header, such as header:X-Api-Key`},
		{"limit=1/s&limit_headers=yes", problem.InvalidParameter,
			`limit_headers "yes" is invalid: use draft, x or none`},
		{"limit=1/s&limit_headers=draft&header=ratelimit:a", problem.ConflictingParameters,
			"header=Ratelimit and limit_headers=draft conflict: both set Ratelimit"},
		{"limit=1/s&limit_headers=x&header=X-A:b&header=X-RateLimit-Reset:1", problem.ConflictingParameters,
			"header=X-Ratelimit-Reset and limit_headers=x conflict: both set X-Ratelimit-Reset"},
	} {
		_, err := planOf(t, planner(), request(t, "/delay/0?"+tc.query))
		if !errors.Is(err, tc.kind) || err.Error() != tc.want {
			t.Errorf("%s: got %v, want a %v: %s", tc.query, err, tc.kind, tc.want)
		}
	}
}

// A header that limit_headers does not set may be set beside it.
func TestOtherHeadersBesideALimit(t *testing.T) {
	for _, query := range []string{
		"limit_headers=x&header=RateLimit:a", "limit_headers=draft&header=X-RateLimit-Limit:a",
		"limit_headers=none&header=RateLimit:a", "header=RateLimit:a", "limit_headers=draft&retry_after=2s",
	} {
		if _, err := planOf(t, planner(), request(t, "/delay/0?limit=1/s&"+query)); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// enter plans a request and enters its limit at the time. It returns "" if the request
// is admitted.
func enter(t *testing.T, template *plan.Template, r plan.Request, at time.Time) string {
	t.Helper()
	planned, err := template.Plan(r)
	if err != nil {
		t.Error(err)
		return "invalid"
	}
	key := gate.RateKey{Value: planned.LimitKey.Value} // without a clock of the run
	if _, err := planned.Plan.Limit.Enter(key, at); err != nil {
		return "refused"
	}
	return ""
}

// Two requests count together, or each has a limit of its own.
func TestLimitKeys(t *testing.T) {
	headers := func(name, value string) func(*plan.Request) {
		return func(r *plan.Request) { r.Headers = http.Header{name: {value}} }
	}
	run := func(id string) func(*plan.Request) { return func(r *plan.Request) { r.RunID = id } }
	client := func(ip string) func(*plan.Request) {
		return func(r *plan.Request) { r.Client = netip.MustParseAddr(ip) }
	}
	nothing := func(*plan.Request) {}
	for _, tc := range []struct {
		name       string
		key        string // "" for none
		one, other func(*plan.Request)
		together   bool
	}{
		{"no key: two clients", "", client("10.0.0.1"), client("10.0.0.2"), true},
		{"ip: the same client", "ip", client("10.0.0.1"), client("10.0.0.1"), true},
		{"ip: two clients", "ip", client("10.0.0.1"), client("10.0.0.2"), false},
		{"ip: an unknown client", "ip", nothing, client("10.0.0.2"), false},
		{"run: the same run", "run", run("a"), run("a"), true},
		{"run: two runs", "run", run("a"), run("b"), false},
		{"run: without a run", "run", nothing, nothing, true},
		{"run: a request without a run", "run", nothing, run("a"), false},
		{"run: the run of a trace", "run", func(r *plan.Request) {
			r.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		}, run("4bf92f3577b34da6a3ce929d0e0e4736"), true},
		{"header: the same value", "header:X-Api-Key", headers("X-Api-Key", "a"), headers("X-Api-Key", "a"), true},
		{"header: two values", "header:X-Api-Key", headers("X-Api-Key", "a"), headers("X-Api-Key", "b"), false},
		{"header: a name in lower case", "header:x-api-key", headers("X-Api-Key", "a"), headers("X-Api-Key", "b"),
			false},
		{"header: other headers do not count", "header:X-Api-Key", headers("X-A", "a"), headers("X-A", "b"), true},
		{"header: without the header", "header:X-Api-Key", nothing, nothing, true},
		{"header: a request without it", "header:X-Api-Key", nothing, headers("X-Api-Key", "a"), false},
		{"header: Authorization", "header:Authorization", headers("Authorization", "Bearer a"),
			headers("Authorization", "Bearer b"), false},
	} {
		query := "limit=1/h"
		if tc.key != "" {
			query += "&limit_key=" + tc.key
		}
		for _, window := range []string{"bucket", "fixed"} {
			target := "/delay/0?" + query + "&limit_window=" + window
			p, now := planner(), time.Now()
			one, other := request(t, target), request(t, target)
			tc.one(&one)
			tc.other(&other)
			found := template(t, p, target)
			if got := enter(t, found, one, now); got != "" {
				t.Errorf("%s, %s: the first request is %s", tc.name, window, got)
			}
			if got := enter(t, found, one, now); got != "refused" {
				t.Errorf("%s, %s: the second request of the first is admitted", tc.name, window)
			}
			if got := enter(t, found, other, now) == "refused"; got != tc.together {
				t.Errorf("%s, %s: the other one is refused %v, want %v", tc.name, window, got, tc.together)
			}
		}
	}
}

// Requests count together by path and limit, whatever else the query has, and also if
// the cache has lost the template.
func TestLimitsOfAPath(t *testing.T) {
	const first = "/delay/0?limit=1/h"
	for _, tc := range []struct {
		name, target string
		together     bool
	}{
		{"the same", "/delay/0?limit=1/h", true},
		{"with other parameters", "/delay/0?status=404&limit=1/h&size=10&_=7", true},
		{"with headers", "/delay/0?limit=1/h&limit_headers=draft", true},
		{"the same limit in other words", "/delay/0?limit=1.0/h&burst=1&limit_window=bucket", true},
		{"an escaped path", "/delay/%30?limit=1/h", true},
		{"another path", "/delay/1?limit=1/h", false},
		{"another limit", "/delay/0?limit=2/h", false},
		{"another burst", "/delay/0?limit=1/h&burst=2", false},
		{"another window", "/delay/0?limit=1/h&limit_window=fixed", false},
		{"another key", "/delay/0?limit=1/h&limit_key=ip", false},
	} {
		p, now := planner(), time.Now()
		if got := enter(t, template(t, p, first), request(t, first), now); got != "" {
			t.Errorf("%s: the first request is %s", tc.name, got)
		}
		p.DropTemplates()
		if got := enter(t, template(t, p, tc.target), request(t, tc.target), now) == "refused"; got != tc.together {
			t.Errorf("%s: GET %s after %s is refused %v, want %v", tc.name, tc.target, first, got, tc.together)
		}
	}
}

// Each route of a scenario has its own count, also after the file was read again.
func TestLimitsOfRoutes(t *testing.T) {
	p, now := planner(), time.Now()
	prepare := func() *plan.Template {
		route, errs := p.Prepare("GET /a", url.Values{"limit": {"1/h"}, "body": {"x"}})
		if errs != nil {
			t.Fatal(errs)
		}
		return route
	}
	one, again := prepare(), prepare()
	for i, want := range []string{"", "refused"} {
		for name, route := range map[string]*plan.Template{"first": one, "second": again} {
			if got := enter(t, route, request(t, "/a"), now); got != want {
				t.Errorf("request %d at the %s route: got %q, want %q", i+1, name, got, want)
			}
		}
	}
}

func TestForgettingARunForgetsItsLimits(t *testing.T) {
	const target = "/delay/0?limit=1/h&limit_key="
	p, now := planner(), time.Now()
	a, b, client := request(t, target+"run"), request(t, target+"run"), request(t, target+"header:X-A")
	a.RunID, b.RunID, client.Headers = "a", "b", http.Header{"X-A": {"a"}}
	state := func() string {
		var refused []string
		for _, r := range []plan.Request{a, b, client} {
			found, err := p.Find(r)
			if err != nil {
				t.Fatal(err)
			}
			refused = append(refused, enter(t, found, r, now))
		}
		return strings.Join(refused, ",")
	}
	state()
	if got, want := state(), "refused,refused,refused"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !p.Forget("a") || p.Forget("c") {
		t.Error("Forget does not report whether the run had counts")
	}
	if got, want := state(), ",refused,refused"; got != want {
		t.Errorf("after Forget(a), got %s, want %s", got, want)
	}
	p.ForgetAll()
	if got, want := state(), ",,"; got != want {
		t.Errorf("after ForgetAll, got %s, want %s", got, want)
	}
}

func TestLimitHeaders(t *testing.T) {
	for _, tc := range []struct{ query, want string }{
		{"limit=10/s&burst=5", ""},
		{"limit=10/s&burst=5&limit_headers=none", ""},
		{"limit=10/s&burst=5&limit_headers=draft",
			`RateLimit: "default";r=4;t=1, RateLimit-Policy: "default";q=10;w=1`},
		{"limit=100/m&limit_window=fixed&limit_headers=draft",
			`RateLimit: "default";r=99;t=60, RateLimit-Policy: "default";q=100;w=60`},
		{"limit=0.5/s&limit_headers=draft", `RateLimit: "default";r=0;t=2, RateLimit-Policy: "default";q=1;w=2`},
		{"limit=10/s&burst=5&limit_headers=x",
			"X-RateLimit-Remaining: 4, X-RateLimit-Reset: 946684802, X-RateLimit-Limit: 5"},
		{"limit=100/m&limit_window=fixed&limit_headers=x",
			"X-RateLimit-Remaining: 99, X-RateLimit-Reset: 946684861, X-RateLimit-Limit: 100"},
	} {
		synctest.Test(t, func(t *testing.T) { // begins at the Unix time 946684800
			time.Sleep(950 * time.Millisecond) // so that times are rounded up
			target := "/delay/0?" + tc.query
			planned, err := template(t, planner(), target).Plan(request(t, target))
			if err != nil {
				t.Fatal(err)
			}
			quota, err := planned.Plan.Limit.Enter(planned.LimitKey, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			var fields []string
			if found := planned.Plan.Template; found.ShowsLimit() {
				for _, f := range append(found.LimitQuota(quota), found.LimitPolicy()) {
					fields = append(fields, f.Name+": "+f.Value)
				}
			}
			if got := strings.Join(fields, ", "); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.query, got, tc.want)
			}
		})
	}
}

// Each of 50 keys has its limit, while templates come and go.
func TestLimitsInParallel(t *testing.T) {
	const keys, limit = 50, 7
	p, now := planner(), time.Now()
	target := fmt.Sprintf("/delay/0?limit=%d/h&limit_window=fixed&limit_key=header:X-Api-Key", limit)
	var all sync.WaitGroup
	for key := range keys {
		all.Go(func() {
			r := request(t, target)
			r.Headers = http.Header{"X-Api-Key": {fmt.Sprint("key ", key)}}
			admitted := 0
			for i := range 2 * limit {
				other := request(t, fmt.Sprintf("/delay/%d?limit=1/h", key*1000+i))
				if _, err := planOf(t, p, other); err != nil {
					t.Error(err)
				}
				found, err := p.Find(r)
				if err != nil {
					t.Error(err)
					return
				}
				if enter(t, found, r, now) == "" {
					admitted++
				}
			}
			if admitted != limit {
				t.Errorf("key %d was admitted %d times, want %d", key, admitted, limit)
			}
		})
	}
	all.Wait()
}
