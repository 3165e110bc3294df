package plan_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// attempts describes the plans of n requests like r: fault or status, wait, and size of
// the body.
func attempts(t testing.TB, p *plan.Planner, r plan.Request, n int) string {
	t.Helper()
	var all []string
	for range n {
		got, err := planOf(t, p, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, describeAttempt(got))
	}
	return strings.Join(all, " ")
}

func describeAttempt(p *plan.Plan) string {
	text := fmt.Sprint(p.Answer.Status)
	if p.Answer.Fault != "" {
		text = string(p.Answer.Fault)
	}
	if p.Wait > 0 {
		text += "@" + p.Wait.String()
	}
	return text
}

func TestAttempts(t *testing.T) {
	for _, tc := range []struct{ name, target, want string }{
		{"the last entry repeats", "/delay/0?attempts=503,429,200", "503 429 200 200 200"},
		{"an entry of its own delay", "/delay/5?attempts=503@2s,503@3,reset,200@1.5s",
			"503@2s 503@3ms reset@5ms 200@1.5s 200@1.5s"},
		{"one entry", "/delay/0?attempts=404", "404 404 404 404 404"},
		{"equal entries", "/delay/0?attempts=503,503,503,200,503", "503 503 503 200 503"},
		{"faults", "/delay/0?attempts=reset,empty,garbage,truncate,hang", "reset empty garbage truncate empty@1m0s"},
		{"a random delay", "/delay/uniform:1s,2s?attempts=503@1s,200@2s", "503@1s 200@2s 200@2s 200@2s 200@2s"},
		{"seconds as in go-httpbin", "/bytes/10?delay=1&attempts=503@2,200", "503@2s 200@1s 200@1s 200@1s 200@1s"},
		{"after a hold", "/hold/a?delay=1&attempts=503@2,200", "503@2ms 200@1ms 200@1ms 200@1ms 200@1ms"},
		{"at a barrier", "/barrier/a?parties=2&attempts=reset,200", "reset 200 200 200 200"},
		{"a stream", "/sse?count=2&attempts=truncate,200", "truncate 200 200 200 200"},
		{"asterisks", "/drip?delay=0&attempts=503,200", "503 200 200 200 200"},
		{"a status without a body", "/delay/0?attempts=204,200&size=5", "204 200 200 200 200"},
		{"more entries than a cached template has", "/delay/0?attempts=201,202,203,206,400,401,402,403,404,405",
			"201 202 203 206 400"},
		{"fail_first, short", "/delay/0?fail_first=2", "503 503 200 200 200"},
		{"fail_first and a status", "/delay/0?fail_first=2&status=429", "429 429 200 200 200"},
		{"fail_first and a fault", "/delay/0?fail_first=2&fault=truncate",
			"truncate truncate truncate truncate truncate"},
		{"fail_first and a random status", "/delay/0?fail_first=4&status=200:50", "503 503 503 503 200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, tc.target)
			r.RunID = "a"
			if got := attempts(t, planner(), r, 5); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.target, got, tc.want)
			}
		})
	}
}

