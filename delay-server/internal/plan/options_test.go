package plan_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func planner() *plan.Planner { return plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000}) }

// Problem types for the tables of invalid requests.
const (
	invalid   = problem.InvalidParameter
	conflict  = problem.ConflictingParameters
	unknown   = problem.UnknownParameter
	repeated  = problem.RepeatedParameter
	malformed = problem.MalformedQuery
)

// refusedParameters are invalid queries of /delay/0 and their problems. The limits of
// planner() are a minute and 1000 bytes.
var refusedParameters = []struct {
	name, query string
	kind        problem.Type
	want        string
}{
	{
		"status: a word", "status=ok", invalid,
		`status "ok" is invalid (at "ok"): use a code from 200 to 599, or CODE:PERCENT,… such as 404:10,503:5`,
	},
	{"status: 1xx is no end", "status=100", invalid, `status "100" is invalid (at "100"): use`},
	{"status: 600", "status=600", invalid, `status "600" is invalid (at "600"): use`},
	{"status: four digits", "status=0200", invalid, `status "0200" is invalid (at "0200"): use`},
	{"status: empty", "status=", invalid, `status "" is invalid (at ""): use`},
	{
		"status: weights over 100", "status=404:60,503:60", invalid,
		`status "404:60,503:60" is invalid (the percentages add up to 120): use`,
	},
	{"status: negative weight", "status=404:-1", invalid, `status "404:-1" is invalid (at "404:-1"): use`},
	{"status: weight not a number", "status=404:NaN", invalid, `status "404:NaN" is invalid (at "404:NaN"): use`},
	{"status: weight 0", "status=404:0", invalid, `status "404:0" is invalid (at "404:0"): use`},
	{"status: weight with an exponent", "status=404:1e1", invalid, `status "404:1e1" is invalid (at "404:1e1"): use`},
	{"status: one without its weight", "status=404,503:5", invalid, `status "404,503:5" is invalid (at "404"): use`},
	{"size: a word", "size=big", invalid, `size "big" is invalid: use a whole number from 0 to 1000`},
	{"size: negative", "size=-1", invalid, `size "-1" is invalid: use`},
	{"size: above MAX_BODY_SIZE", "size=1001", invalid, `size "1001" is invalid: use`},
	{"size: hexadecimal", "size=0x10", invalid, `size "0x10" is invalid: use`},
	{"size: a fraction", "size=1.5", invalid, `size "1.5" is invalid: use`},
	{
		"body_delay: a word", "body_delay=soon", invalid,
		`body_delay "soon" is invalid (unknown form): use milliseconds (1000, 1.5), a Go duration (250ms), ra`,
	},
	{
		"body_delay: above MAX_DELAY", "body_delay=2m", invalid,
		`body_delay "2m" is invalid (longer than MAX_DELAY): use up to 1m0s (60000 ms)`,
	},
	{"body_delay: empty", "body_delay=", invalid, `body_delay "" is invalid (empty): use`},
	{"rate: 0", "rate=0", invalid, `rate "0" is invalid: use kilobytes a second from 0.001 to 1000000000`},
	{"rate: negative", "rate=-1", invalid, `rate "-1" is invalid: use`},
	{"rate: infinite", "rate=Inf", invalid, `rate "Inf" is invalid: use`},
	{"rate: less than a byte a second", "rate=0.0001", invalid, `rate "0.0001" is invalid: use`},
	{
		"rate: the body would take longer than MAX_DELAY", "size=1000&rate=0.01", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"fault: unknown", "fault=explode", invalid,
		`fault "explode" is invalid: use reset, empty, garbage, truncate, hang`,
	},
	{"fault: empty", "fault=", invalid, `fault "" is invalid: use`},
	{
		"fault and size", "fault=empty&size=10", conflict,
		`fault=empty and size conflict: this fault sends no response`,
	},
	{
		"fault and status", "fault=reset&status=503", conflict,
		`fault=reset and status conflict: this fault sends no response`,
	},
	{"fault and rate", "fault=hang&rate=1", conflict, `fault=hang and rate conflict: this fault sends no response`},
	{
		"fault and header", "fault=garbage&header=X-A:b", conflict,
		`fault=garbage and header conflict: this fault sends no response`,
	},
	{
		"truncate what is empty", "fault=truncate&size=0", conflict,
		`fault=truncate and a body of 0 bytes conflict: use a body of 2 bytes or more`,
	},
	{
		"slowing an empty body", "size=0&body_delay=1s", conflict,
		`body_delay and an empty body conflict: there is nothing to slow`,
	},
	{
		"limiting an empty body", "size=0&rate=1", conflict,
		`rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"a body where there is none", "status=204&size=10", conflict,
		`status=204 and size conflict: this status has no body`,
	},
	{
		"rate: Flash's body would take longer than MAX_DELAY", "rate=0.001", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m6s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"a body_delay and a rate", "size=40&rate=0.001&body_delay=21000", conflict,
		`delay 0s, body_delay 21s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{"205: a body", "status=205&size=10", conflict, `status=205 and size conflict: this status has no body`},
	{
		"205: a body_delay", "status=205&body_delay=1", conflict,
		`status=205 and body_delay conflict: this status has no body`,
	},
	{
		"truncate where there is no body", "status=304&fault=truncate", conflict,
		`status=304 and fault conflict: this status has no body`,
	},
	{
		"fail_first: 0", "fail_first=0&run=a", invalid,
		`fail_first "0" is invalid: use a whole number from 1 to 2147483647`,
	},
	{
		"fail_first: outside a run", "fail_first=2", conflict,
		`fail_first needs a run: add run=NAME, the header X-Run-Id or attempts_key`,
	},
	{"workers without a pool", "workers=2", conflict, `workers needs pool: add pool=db`},
	{"queue without a pool", "queue=2", conflict, `queue needs pool: add pool=db`},
	{"pool without workers", "pool=db", conflict, `pool needs workers: add workers=4`},
	{"pool without a name", "pool=&workers=1", invalid, `pool "" is invalid: use 1 to 200 visible ASCII characters`},
	{"pool with a line break", "pool=a%0ab&workers=1", invalid, `pool "a\nb" is invalid: use`},
	{"workers: 0", "pool=db&workers=0", invalid, `workers "0" is invalid: use a whole number from 1 to 1000000`},
	{
		"queue: negative", "pool=db&workers=1&queue=-1", invalid,
		`queue "-1" is invalid: use a whole number from 0 to 1000000`,
	},
	{"seed: negative", "seed=-1", invalid, `seed "-1" is invalid: use a whole number from 0 to 18446744073709551615`},
	{"seed: a word", "seed=lucky", invalid, `seed "lucky" is invalid: use`},
	{"near miss: status", "stauts=503", unknown, `unknown parameter "stauts"; did you mean "status"?`},
	{"near miss: body_delay", "bodydelay=1", unknown, `unknown parameter "bodydelay"; did you mean "body_delay"?`},
	{"near miss: fail_first", "fail-first=1", unknown, `unknown parameter "fail-first"; did you mean "fail_first"?`},
	{"twice", "size=1&size=2", repeated, `parameter size is given 2 times: give it once`},

	{"header: no colon", "header=abc", invalid, `header "abc" is invalid (not a header field): use Name:value`},
	{"header: no name", "header=:b", invalid, `header ":b" is invalid (not a header field): use`},
	{"header: blank in the name", "header=a%20b:c", invalid, `header "a b:c" is invalid (not a header field): use`},
	{
		"header: injection by a line break", "header=A:b%0d%0aSet-Cookie:%20x=1", invalid,
		`header "A:b\r\nSet-Cookie: x=1" is invalid (not visible ASCII): use`,
	},
	{
		"header: injection in the name", "header=A%0d%0aB:c", invalid,
		`header "A\r\nB:c" is invalid (not a header field): use`,
	},
	{"header: a zero byte", "header=A:%00", invalid, `header "A:\x00" is invalid (not visible ASCII): use`},
	{
		"header: framing", "header=Content-Length:5", invalid,
		`header "Content-Length:5" is invalid (it frames the message): use another field`,
	},
	{
		"header: framing, in small letters", "header=transfer-encoding:chunked", invalid,
		`header "transfer-encoding:chunked" is invalid (it frames the message): use`,
	},
	{
		"header: a cookie", "header=Set-Cookie:a=b", invalid,
		`header "Set-Cookie:a=b" is invalid (browsers or proxies may act on it): use X-… or a field that /doc`,
	},
	{
		"header: a redirect that passes REDIRECT_HOSTS", "header=Location:http://evil.example", invalid,
		`header "Location:http://evil.example" is invalid (browsers or proxies may act on it): use`,
	},
	{
		"header: its own timing", "header=Server-Timing:asked%3Bdur=0", invalid,
		`header "Server-Timing:asked;dur=0" is invalid (browsers or proxies may act on it): use`,
	},
	{
		"header: CORS", "header=Access-Control-Allow-Credentials:true", invalid,
		`header "Access-Control-Allow-Credentials:true" is invalid (browsers or proxies may act on it): use`,
	},
	{
		"header: what is accepted", "header=Link:x", invalid,
		`header "Link:x" is invalid (browsers or proxies may act on it): use`,
	},
	{
		"header: a page", "header=Content-Type:text/html", invalid,
		`header "Content-Type:text/html" is invalid (a browser may run this type): use a type such as applica`,
	},
	{
		"header: a page in capitals", "header=CONTENT-TYPE:TEXT/HTML", invalid,
		`header "CONTENT-TYPE:TEXT/HTML" is invalid (a browser may run this type): use`,
	},
	{
		"header: an image that is a page", "header=Content-Type:image/svg%2bxml", invalid,
		`header "Content-Type:image/svg+xml" is invalid (a browser may run this type): use`,
	},
	{
		"header: a page behind a comma", "header=Content-Type:text/plain,text/html", invalid,
		`header "Content-Type:text/plain,text/html" is invalid (a browser may run this type): use`,
	},
	{
		"header: a type twice", "header=Content-Type:text/plain&header=Content-Type:text/csv", repeated,
		`header Content-Type is given twice: give it once`,
	},
	{
		"header: too many", strings.Repeat("header=A:b&", 51) + "_=1", repeated,
		`header is given 51 times: use up to 50`,
	},
}

func TestParametersRefused(t *testing.T) {
	for _, tc := range refusedParameters {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, planner(), request(t, "/delay/0?"+tc.query))
			if !errors.Is(err, tc.kind) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("?%.80s: got %+v, %v, want %s that begins %s", tc.query, got, err, tc.kind, tc.want)
			}
		})
	}
}

func TestParametersShapeTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, query string
		check       func(p *plan.Plan) bool
	}{
		{"status", "status=503", func(p *plan.Plan) bool {
			return p.Answer.Status == 503 && strings.HasPrefix(string(p.Answer.Body.Whole), `{"status":503,`)
		}},
		{"status without a body", "status=204", func(p *plan.Plan) bool {
			return p.Answer.Status == 204 && p.Answer.Body.Whole == nil && p.Answer.ContentType == ""
		}},
		{"size", "size=100", func(p *plan.Plan) bool {
			return p.Answer.Body.Length == 100 &&
				p.Answer.ContentType == answer.Bytes
		}},
		{"size 0", "size=0", func(p *plan.Plan) bool { return p.Answer.Body.Length == 0 && p.Answer.Body.Open != nil }},
		{"headers", "header=x-a:%20b%20&header=X-A:c", func(p *plan.Plan) bool {
			return slices.Equal(p.Answer.Header, []answer.Field{{Name: "X-A", Value: "b"}, {Name: "X-A", Value: "c"}})
		}},
		{"content type", "header=Content-Type:text/plain%3B%20charset=utf-8", func(p *plan.Plan) bool {
			return p.Answer.ContentType == "" &&
				slices.Equal(p.Answer.Header,
					[]answer.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}})
		}},
		{"pool", "pool=db&workers=3&queue=0", func(p *plan.Plan) bool {
			return p.Pool.Name == "db" && p.Pool.Workers == 3 && p.Pool.Queue == 0
		}},
		{"pool without a bound", "pool=db&workers=3", func(p *plan.Plan) bool { return p.Pool.Queue == -1 }},
		{"hang", "fault=hang", func(p *plan.Plan) bool {
			return p.Wait == time.Minute &&
				p.Answer.Fault == answer.Empty
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, planner(), request(t, "/delay/0?"+tc.query))
			if err != nil || !tc.check(got) {
				t.Errorf("?%s: got %+v, %v", tc.query, got, err)
			}
		})
	}
}

