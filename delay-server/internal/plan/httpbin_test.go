package plan_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// planHTTPBin plans a GET of one of go-httpbin's endpoints.
func planHTTPBin(t testing.TB, p *plan.Planner, target string) (*plan.Plan, error) {
	t.Helper()
	return planOf(t, p, request(t, target))
}

func TestHTTPBinDefaults(t *testing.T) {
	for _, tc := range []struct {
		target      string
		wait        time.Duration
		status      int
		contentType string
		length      int64
	}{
		{"/drip", 2 * time.Second, 200, answer.Text, 10},
		{"/drip?delay=0&code=503&numbytes=5", 0, 503, answer.Text, 5},
		{"/drip?numbytes=1&delay=59", 59 * time.Second, 200, answer.Text, 1}, // the default duration is not taken
		{"/sse?count=1&delay=59", 59 * time.Second, 200, "text/event-stream; charset=utf-8", -1},
		{"/drip?status=404", 2 * time.Second, 404, answer.Text, 10},
		{"/sse", 0, 200, "text/event-stream; charset=utf-8", -1},
		{"/sse?delay=1.5", 1500 * time.Millisecond, 200, "text/event-stream; charset=utf-8", -1},
		{"/status/418", 0, 418, answer.Text, 0},
		{"/status/204", 0, 204, "", 0},
		{"/status/503?delay=250ms", 250 * time.Millisecond, 503, answer.Text, 0},
		{"/status/503?size=100", 0, 503, answer.Bytes, 100},
		{"/bytes/0", 0, 200, "", 0},
		{"/bytes/1000", 0, 200, answer.Bytes, 1000},
		{"/bytes/5?delay=0.0009&status=206", 900 * time.Microsecond, 206, answer.Bytes, 5},
	} {
		t.Run(tc.target, func(t *testing.T) {
			got, err := planHTTPBin(t, planner(), tc.target)
			if err != nil {
				t.Fatal(err)
			}
			if a := got.Answer; got.Wait != tc.wait || a.Status != tc.status || a.ContentType != tc.contentType ||
				a.Body.Length != tc.length {
				t.Errorf("%s: got wait %v, status %d, type %q, length %d, want %v, %d, %q, %d",
					tc.target, got.Wait, a.Status, a.ContentType, a.Body.Length, tc.wait, tc.status,
					tc.contentType, tc.length)
			}
		})
	}
}