// The other parameters apply to each attempt as to a single answer.
func TestAttemptsTakeTheOtherParameters(t *testing.T) {
	p := planner()
	r := request(t,
		"/delay/7?attempts=503,reset,204,200@9&run=a&size=100&retry_after=3s&header=X-A:b&rate=1&pool=db&workers=1")
	for i, want := range []struct {
		size    int64
		sending time.Duration
		wait    time.Duration
	}{
		{100, 100 * time.Millisecond, 7 * time.Millisecond},
		{100, 0, 7 * time.Millisecond}, // not sent
		{0, 0, 7 * time.Millisecond},
		{100, 100 * time.Millisecond, 9 * time.Millisecond},
	} {
		got, err := planOf(t, p, r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Answer.Body.Size() != want.size || got.Sending != want.sending || got.Wait != want.wait ||
			got.Pool == nil {
			t.Errorf("attempt %d: got a body of %d bytes in %v after %v, want %+v", i+1, got.Answer.Body.Size(),
				got.Sending, got.Wait, want)
		}
		var names []string
		for _, f := range got.Answer.Header {
			names = append(names, f.Name+":"+f.Value)
		}
		if !slices.Contains(names, "Retry-After:3") || !slices.Contains(names, "X-A:b") {
			t.Errorf("attempt %d has the header %v, want Retry-After and X-A", i+1, names)
		}
	}
}

func TestAttemptsRefuse(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		kind         problem.Type
		want         string
	}{
		{"an unknown word", "/delay/0?attempts=503,bogus", invalid,
			`attempts "bogus" is invalid (unknown word): use a status from 200 to 599, or reset, empty, garbage,`},
		{"a misspelled fault", "/delay/0?attempts=rest@2s", invalid,
			`attempts "rest@2s" is invalid (did you mean "reset"?): `},
		{"a status below 200", "/delay/0?attempts=100", invalid, `attempts "100" is invalid (unknown word): use`},
		{"nothing", "/delay/0?attempts=", invalid, `attempts "" is invalid (unknown word): use`},
		{"an empty entry", "/delay/0?attempts=503,,200", invalid, `attempts "" is invalid (unknown word): use`},
		{"a space", "/delay/0?attempts=503,%20200", invalid, `attempts " 200" is invalid (unknown word): use`},
		{"percentages", "/delay/0?attempts=503:50", invalid, `attempts "503:50" is invalid (unknown word): use`},
		{"a delay that is none", "/delay/0?attempts=503@soon", invalid,
			`attempts "soon" is invalid (unknown form): use`},
		{"an empty delay", "/delay/0?attempts=503@", invalid, `attempts "" is invalid (empty): use`},
		{"a random delay", "/delay/0?attempts=503@random", invalid,
			`attempts "503@random" is invalid (random delay): use a fixed delay, such as 503@2s`},
		{"a delay above MAX_DELAY", "/delay/0?attempts=503@2m", invalid,
			`attempts "2m" is invalid (longer than MAX_DELAY): use up to 1m0s (60000 ms)`},
		{"a hang with a delay", "/delay/0?attempts=hang@2s", invalid,
			`attempts "hang@2s" is invalid (hang lasts for MAX_DELAY): use hang`},
		{"1001 entries", "/delay/0?attempts=200" + strings.Repeat(",200", 1000), invalid,
			`attempts has 1001 entries: use 1 to 1000`},
		{"no run", "/delay/0?attempts=503", conflict,
			`attempts needs a run: add run=NAME, the header X-Run-Id or attempts_key`},
		{"fail_first without a run", "/delay/0?fail_first=1", conflict,
			`fail_first needs a run: add run=NAME, the header X-Run-Id or attempts_key`},
		{"a status", "/delay/0?attempts=503&status=404", conflict,
			`status and attempts conflict: each attempt has its own`},
		{"a fault", "/delay/0?attempts=503&fault=reset", conflict,
			`fault and attempts conflict: each attempt has its own`},
		{"fail_first", "/delay/0?attempts=503&fail_first=1", conflict,
			`fail_first and attempts conflict: each attempt has its own`},
		{"the code of /drip", "/drip?attempts=503&code=404", conflict,
			`attempts and code conflict: each attempt has its own`},
		{"the status of the path", "/status/503?attempts=503", conflict,
			`/status/{codes} and attempts conflict: use /delay/{delay}`},
		{"a redirect", "/delay/0/url/example.com?attempts=503", conflict,
			`/delay/{delay}/url/{url} and attempts conflict: the answer is the target's; if the target has this`},
		{"a proxy", "/delay/0/proxy/example.com?x=1&attempts_key=header:A", conflict,
			`/delay/{delay}/proxy/{url} and attempts_key conflict: the answer is the target's; if the target has`},
		{"a size without any response", "/delay/0?attempts=reset,empty&size=5", conflict,
			`attempts=reset and size conflict: this fault sends no response`},
		{"a size without any body", "/delay/0?attempts=204,304&size=5", conflict,
			`attempts=204 and size conflict: this status has no body`},
		{"a path without any response", "/bytes/5?attempts=reset", conflict,
			`attempts=reset and /bytes/{n} conflict: this fault sends no response`},
		{"nothing to cut", "/bytes/1?attempts=200,truncate", conflict,
			`attempts=truncate and a body of 1 bytes conflict: use a body of 2 bytes or more`},
		{"an empty body to slow", "/bytes/0?attempts=200,503&rate=1", conflict,
			`rate and an empty body conflict: there is nothing to slow`},
		{"a delay and a body above MAX_DELAY", "/delay/0?attempts=200,200@50s&size=20&rate=0.001", conflict,
			`delay 50s, body_delay 0s and a body that takes 20s are longer than MAX_DELAY=1m0s in total`},
		{"a near miss", "/delay/0?atempts=503", unknown, `unknown parameter "atempts"; did you mean "attempts"?`},
		{"another key", "/delay/0?attempts_key=cookie:a", invalid,
			`attempts_key "cookie:a" is invalid: use header:NAME, such as header:Idempotency-Key`},
		{"no name of a header", "/delay/0?attempts_key=header:a%20b", invalid,
			`attempts_key "header:a b" is invalid: use`},
		{"a header that is no header of net/http", "/delay/0?attempts_key=header:host", invalid,
			`attempts_key "header:host" is invalid: use header:NAME`},
		{"a request without the header", "/delay/0?attempts_key=header:x-key&run=a", problem.InvalidHeader,
			`header X-Key is missing: attempts_key counts by it`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, RedirectHosts: plan.HostList{"*"},
				ProxyHosts: plan.HostList{"*"}})
			r := request(t, tc.target)
			if !strings.Contains(tc.want, "needs a run") {
				r.RunID = "a"
			}
			got, err := planOf(t, p, r)
			if !errors.Is(err, tc.kind) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%.80s: got %+v, %v, want %v: %s", tc.target, got, err, tc.kind, tc.want)
			}
		})
	}
}