func TestStatusShares(t *testing.T) {
	p, counts := planner(), map[int]int{}
	for i := range 10_000 {
		got, err := planOf(t, p, request(t, fmt.Sprintf("/delay/0?status=404:10,503:5&seed=%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		counts[got.Answer.Status]++
	}
	// Four standard deviations each.
	for status, want := range map[int]struct{ n, slack int }{404: {1000, 120}, 503: {500, 87}, 200: {8500, 143}} {
		if n := counts[status]; n < want.n-want.slack || n > want.n+want.slack {
			t.Errorf("status %d came %d times of 10000, want %d ± %d", status, n, want.n, want.slack)
		}
	}
}

// draws returns the waits of n requests of a run, with or without a seed.
func draws(t *testing.T, p *plan.Planner, n int, query string) []time.Duration {
	t.Helper()
	waits := make([]time.Duration, n)
	for i := range waits {
		got, err := planOf(t, p, request(t, "/delay/uniform:0,50s?"+query))
		if err != nil {
			t.Fatal(err)
		}
		waits[i] = got.Wait
	}
	return waits
}

func TestASeedIsAStreamPerRun(t *testing.T) {
	p := planner()
	first := draws(t, p, 50, "seed=7&run=a")
	if sorted := slices.Compact(slices.Sorted(slices.Values(first))); len(sorted) != 50 {
		t.Errorf("50 requests of a run drew %d different waits, want 50: a seed makes a stream", len(sorted))
	}
	if second := draws(t, p, 50, "seed=7&run=b"); !slices.Equal(first, second) {
		t.Errorf("another run of the same seed drew %v, want %v", second[:3], first[:3])
	}
	if other := draws(t, planner(), 50, "seed=7"); !slices.Equal(first, other) {
		t.Errorf("another server drew %v, want %v", other[:3], first[:3])
	}
	if other := draws(t, p, 50, "seed=8&run=a"); slices.Equal(first, other) {
		t.Error("another seed drew the same")
	}
	if next := draws(t, p, 50, "seed=7&run=a"); slices.Equal(first, next) {
		t.Error("the next 50 requests of the run drew what the first 50 drew")
	}
	if a, b := draws(t, p, 50, "run=x"), draws(t, p, 50, "run=y"); slices.Equal(a, b) {
		t.Error("without a seed two runs drew the same")
	}
	traced := func(trace string) time.Duration {
		r := request(t, "/delay/uniform:0,50s?seed=9")
		r.Traceparent = "00-" + strings.Repeat(trace, 32) + "-00f067aa0ba902b7-01"
		got, err := planOf(t, p, r)
		if err != nil {
			t.Fatal(err)
		}
		return got.Wait
	}
	if a, b := traced("a"), traced("b"); a == b {
		t.Errorf("two traces drew %v both: a client has a new trace for each request", a)
	}
	seed := uint64(7)
	seeded := plan.New(plan.Limits{MaxDelay: time.Minute, Seed: &seed})
	if got := draws(t, seeded, 50, "run=a"); !slices.Equal(first, got) {
		t.Errorf("SEED=7 drew %v, want %v", got[:3], first[:3])
	}
}

// How many numbers a request draws does not change the next sample.
func TestARequestDoesNotMoveTheNextOnesSample(t *testing.T) {
	plain, mixed := planner(), planner()
	want := draws(t, plain, 3, "seed=7&run=a")
	draws(t, mixed, 1, "seed=7&run=a")
	if _, err := planOf(t, mixed,
		request(t, "/delay/pareto:1,0.1?seed=7&run=a&status=500:50&body_delay=random")); err != nil {
		t.Fatal(err)
	}
	if got := draws(t, mixed, 1, "seed=7&run=a"); got[0] != want[2] {
		t.Errorf("the third request drew %v, want %v", got[0], want[2])
	}
}

func TestFailFirst(t *testing.T) {
	p := planner()
	statuses := func(n int, target string, header ...string) (got []int) {
		for range n {
			r := request(t, target)
			for _, h := range header {
				r.RunID = h
			}
			made, err := planOf(t, p, r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, made.Answer.Status)
		}
		return got
	}
	for _, tc := range []struct {
		name string
		got  []int
		want []int
	}{
		{"503 by default", statuses(4, "/delay/0?fail_first=2&run=a"), []int{503, 503, 200, 200}},
		{"the status that is given", statuses(3, "/delay/0?fail_first=2&run=b&status=429"), []int{429, 429, 200}},
		{"another path of the run counts anew", statuses(2, "/delay/1?fail_first=1&run=a"), []int{503, 200}},
		{"the run of the header", statuses(2, "/delay/0?fail_first=1", "c"), []int{503, http.StatusOK}},
	} {
		if !slices.Equal(tc.got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

func TestASampleAboveMaxDelayIsCutAndSaid(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Second})
	got, err := planOf(t, p, request(t, "/delay/weighted:1h:100"))
	if err == nil {
		t.Errorf("a delay that is never within MAX_DELAY: got %+v, want an error", got)
	}
	cut := 0
	for range 1000 {
		got, err := planOf(t, p, request(t, "/delay/weighted:1h:90"))
		if err != nil || got.Wait > time.Second {
			t.Fatalf("got %+v, %v, want a wait of at most 1s", got, err)
		}
		if got.Cut {
			cut++
		}
	}
	// 0.9 to the tenth, 35 %, draw above it ten times; five standard deviations.
	if cut < 273 || cut > 425 {
		t.Errorf("%d of 1000 were cut, want 349 ± 76", cut)
	}
}

// FuzzDelay checks that any path and query give a plan within the limits or a client
// error.
func FuzzDelay(f *testing.F) {
	f.Add("1000", "status=404:10,503:5&size=10&rate=1&header=X-A:b&pool=p&workers=1")
	f.Add("lognormal:120ms,900ms", "fault=truncate&seed=1&run=x&fail_first=2&body_delay=uniform:1,2")
	f.Add("weighted:1:50", "fault=hang")
	f.Add("uniform:0,50s", "attempts=503,truncate@1,hang,204,reset&run=x&size=9&rate=1&retry_after=1s")
	f.Add("uniform:0,1m", "body_delay=uniform:0,1m&rate=0.01&status=205:50")
	for _, text := range []string{"", "abc", "-1", "2m", "uniform:2,1", "recorded:none"} {
		f.Add(text, "")
	}
	for _, tc := range refusedParameters {
		f.Add("0", tc.query)
	}
	p := planner()
	f.Fuzz(func(t *testing.T, text, query string) { checkDelay(t, p, text, query) })
}

// The checks of the fuzz targets accept valid and invalid requests.
func TestFuzzTargetsTakeBadInput(t *testing.T) {
	p := planner()
	for _, tc := range []struct {
		name      string
		got, want bool
	}{
		{"a delay", checkDelay(t, p, "1", ""), true},
		{"a bad delay", checkDelay(t, p, "abc", ""), false},
		{"a bad query", checkDelay(t, p, "1", "status=ok"), false},
		{"go-httpbin's endpoints", checkHTTPBin(t, p, "200", "seed=1"), true},
		{"a bad path of theirs", checkHTTPBin(t, p, "abc", "delay=abc"), false},
		{"a redirect", checkRedirect(t, redirector(), "good.example/a"), true},
		{"a bad redirect", checkRedirect(t, redirector(), "javascript:alert(1)"), false},
		{"a redirect that is not allowed", checkRedirect(t, redirector(), "evil.example"), false},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: planned %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

// checkDelay checks one path and query for FuzzDelay, and reports whether there is a
// plan.
func checkDelay(t *testing.T, p *plan.Planner, text, query string) bool {
	// With a trailing slash, the delay may be empty.
	got, err := planOf(t, p, plan.Request{Path: "/delay/" + url.PathEscape(text) + "/", Query: query})
	checkPlan(t, got, err, text+"?"+query)
	return err == nil
}

// checkPlan fails the test unless err is a client error, or got and all parts of its body
// are within the limits of planner().
func checkPlan(t *testing.T, got *plan.Plan, err error, input string) {
	t.Helper()
	if err != nil {
		var known *problem.Problem
		var bad *plan.DelayError
		isKnown := errors.As(err, &known) && known.Status >= 400 && known.Status < 500
		if got != nil || !isKnown && !errors.As(err, &bad) || len(err.Error()) == 0 || len(err.Error()) > 2000 {
			t.Fatalf("%q: got %+v and the error %v, want no plan and a short error of the client's", input, got, err)
		}
		return
	}
	a := got.Answer
	if got.Wait < 0 || a.Status < 200 || a.Status > 599 || a.Body.Length > 1000 || int64(len(a.Body.Whole)) > 1000 {
		t.Fatalf("%q: %+v", input, got)
	}
	if !answer.HasBody(a.Status) && (a.Body.Open != nil || len(a.Body.Whole) > 0 || a.ContentType != "") {
		t.Fatalf("%q: a body with the status %d", input, a.Status)
	}
	for _, field := range a.Header {
		if strings.ContainsAny(field.Name+field.Value, "\r\n\x00") {
			t.Fatalf("%q: header %q", input, field)
		}
	}
	last, sent := time.Duration(0), int64(0)
	if a.Body.Open != nil && (a.Fault == "" || a.Fault == answer.Truncate) {
		for part := range partsOf(a.Body) {
			if part.Due < last {
				t.Fatalf("%q: a part is due at %v, after one at %v", input, part.Due, last)
			}
			last, sent = part.Due, sent+int64(len(part.Bytes))
		}
		if a.Body.Length >= 0 && sent != a.Body.Length {
			t.Fatalf("%q: %d bytes come, %d are promised", input, sent, a.Body.Length)
		}
	}
	if got.Wait+last > time.Minute {
		t.Fatalf("%q: a wait of %v and a body that takes %v, want at most a minute in all", input, got.Wait, last)
	}
}

// A name that begins with run: belongs to the run, and needs one.
func TestNamesWithinARun(t *testing.T) {
	for _, tc := range []struct{ target, noRun string }{
		{"/hold/run:x", `hold "run:x" needs a run: add run=NAME or the header X-Run-Id`},
		{"/hold/run%3Ax", `hold "run:x" needs a run`},
		{"/barrier/run:x?parties=2", `barrier "run:x" needs a run`},
		{"/delay/0?pool=run:x&workers=1", `pool "run:x" needs a run`},
		{"/hold/x", ""},
		{"/hold/Run:x", ""},
		{"/hold/x/run:x", ""},
		{"/delay/0?pool=run&workers=1", ""},
	} {
		p, r := planner(), request(t, tc.target)
		_, err := planOf(t, p, r)
		if (err != nil) != (tc.noRun != "") || err != nil &&
			(!errors.Is(err, conflict) || !strings.HasPrefix(err.Error(), tc.noRun)) {
			t.Errorf("%s without a run: got %v, want %q", tc.target, err, tc.noRun)
		}
		r.RunID = "a"
		if _, err := planOf(t, p, r); err != nil {
			t.Errorf("%s in a run: %v", tc.target, err)
		}
	}
	template, errs := planner().Prepare("GET /a", url.Values{"hold": {"run:x"}})
	if errs != nil {
		t.Fatal(errs)
	}
	if _, err := template.Plan(ofRun("", "/a")); !errors.Is(err, conflict) {
		t.Errorf("a route without a run: got %v, want %v", err, conflict)
	}
	for _, target := range []string{"/hold/run:", "/barrier/run:/?parties=1", "/delay/0?pool=run:&workers=1"} {
		if _, err := planOf(t, planner(), request(t, target)); !errors.Is(err, invalid) {
			t.Errorf("%s: got %v, want %v", target, err, invalid)
		}
	}
}

// Forgetting a run resets its fail_first and its random numbers, but not other runs'.
func TestForgetARunsCounts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		forget func(p *plan.Planner) bool
		others bool // other runs are forgotten too
	}{
		{"one", func(p *plan.Planner) bool { return p.Forget("a") }, false},
		{"all", func(p *plan.Planner) bool { p.ForgetAll(); return true }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planner()
			attempt(t, p, request(t, "/delay/0?run=a&fail_first=1"))
			first := draws(t, p, 1, "seed=7&run=a")
			if next := draws(t, p, 1, "seed=7&run=a"); next[0] == first[0] {
				t.Fatalf("both requests drew %v: the stream does not go on", next[0])
			}
			other := draws(t, p, 1, "seed=7&run=b")
			unnamed := draws(t, p, 1, "seed=7")
			if !tc.forget(p) {
				t.Error("forgetting the run reports that nothing was counted")
			}
			if p.Forget("a") {
				t.Error("something of the run is left")
			}
			if again := draws(t, p, 1, "seed=7&run=a"); again[0] != first[0] {
				t.Errorf("the run that was forgotten drew %v, want %v as at its first", again[0], first[0])
			}
			if again := draws(t, p, 1, "seed=7&run=b"); (again[0] == other[0]) != tc.others {
				t.Errorf("another run drew %v after %v, want the same again: %v", again[0], other[0], tc.others)
			}
			if again := draws(t, p, 1, "seed=7"); (again[0] == unnamed[0]) != tc.others {
				t.Errorf("requests without a run drew %v after %v, want the same again: %v",
					again[0], unnamed[0], tc.others)
			}
			got, err := planOf(t, p, request(t, "/delay/0?run=a&fail_first=1"))
			if err != nil || got.Answer.Status != 503 {
				t.Errorf("fail_first=1 of the forgotten run: got %+v, %v, want 503 again", got, err)
			}
		})
	}
}