// refusedHTTPBin are invalid targets and their problems. The limits of planner() are a
// minute and 1000 bytes.
var refusedHTTPBin = []struct {
	name, target string
	kind         problem.Type
	want         string
}{
	{
		"delay: not a number", "/drip?delay=NaN", invalid,
		`delay "NaN" is invalid (unknown form): use seconds (10, 1.5), a Go duration (250ms), random or a dis`,
	},
	{"delay: an exponent", "/drip?delay=1e300", invalid, `delay "1e300" is invalid (unknown form): use`},
	{"delay: negative", "/sse?delay=-1", invalid, `delay "-1" is invalid (negative): use`},
	{
		"delay: in seconds above MAX_DELAY", "/status/200?delay=61", invalid,
		`delay "61" is invalid (longer than MAX_DELAY): use`,
	},
	{"delay: empty", "/bytes/1?delay=", invalid, `delay "" is invalid (empty): use`},
	{
		"near miss of its own parameter", "/drip?numbyte=1", unknown,
		`unknown parameter "numbyte"; did you mean "numbytes"?`,
	},
	{
		"near miss of a parameter of all", "/sse?stauts=503", unknown,
		`unknown parameter "stauts"; did you mean "status"?`,
	},
	{"twice", "/drip?code=200&code=500", repeated, `parameter code is given 2 times: give it once`},
	{
		"broken query", "/status/200?a=%zz", malformed,
		`query "a=%zz" is malformed (invalid URL escape "%zz"): use name=value pairs joined by &`,
	},

	{"drip: duration infinite", "/drip?duration=Inf", invalid, `duration "Inf" is invalid (unknown form): use`},
	{
		"drip: duration and delay above MAX_DELAY", "/drip?duration=31&delay=30", conflict,
		`delay 30s, body_delay 0s and a body that takes 31s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"drip: the default delay beside a duration", "/drip?duration=59", conflict,
		`delay 2s, body_delay 0s and a body that takes 59s are longer than MAX_DELAY=1m0s in total`,
	},
	{"drip: numbytes 0", "/drip?numbytes=0", invalid, `numbytes "0" is invalid: use a whole number from 1 to 1000`},
	{"drip: numbytes above MAX_BODY_SIZE", "/drip?numbytes=1001", invalid, `numbytes "1001" is invalid: use`},
	{"drip: numbytes a word", "/drip?numbytes=ten", invalid, `numbytes "ten" is invalid: use`},
	{"drip: code of no end", "/drip?code=100", invalid, `code "100" is invalid: use a code from 200 to 599`},
	{"drip: code empty", "/drip?code=", invalid, `code "" is invalid: use`},
	{"drip: code and status", "/drip?code=200&status=500", conflict, `status and code conflict: both set the status`},
	{"drip: size", "/drip?size=10", conflict, `/drip and size conflict: use numbytes`},
	{
		"drip: a time between bytes of which there is one", "/drip?numbytes=1&duration=1", conflict,
		`numbytes=1 and duration conflict: there is one byte; use numbytes=2 or more`,
	},
	{
		"drip: bytes of a code without a body", "/drip?code=204&numbytes=5", conflict,
		`status=204 and numbytes conflict: this status has no body`,
	},
	{
		"drip: a rate of a code without a body", "/drip?code=304&rate=5", conflict,
		`status=304 and rate conflict: this status has no body`,
	},
	{
		"drip: a fault and a code", "/drip?fault=reset&code=500", conflict,
		`fault=reset and code conflict: this fault sends no response`,
	},
	{
		"drip: a fault and a duration", "/drip?fault=hang&duration=1", conflict,
		`fault=hang and duration conflict: this fault sends no response`,
	},
	{
		"drip: half of one byte", "/drip?fault=truncate&numbytes=1", conflict,
		`fault=truncate and a body of 1 bytes conflict: use`,
	},

	{"sse: count 0", "/sse?count=0", invalid, `count "0" is invalid: use a whole number from 1 to 15`},
	{"sse: more events than MAX_BODY_SIZE holds", "/sse?count=16", invalid, `count "16" is invalid: use`},
	{"sse: duration 0", "/sse?duration=0", invalid, `duration "0" is invalid: use more than 0, or interval=0`},
	{
		"sse: duration and delay above MAX_DELAY", "/sse?duration=59.5&delay=1", conflict,
		`delay 1s, body_delay 0s and a body that takes 59.5s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"sse: first and duration above MAX_DELAY", "/sse?duration=30&first=31", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in total`,
	},
	{"sse: first above MAX_DELAY", "/sse?first=61", invalid, `first "61" is invalid (longer than MAX_DELAY): use`},
	{
		"sse: intervals above MAX_DELAY in all", "/sse?interval=10", conflict,
		`10 events with an interval of 10s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"sse: minimum of intervals above MAX_DELAY", "/sse?interval=uniform:7,8", conflict,
		`10 events with an interval of 7s are longer than MAX_DELAY=1m0s in total`,
	},
	{"sse: interval a word", "/sse?interval=soon", invalid, `interval "soon" is invalid (unknown form): use`},
	{
		"sse: interval and duration", "/sse?interval=1&duration=5", conflict,
		`duration and interval conflict: both set the gaps between events`,
	},
	{
		"sse: interval and jitter", "/sse?interval=1&jitter=0.5", conflict,
		`jitter and interval conflict: an interval is drawn for each gap`,
	},
	{
		"sse: first and body_delay", "/sse?first=1&body_delay=1", conflict,
		`body_delay and first conflict: both are the time to the first event`,
	},
	{
		"sse: jitter not a number", "/sse?jitter=NaN", invalid,
		`jitter "NaN" is invalid: use a decimal number from 0 to 1`,
	},
	{"sse: jitter above 1", "/sse?jitter=1.01", invalid, `jitter "1.01" is invalid: use`},
	{"sse: jitter negative", "/sse?jitter=-0.1", invalid, `jitter "-0.1" is invalid: use`},
	{"sse: size", "/sse?size=10", conflict, `/sse and size conflict: use count`},
	{
		"sse: a time between events of which there is one", "/sse?count=1&duration=2", conflict,
		`count=1 and duration conflict: there is one event; use count=2 or more, or first`,
	},
	{
		"sse: an interval of one event", "/sse?count=1&interval=2", conflict,
		`count=1 and interval conflict: there is one event; use count=2 or more, or first`,
	},
	{
		"sse: events of a status without a body", "/sse?status=204&count=3", conflict,
		`status=204 and count conflict: this status has no body`,
	},
	{
		"sse: a fault and an interval", "/sse?fault=garbage&interval=1", conflict,
		`fault=garbage and interval conflict: this fault sends no response`,
	},
	{
		"sse: half of one event", "/sse?fault=truncate&count=1", conflict,
		`fault=truncate and count=1 conflict: use count=2 or more`,
	},

	{
		"status: no code", "/status/ok", invalid,
		`status "ok" is invalid (at "ok"): use a code from 200 to 599, or CODE:WEIGHT,… such as 200:0.9,500:0.1`,
	},
	{"status: of no end", "/status/101", invalid, `status "101" is invalid (at "101"): use`},
	{"status: 600", "/status/600", invalid, `status "600" is invalid (at "600"): use`},
	{"status: slash after it", "/status/200/", invalid, `status "200/" is invalid (at "200/"): use`},
	{"status: comma after it", "/status/200,", invalid, `status "200," is invalid (at ""): use`},
	{
		"status: code of no HTTP among others", "/status/200:1,99:1", invalid,
		`status "200:1,99:1" is invalid (at "99:1"): use`,
	},
	{
		"status: weights all 0", "/status/200:0,500:0", invalid,
		`status "200:0,500:0" is invalid (the weights add up to 0): use`,
	},
	{
		"status: weight negative", "/status/200:-1,500:-1", invalid,
		`status "200:-1,500:-1" is invalid (at "200:-1"): use`,
	},
	{
		"status: weight not a number", "/status/200:NaN,500:1", invalid,
		`status "200:NaN,500:1" is invalid (at "200:NaN"): use`,
	},
	{
		"status: weight infinite", "/status/200:Inf,500:1", invalid,
		`status "200:Inf,500:1" is invalid (at "200:Inf"): use`,
	},
	{"status: weight empty", "/status/200:,500:1", invalid, `status "200:,500:1" is invalid (at "200:"): use`},
	{
		"status: weights beyond any float",
		"/status/200:1" + strings.Repeat("0", 308) + ",500:1" + strings.Repeat("0", 308),
		invalid, `status "200:1000000000000000000000000000000000000000000000000000000000000000000000000000"… (627 ` +
			`bytes) is invalid (the weights add up to +Inf): use`,
	},
	{"status: status", "/status/200?status=500", conflict, `/status/{codes} and status conflict: use the path`},
	{
		"status: a fault", "/status/200?fault=reset", conflict,
		`fault=reset and /status/{codes} conflict: this fault sends no response`,
	},
	{
		"status: half of nothing", "/status/200?fault=truncate", conflict,
		`fault=truncate and a body of 0 bytes conflict: use`,
	},
	{
		"status: size where there is no body", "/status/204?size=10", conflict,
		`status=204 and size conflict: this status has no body`,
	},

	{"bytes: a word", "/bytes/many", invalid, `n "many" is invalid: use`},
	{"bytes: negative", "/bytes/-1", invalid, `n "-1" is invalid: use`},
	{"bytes: above MAX_BODY_SIZE", "/bytes/1001", invalid, `n "1001" is invalid: use`},
	{"bytes: size", "/bytes/10?size=10", conflict, `/bytes/{n} and size conflict: use`},
	{
		"bytes: seed a word", "/bytes/10?seed=lucky", invalid,
		`seed "lucky" is invalid: use a whole number from -9223372036854775808 to 18446744073709551615`,
	},
	{
		"bytes: seed above 64 bits", "/bytes/10?seed=18446744073709551616", invalid,
		`seed "18446744073709551616" is invalid: use`,
	},
	{
		"bytes: seed below 64 bits", "/bytes/10?seed=-9223372036854775809", invalid,
		`seed "-9223372036854775809" is invalid: use`,
	},
	{"sse: seed empty", "/sse?seed=", invalid, `seed "" is invalid: use`},

	{
		"drip: bytes of 205", "/drip?code=205&numbytes=5", conflict,
		`status=205 and numbytes conflict: this status has no body`,
	},
	{
		"drip: half of 205", "/drip?code=205&fault=truncate", conflict,
		`status=205 and fault conflict: this status has no body`,
	},
	{
		"sse: a rate of 205", "/sse?status=205&rate=1", conflict,
		`status=205 and rate conflict: this status has no body`,
	},
	{
		"status: size where 205 has no body", "/status/205?size=1", conflict,
		`status=205 and size conflict: this status has no body`,
	},
	{
		"status: statuses of which none has a body", "/status/204,205:2,304?body_delay=1", conflict,
		`status=204,205,304 and body_delay conflict: this status has no body`,
	},
	{
		"status: slowing an empty body", "/status/200?body_delay=1s", conflict,
		`body_delay and an empty body conflict: there is nothing to slow`,
	},
	{
		"status: slowing it by nothing", "/status/404?body_delay=0", conflict,
		`body_delay and an empty body conflict: there is nothing to slow`,
	},
	{
		"status: limiting an empty body", "/status/503?rate=1", conflict,
		`rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"status: of several", "/status/200,503?rate=1", conflict,
		`rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"status: of a size that is none", "/status/503?size=0&rate=1", conflict,
		`rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"bytes: slowing none", "/bytes/0?body_delay=1s", conflict,
		`body_delay and an empty body conflict: there is nothing to slow`,
	},
	{
		"bytes: limiting none", "/bytes/0?rate=1", conflict,
		`rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"bytes: half of none", "/bytes/0?fault=truncate", conflict,
		`fault=truncate and a body of 0 bytes conflict: use`,
	},

	{
		"bytes: a rate above MAX_DELAY", "/bytes/61?rate=0.001", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"bytes: a delay and a rate", "/bytes/40?rate=0.001&delay=21", conflict,
		`delay 21s, body_delay 0s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"bytes: all three", "/bytes/40?rate=0.001&delay=11&body_delay=10", conflict,
		`delay 11s, body_delay 10s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"bytes: minimum of three distributions above MAX_DELAY",
		"/bytes/40?rate=0.001&delay=uniform:11,12&body_delay=uniform:10,11",
		conflict, `delay 11s, body_delay 10s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"bytes: half of a body above MAX_DELAY", "/bytes/61?rate=0.001&fault=truncate", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"status: a size and a rate", "/status/503?size=61&rate=0.001", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"drip: a rate slower than the duration", "/drip?delay=0&duration=5&numbytes=61&rate=0.001", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"drip: a body_delay and a duration", "/drip?delay=0&duration=40&body_delay=21", conflict,
		`delay 0s, body_delay 21s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"sse: a rate that the events take", "/sse?count=2&duration=1&rate=0.001", conflict,
		`delay 0s, body_delay 0s and a body that takes 1m48s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"sse: a body_delay and intervals", "/sse?count=5&interval=10&body_delay=21", conflict,
		`delay 0s, body_delay 21s and a body that takes 40s are longer than MAX_DELAY=1m0s in total`,
	},
	{
		"bytes: a fault", "/bytes/10?fault=empty", conflict,
		`fault=empty and /bytes/{n} conflict: this fault sends no response`,
	},
	{
		"bytes: a status without a body", "/bytes/10?status=304", conflict,
		`status=304 and /bytes/{n} conflict: this status has no body`,
	},
}

func TestHTTPBinRefuses(t *testing.T) {
	for _, tc := range refusedHTTPBin {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planHTTPBin(t, planner(), tc.target)
			if !errors.Is(err, tc.kind) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%.80s: got %+v, %v, want %s that begins %s", tc.target, got, err, tc.kind, tc.want)
			}
		})
	}
}

// These endpoints accept the shared parameters too.
func TestHTTPBinTakesTheParametersOfAll(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		check        func(p *plan.Plan) bool
	}{
		{"ignored", "/sse?_=17", func(p *plan.Plan) bool { return slices.Equal(p.Template.Ignored, []string{"_"}) }},
		{"pool", "/status/200?pool=db&workers=3",
			func(p *plan.Plan) bool { return p.Pool.Name == "db" && p.Pool.Workers == 3 }},
		{"header", "/bytes/10?header=X-A:b",
			func(p *plan.Plan) bool { return p.Answer.Header[0] == answer.Field{Name: "X-A", Value: "b"} }},
		{"body_delay is in seconds too", "/drip?body_delay=1.5",
			func(p *plan.Plan) bool { return schedule(p)[0].due == 1500*time.Millisecond }},
		{"rate", "/drip?rate=0.001&duration=0",
			func(p *plan.Plan) bool { return schedule(p)[9].due == 10*time.Second }},
		{"fault", "/drip?fault=reset",
			func(p *plan.Plan) bool { return p.Answer.Fault == answer.Reset && p.Wait == 2*time.Second }},
		{"half of the events", "/sse?fault=truncate&count=6", func(p *plan.Plan) bool {
			return p.Answer.Fault == answer.Truncate && len(schedule(p)) == 3 && size(p) == len(schedule(p)[0].text)*3
		}},
		{"all of the bytes, for the sender to halve", "/bytes/10?fault=truncate", func(p *plan.Plan) bool {
			return p.Answer.Fault == answer.Truncate && p.Answer.Body.Length == 10 && size(p) == 10
		}},
		{"fail_first fails with the code of the path", "/status/404?fail_first=1&run=a",
			func(p *plan.Plan) bool { return p.Answer.Status == 404 }},
		{"fail_first fails with 503", "/sse?fail_first=1&run=a",
			func(p *plan.Plan) bool { return p.Answer.Status == 503 }},
		{"a status without a body", "/drip?code=204",
			func(p *plan.Plan) bool { return p.Answer.Body.Open == nil && p.Answer.ContentType == "" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planHTTPBin(t, planner(), tc.target)
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(got) {
				t.Errorf("%s: got %+v", tc.target, got)
			}
		})
	}
}

func TestAFailFirstOfAPathsCodeEndsIn200(t *testing.T) {
	p := planner()
	for i, want := range []int{404, 404, 200, 200} {
		got, err := planHTTPBin(t, p, "/status/404?fail_first=2&run=a")
		if err != nil {
			t.Fatal(err)
		}
		if got.Answer.Status != want {
			t.Errorf("request %d: got %d, want %d", i, got.Answer.Status, want)
		}
	}
}

func TestWeightsOfAPath(t *testing.T) {
	for _, tc := range []struct {
		codes string
		want  map[int]float64 // shares
	}{
		{"200:0.9,500:0.1", map[int]float64{200: 0.9, 500: 0.1}},
		{"200,404", map[int]float64{200: 0.5, 404: 0.5}},
		{"200:3,404", map[int]float64{200: 0.75, 404: 0.25}},
		{"200:0,500:2", map[int]float64{500: 1}},
		{"500:2,200:0", map[int]float64{500: 1}},
		{"503:0.5", map[int]float64{503: 1}},
	} {
		t.Run(tc.codes, func(t *testing.T) {
			const n, slack = 10_000, 0.02 // four standard deviations of a half
			p, counts := planner(), map[int]int{}
			for range n {
				got, err := planHTTPBin(t, p, "/status/"+tc.codes+"?seed=1")
				if err != nil {
					t.Fatal(err)
				}
				counts[got.Answer.Status]++
			}
			for status, count := range counts {
				if share := float64(count) / n; share < tc.want[status]-slack || share > tc.want[status]+slack ||
					tc.want[status] == 0 {
					t.Errorf("/status/%s: %d came with a share of %.3f, want %.3f", tc.codes, status, share,
						tc.want[status])
				}
			}
			if len(counts) != len(tc.want) {
				t.Errorf("/status/%s: got %v, want all of %v", tc.codes, counts, tc.want)
			}
		})
	}
}

// FuzzHTTPBin checks that any path and query of these endpoints give a plan within the
// limits or a 400.
func FuzzHTTPBin(f *testing.F) {
	f.Add("", "duration=1&delay=2&numbytes=3&code=500&body_delay=1&rate=1")
	f.Add("200:0.9,500:0.1", "count=3&interval=uniform:1,2&first=exponential:1&fault=truncate")
	f.Add("10", "seed=7&jitter=0.5&duration=2&fail_first=1&run=a&size=3")
	for _, tc := range refusedHTTPBin {
		path, query, _ := strings.Cut(tc.target, "?")
		_, param, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		f.Add(param, query)
	}
	p := planner()
	f.Fuzz(func(t *testing.T, param, query string) { checkHTTPBin(t, p, param, query) })
}

// checkHTTPBin checks one path and query for FuzzHTTPBin, and reports whether any of the
// endpoints has a plan.
func checkHTTPBin(t *testing.T, p *plan.Planner, param, query string) (planned bool) {
	for _, path := range []string{"/drip", "/sse", "/status/", "/bytes/"} {
		if strings.HasSuffix(path, "/") {
			if param == "" {
				continue // no request has it
			}
			path += url.PathEscape(param)
		}
		got, err := planOf(t, p, plan.Request{Path: path, Query: query})
		checkPlan(t, got, err, path+"?"+query)
		planned = planned || err == nil
	}
	return planned
}