// A target may have the parameter, if the whole URL is percent-encoded.
func TestATargetMayHaveAttempts(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, RedirectHosts: plan.HostList{"*"}})
	const target = "http://example.com/?attempts=3"
	got, err := planOf(t, p, request(t, "/delay/0/url/"+url.QueryEscape(target)))
	if err != nil || got.Answer.Location != target {
		t.Errorf("got %+v, %v, want a redirect to %s", got, err, target)
	}
}

func TestAttemptsKeyCountsByHeader(t *testing.T) {
	p := planner()
	for i, tc := range []struct{ name, run, key, target, want string }{
		{"the first", "", "k1", "/delay/0", "503"},
		{"another key", "", "k2", "/delay/0", "503"},
		{"another path", "", "k1", "/delay/0.5", "200@500µs"},
		{"a run, which counts apart", "a", "k1", "/delay/0", "503"},
		{"the run again", "a", "k1", "/delay/0", "200"},
		{"another run", "b", "k1", "/delay/0", "503"},
		{"no run again", "", "k2", "/delay/0", "200"},
	} {
		r := request(t, tc.target+"?attempts=503,200&attempts_key=header:idempotency-key")
		r.RunID, r.Headers = tc.run, http.Header{"Idempotency-Key": {tc.key}}
		if got := attempts(t, p, r, 1); got != tc.want {
			t.Errorf("request %d, %s: got %s, want %s", i, tc.name, got, tc.want)
		}
	}
	r := request(t, "/delay/0?attempts_key=header:K") // without a script
	r.Headers = http.Header{"K": {"v"}}
	if one, two := attempt(t, p, r), attempt(t, p, r); one != 1 || two != 2 {
		t.Errorf("got the attempts %d and %d, want 1 and 2", one, two)
	}
	if !p.Forget("a") || p.Forget("k1") {
		t.Error("forgetting the run a, then a run named like a key: want true, false")
	}
	r = request(t, "/delay/0?fail_first=1&attempts_key=header:K")
	r.Headers = http.Header{"K": {"w"}}
	if got := attempts(t, p, r, 2); got != "503 200" {
		t.Errorf("fail_first by key: got %s, want 503 200", got)
	}
}

// Keys without end displace each other, but no run that is in use.
func TestManyAttemptsKeys(t *testing.T) {
	p := planner()
	before := heap()
	for i := range 250_000 {
		r := plan.Request{Method: "POST", Path: "/delay/0", Query: "attempts=503,200&attempts_key=header:K",
			ProtoMajor: 1,
			Headers:    http.Header{"K": {strings.Repeat("k", 100) + fmt.Sprint(i)}}}
		if got := attempt(t, p, r); got != 1 {
			t.Fatalf("key %d: attempt %d, want 1", i, got)
		}
		if i%10_000 == 0 {
			if got := attempt(t, p, ofRun("used", "/delay/0")); got != 1+i/10_000 {
				t.Fatalf("a run in use, after %d keys: attempt %d, want %d", i, got, 1+i/10_000)
			}
		}
	}
	const limit = 25 << 20
	if got := heap() - before; got > limit {
		t.Errorf("the counts of 250,000 keys take %d bytes, want at most %d", got, limit)
	}
	runtime.KeepAlive(p)
}

// A script may be long, but does not stay in memory then.
func TestLongScripts(t *testing.T) {
	words := make([]string, plan.MaxAttempts)
	for i := range words {
		words[i] = fmt.Sprintf("%d@%d", 200+i%400, i+1)
	}
	p := planner()
	r := request(t, "/delay/0?attempts="+strings.Join(words, ","))
	r.RunID = "a"
	for i := range 20 { // more take long on a loaded machine
		if got, want := attempts(t, p, r, 1), words[i]+"ms"; got != want {
			t.Fatalf("attempt %d: got %s, want %s", i+1, got, want)
		}
	}
	before := heap()
	for i := range 300 { // of lengths that are cached
		r := request(t, fmt.Sprintf("/delay/0.%d?attempts=%s", i, strings.Join(words[:100], ",")))
		r.RunID = "a"
		attempts(t, p, r, 1)
	}
	if each := (heap() - before) / 300; each > 1000 {
		t.Errorf("a script of 100 entries keeps %d bytes, want at most 1000", each)
	}
	runtime.KeepAlive(p)
}

// Attempts that draw nothing share their plans, and allocate nothing but the run.
func TestAttemptsShareTheirPlans(t *testing.T) {
	p := planner()
	r := request(t, "/delay/5?attempts=503,503@2s,reset,200")
	r.RunID = "a"
	plans := map[*plan.Plan]bool{}
	for range 20 {
		made, err := planOf(t, p, r)
		if err != nil {
			t.Fatal(err)
		}
		plans[made] = true
	}
	if len(plans) != 4 {
		t.Errorf("20 requests have %d plans, want 4", len(plans))
	}
	if n := testing.AllocsPerRun(200, func() { _, _ = planOf(t, p, r) }); n > 1 {
		t.Errorf("a plan takes %v allocations, want 1: the run", n)
	}
}

// Attempts do not change the random numbers of a seed.
func TestAttemptsKeepTheSeedsStream(t *testing.T) {
	want := draws(t, planner(), 3, "seed=7&run=a")
	if got := draws(t, planner(), 3, "seed=7&run=a&attempts=503,404,200"); !slices.Equal(got, want) {
		t.Errorf("got the waits %v, want %v as without attempts", got, want)
	}
}

// Flash's number is repeated as written, unless an attempt has its own delay.
func TestAttemptsWithFlashsNumbers(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, Flash: true})
	r := request(t, "/delay/5.0?attempts=503@2s,200&run=a")
	for _, want := range []string{
		`{"status":503,"message":"Mock response from Flash","delay":"2000 ms"}`,
		`{"status":200,"message":"Mock response from Flash","delay":"5.0 ms"}`,
	} {
		if got, err := planOf(t, p, r); err != nil || string(got.Answer.Body.Whole) != want {
			t.Errorf("got %+v, %v, want %s", got, err, want)
		}
	}
}

func TestForgetARunsAttempts(t *testing.T) {
	p := planner()
	r := request(t, "/delay/0?attempts=503,200&run=a")
	first := attempts(t, p, r, 2)
	if !p.Forget("a") {
		t.Error("the run a is not known")
	}
	if again := attempts(t, p, r, 2); again != first || again != "503 200" {
		t.Errorf("got %s, and %s after the run was forgotten, want 503 200 twice", first, again)
	}
}

func TestRouteAttempts(t *testing.T) {
	p := planner()
	template, errs := p.Prepare("GET /a", url.Values{"attempts": {""}, "body": {"base"}, "delay": {"5ms"},
		"header": {"X-A: 1"}, "limit": {"10/s"}, "hold": {"h"}, "timeout": {"1s"}},
		url.Values{"status": {"503"}},
		url.Values{"fault": {"reset"}, "delay": {"2s"}},
		url.Values{"json": {"{}"}, "header": {"X-B: 2"}, "barrier": {"b"}, "parties": {"2"}},
		url.Values{"size": {"9"}})
	if errs != nil {
		t.Fatal(errs)
	}
	var got []string
	for range 5 {
		planned, err := template.Plan(ofRun("a", "/a"))
		if err != nil {
			t.Fatal(err)
		}
		made := planned.Plan
		text := describeAttempt(made)
		if made.Answer.Fault == "" {
			text += fmt.Sprintf(" %s %v %d", made.Answer.ContentType, made.Answer.Header[0], made.Answer.Body.Size())
		}
		if made.Hold != nil {
			text += " " + made.Hold.Timeout.String()
		}
		if made.Barrier != nil {
			text += " " + made.Barrier.Timeout.String()
		}
		got = append(got, text)
	}
	want := []string{
		"503@5ms text/plain; charset=utf-8 {X-A 1} 4 1s",
		"reset@2s 1s",
		"200@5ms application/json; charset=utf-8 {X-B 2} 2 10s",
		"200@5ms application/octet-stream {X-A 1} 9 1s",
		"200@5ms application/octet-stream {X-A 1} 9 1s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// All attempts of a route pass the route's limit, which is one.
func TestRouteAttemptsShareTheLimit(t *testing.T) {
	template, errs := planner().Prepare("GET /a", url.Values{"attempts": {""}, "limit": {"10/s"}},
		url.Values{"status": {"503"}}, url.Values{}, url.Values{"limit": {"1/s"}})
	if errs != nil {
		t.Fatal(errs)
	}
	var made []*plan.Plan
	for range 3 {
		planned, err := template.Plan(ofRun("a", "/a"))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, planned.Plan)
	}
	if made[0].Limit != made[1].Limit || made[1].Limit == made[2].Limit {
		t.Errorf("got the limits %p, %p and %p, want one twice, and the attempt's", made[0].Limit, made[1].Limit,
			made[2].Limit)
	}
}

// Requests to a route count by method and path within a run, and together without one.
func TestRouteAttemptsAreCounted(t *testing.T) {
	template, errs := planner().Prepare("/a/{id}", url.Values{"attempts": {""}},
		url.Values{"status": {"503"}}, url.Values{"status": {"429"}}, url.Values{})
	if errs != nil {
		t.Fatal(errs)
	}
	for _, tc := range []struct {
		method, run, path string
		want              int
	}{
		{"GET", "a", "/a/1", 503}, {"GET", "a", "/a/2", 503}, {"POST", "a", "/a/1", 503}, {"GET", "a", "/a/1", 429},
		{"GET", "", "/a/1", 503}, {"GET", "", "/a/2", 429}, {"POST", "", "/a/3", 200},
	} {
		r := ofRun(tc.run, tc.path)
		r.Method = tc.method
		planned, err := template.Plan(r)
		if err != nil || planned.Plan.Answer.Status != tc.want {
			t.Errorf("%+v: got %+v, %v", tc, planned.Plan, err)
		}
	}
}
