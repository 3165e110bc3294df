package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
)

func planner() *plan.Planner {
	return plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
}

// bad are files that are refused, and what is said of them.
var bad = []struct {
	name string
	text string
	want string // each line is the beginning of an error, in this order
}{
	{"an empty file", "", `f.yaml:1:1: the file is empty; accepted: routes: and a list of them`},
	{"a comment alone", "# nothing\n", `f.yaml:1:1: the file is empty`},
	{"no YAML", "routes:\n  - path: [\n", `f.yaml:2:1: this is no YAML: did not find expected node content`},
	{"a tab", "routes:\n\t- path: /a\n", `f.yaml:2:1: this is no YAML: found character that cannot start any token`},
	{"bytes that are no text", "\xff\xfe\x00", `f.yaml:1:1: this is no YAML: `},
	{"an alias of nothing", "routes: *none", `f.yaml:1:1: this is no YAML: unknown anchor 'none' referenced`},
	{"a second document", "routes: [{path: /a}]\n---\nroutes: []\n", `f.yaml:2:1: a second document begins here; accepted: one`},
	{"a list for the file", "- path: /a\n", `f.yaml:1:1: the file is a list; accepted: a mapping, key: value`},
	{"another key", "routs:\n  - path: /a\n", `f.yaml:1:1: the file has no key "routs": did you mean routes?`},
	{"no routes", "{}", `f.yaml:1:1: the file has no routes; accepted: routes: and a list of them`},
	{"routes that are empty", "routes: []", `f.yaml:1:1: routes is empty; accepted: one route or more`},
	{"routes that are none", "routes:\n", `f.yaml:1:8: routes is empty; accepted: a list`},
	{"a route that is none", "routes:\n  - /a\n", `f.yaml:2:5: a route is one value; accepted: a mapping`},
	{"a key that is a list", "routes:\n  - [a]: b\n    path: /a\n", `f.yaml:2:5: a key of a route is a list; accepted: a word`},
	{"the file in itself", "&a\nroutes: *a\n", `f.yaml:1:1: routes is a mapping; accepted: a list`},
	{
		"all errors at once, in the order of the lines",
		"routes:\n  - path: /a\n    dely: 1\n    delay: abc\n    status: 99\n  - path: b\n    zzz: 1\n", `
f.yaml:3:5: a route has no key "dely": did you mean delay?
f.yaml:4:5: delay "abc" is not understood; accepted: milliseconds (1000, 1.5), a Go duration
f.yaml:5:5: status "99" is not understood at "99"; accepted: a code from 200 to 599
f.yaml:6:5: path "b" does not begin with /; accepted: / and segments
f.yaml:7:5: a route has no key "zzz"; accepted: method, path, delay, body_delay,`,
	},
	{"a key that is given twice", "routes:\n  - path: /a\n    delay: 1\n    delay: 2\n", `f.yaml:4:5: key "delay" is given twice, first in line 3; accepted: once`},
	{"no path", "routes:\n  - delay: 1\n", `f.yaml:2:5: the route has no path; accepted: path: /products/{id}`},
	{"a path that is a list", "routes:\n  - path: [a]\n", `f.yaml:2:11: path is a list; accepted: one value`},
	{"a method in small letters", "routes:\n  - path: /a\n    method: get\n", `f.yaml:3:5: method "get" is not accepted: did you mean GET?`},
	{"a method that is misspelt", "routes:\n  - path: /a\n    method: PSOT\n", `f.yaml:3:5: method "PSOT" is not accepted: did you mean POST?`},
	{"an unknown method", "routes:\n  - path: /a\n    method: BREW\n", `f.yaml:3:5: method "BREW" is not accepted; accepted: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, or no method for any but OPTIONS`},

	{"a path with a query", "routes: [{path: '/a?b=c'}]", `f.yaml:1:11: path "/a?b=c" is not understood at "a?b=c"`},
	{"another's parameter", "routes: [{path: '/a/:id'}]", `f.yaml:1:11: path "/a/:id" is not understood at ":id"; accepted: / and segments with / between them, each literal, {name} for any one, or at the end {name...} for all that follow`},
	{"another's rest", "routes: [{path: '/a/*'}]", `f.yaml:1:11: path "/a/*" is not understood at "*"`},
	{"half a parameter", "routes: [{path: '/a/{id'}]", `f.yaml:1:11: path "/a/{id" is not understood at "{id"`},
	{"a parameter within a segment", "routes: [{path: '/a/x-{id}'}]", `f.yaml:1:11: path "/a/x-{id}" is not understood at "x-{id}"`},
	{"a parameter twice", "routes: [{path: '/{a}/{a}'}]", `f.yaml:1:11: path "/{a}/{a}" has the name a twice`},
	{"a parameter and a rest of one name", "routes: [{path: '/{a}/{a...}'}]", `f.yaml:1:11: path "/{a}/{a...}" has the name a twice`},
	{"a rest before the end", "routes: [{path: '/{a...}/b'}]", `f.yaml:1:11: path "/{a...}/b" is not understood at "{a...}"`},
	{"an empty segment", "routes: [{path: /a//b}]", `f.yaml:1:11: path "/a//b" has the segment "", which no client sends as it is`},
	{"dots", "routes: [{path: /a/../b}]", `f.yaml:1:11: path "/a/../b" has the segment ".."`},
	{"half an escape", "routes: [{path: /a%2}]", `f.yaml:1:11: path "/a%2" has a % that begins no escape`},
	{"the probe's path", "routes: [{path: /healthz}]", `f.yaml:1:11: path "/healthz" would hide what is the server's own; accepted: any but /admin, /ca.pem, /healthz, /metrics, /openapi.yaml, /readyz, /version and what is below them`},
	{"the probe's path, escaped", "routes: [{path: /%68ealthz}]", `f.yaml:1:11: path "/%68ealthz" would hide`},
	{"below the admin's path", "routes: [{path: '/admin/{x...}'}]", `f.yaml:1:11: path "/admin/{x...}" would hide`},

	{
		"a route twice", "routes:\n  - {method: GET, path: '/a/{x}'}\n  - {method: POST, path: '/a/{x}'}\n  - {method: GET, path: '/a/{y}'}\n",
		`f.yaml:4:19: GET /a/{y} is answered by the route in line 2 already; accepted: one route for a method and a path`,
	},
	{
		"any method and one of them", "routes:\n  - path: /a\n  - {method: PUT, path: /a}\n",
		`f.yaml:3:19: PUT /a is answered by the route in line 2 already`,
	},
	{
		"paths of which none is the more specific", "routes:\n  - path: /{a}/b\n  - path: /a/{b}\n",
		`f.yaml:3:5: /a/{b} and /{a}/b of line 2 match the same requests, and neither is the more specific; accepted: paths of which one is`,
	},

	{
		"all that follow and one of them, neither the more specific", "routes:\n  - path: /{a}/b/c\n  - path: /a/{rest...}\n",
		`f.yaml:3:5: /a/{rest...} and /{a}/b/c of line 2 match the same requests, and neither is the more specific`,
	},
	{
		"HEAD of two routes, neither the more specific", "routes:\n  - {method: GET, path: '/{a}/b'}\n  - {method: HEAD, path: '/a/{b}'}\n",
		`f.yaml:3:20: HEAD /a/{b} and /{a}/b of line 2 match the same requests`,
	},
	{
		"one path that is escaped in two ways", "routes:\n  - path: /caf%C3%A9\n  - path: /café\n",
		`f.yaml:3:5: /café and /caf%C3%A9 of line 2 match the same requests`,
	},

	{"a delay above MAX_DELAY", "routes: [{path: /a, delay: 1h}]", `f.yaml:1:21: delay "1h" is longer than this server waits: accepted: up to 1m0s (60000 ms), its MAX_DELAY`},
	{"an empty delay", "routes:\n  - path: /a\n    delay:\n", `f.yaml:3:11: delay is empty; accepted: one value`},
	{"an unknown recording", "routes: [{path: /a, delay: 'recorded:x'}]", `f.yaml:1:21: delay "recorded:x"`},
	{"a bad body_delay", "routes: [{path: /a, body: b, body_delay: -1}]", `f.yaml:1:30: body_delay: delay "-1" is negative`},
	{"a size above MAX_BODY_SIZE", "routes: [{path: /a, size: 1001}]", `f.yaml:1:21: size "1001" is not accepted; accepted: a whole number from 0 to 1000`},
	{"a body above MAX_BODY_SIZE", "routes: [{path: /a, body: " + strings.Repeat("x", 1001) + "}]", `f.yaml:1:21: the body has 1001 bytes; accepted: up to 1000, this server's MAX_BODY_SIZE`},
	{"an unknown fault", "routes: [{path: /a, fault: rest}]", `f.yaml:1:21: fault "rest" is not known; accepted: reset, empty,`},
	{"a rate of 0", "routes: [{path: /a, body: b, rate: 0}]", `f.yaml:1:30: rate "0" is not accepted`},
	{"a number that JSON has not", "routes: [{path: /a, json: .nan}]", `f.yaml:1:27: json has the number .nan, which would not be answered as it is written; accepted: one as JSON has them, of up to 15 digits, or a string in quotes`},
	{"a number that YAML reads as another", "routes: [{path: /a, json: {zip: 01234}}]", `f.yaml:1:33: json has the number 01234`},
	{"a number of too many digits", "routes: [{path: /a, json: [0.1234567890123456]}]", `f.yaml:1:28: json has the number 0.1234567890123456`},
	{"an integer of too many digits", "routes: [{path: /a, json: 123456789012345678901}]", `f.yaml:1:27: json has the number 123456789012345678901`},
	{"a number by an alias", "routes:\n  - path: /a\n    size: &n 0100\n  - path: /b\n    json: {count: *n}\n", `f.yaml:5:19: json has the number 0100, which would not be answered as it is written`},
	{"a number within an alias", "routes:\n  - path: /a\n    json: &a {b: [1, 0x10]}\n  - path: /b\n    json: [*a]\n", "\nf.yaml:3:22: json has the number 0x10\nf.yaml:5:12: json has the number 0x10"},
	{"a number by a merge", "routes: [{path: /a, json: {<<: {zip: 01234}, a: 1}}]", `f.yaml:1:38: json has the number 01234`},
	{"a number by a list of merges", "routes: [{path: /a, json: {<<: [{a: 1}, {zip: 1_000}]}}]", `f.yaml:1:47: json has the number 1_000`},
	{"a number by a tag", "routes: [{path: /a, json: {zip: !!int '0100'}}]", `f.yaml:1:33: json has the number 0100`},
	{"a value of a tag that JSON has not", "routes: [{path: /a, json: {zip: !zip 0100}}]", `f.yaml:1:33: json cannot be written as JSON: JSON has no value of the tag "!zip"`},
	{"a value that is merged and no mapping", "routes: [{path: /a, json: {<<: 1}}]", `f.yaml:1:27: json cannot be written as JSON: map merge requires map or sequence of maps as the value`},
	{"aliases that grow", "routes: [{path: /a, json: [&a [x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e,*e], &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]]}]", `f.yaml:1:27: json cannot be written as JSON: document contains excessive aliasing`},
	{"JSON with keys that are no words", "routes: [{path: /a, json: {1: 2}}]", `f.yaml:1:27: json cannot be written as JSON: `},
	{"JSON that holds itself", "routes: [{path: /a, json: &x [*x]}]", `f.yaml:1:27: json cannot be written as JSON: anchor 'x' value contains itself`},

	{"a header that frames the message", "routes:\n  - path: /a\n    headers:\n      X-A: b\n      content-length: 3\n", `f.yaml:5:7: header "content-length:3" is the server's own to set`},
	{"the second value of a header", "routes:\n  - path: /a\n    headers:\n      X-A: [b, \"c\\nd\"]\n", `f.yaml:4:7: header "X-A:c\nd" has a value that is not in visible ASCII`},
	{"a header with a colon", "routes: [{path: /a, headers: {'A:b': c}}]", `f.yaml:1:31: header "A:b" has a colon in its name; accepted: Name: value`},
	{"a header that is a mapping", "routes: [{path: /a, headers: {A: {b: c}}}]", `f.yaml:1:34: header A is a mapping; accepted: one value`},

	{"a pool of no size", "routes: [{path: /a, pool: {name: db}}]", `f.yaml:1:21: pool has no workers; accepted: name, workers, queue`},
	{"a pool that is a word", "routes: [{path: /a, pool: db}]", `f.yaml:1:27: pool is one value; accepted: a mapping`},
	{"a pool's key that is misspelt", "routes: [{path: /a, pool: {name: db, wokers: 1}}]", `f.yaml:1:38: pool has no key "wokers": did you mean workers?`},
	{"a pool of 0 workers", "routes: [{path: /a, pool: {name: db, workers: 0}}]", `f.yaml:1:38: workers "0" is not accepted; accepted: a whole number from 1`},
	{"a pool's name that is none", "routes: [{path: /a, pool: {name: a b, workers: 1}}]", `f.yaml:1:28: parameter pool: "a b" is no name`},
	{
		"a pool that is defined twice", "routes:\n  - {path: /a, pool: {name: db, workers: 1}}\n  - {path: /b, pool: {name: db, workers: 2}}\n",
		`f.yaml:3:16: pool "db" is defined otherwise in line 2; accepted: the same workers and queue wherever it is named`,
	},

	{"a barrier of no parties", "routes: [{path: /a, barrier: {name: b}}]", `f.yaml:1:21: barrier has no parties; accepted: name, parties, timeout`},
	{"a barrier of no name", "routes: [{path: /a, barrier: {parties: 2}}]", `f.yaml:1:21: barrier has no name; accepted: name, parties, timeout`},
	{"a barrier's name that is none", "routes: [{path: /a, barrier: {name: a b, parties: 2}}]", `f.yaml:1:31: the barrier's name: "a b" is no name; accepted: 1 to 200 visible ASCII characters`},
	{"a barrier of 0 parties", "routes:\n  - path: /a\n    barrier:\n      name: b\n      parties: 0\n", `f.yaml:5:7: parties "0" is not accepted; accepted: a whole number from 1 to 2147483647`},
	{"a barrier's key that is misspelt", "routes: [{path: /a, barrier: {name: b, partys: 2, paties: 2}}]", "\nf.yaml:1:40: barrier has no key \"partys\"; accepted: name, parties, timeout\nf.yaml:1:51: barrier has no key \"paties\": did you mean parties?"},
	{"a barrier's timeout by chance", "routes: [{path: /a, barrier: {name: b, parties: 2, timeout: random}}]", `f.yaml:1:52: timeout "random" is not accepted; accepted: a fixed time above 0 and up to 1m0s`},
	{
		"a barrier that is defined twice", "routes:\n  - {path: /a, barrier: {name: b, parties: 2, timeout: 1s}}\n  - {path: /b, barrier: {name: b, parties: 2, timeout: 2s}}\n  - {path: /c, barrier: {name: b, parties: 3}}\n",
		`f.yaml:4:16: barrier "b" is defined otherwise in line 2; accepted: the same parties wherever it is named`,
	},
	{"a hold that is a word", "routes: [{path: /a, hold: b}]", `f.yaml:1:27: hold is one value; accepted: a mapping`},
	{"a hold of no name", "routes: [{path: /a, hold: {timeout: 5s}}]", `f.yaml:1:21: hold has no name; accepted: name, timeout`},
	{"a hold's name that is none", "routes: [{path: /a, hold: {name: ''}}]", `f.yaml:1:28: the hold's name: "" is no name`},
	{"a hold of parties", "routes: [{path: /a, hold: {name: b, parties: 2}}]", `f.yaml:1:37: hold has no key "parties"; accepted: name, timeout`},
	{"a hold above MAX_DELAY", "routes:\n  - path: /a\n    hold:\n      name: b\n      timeout: 2m\n", `f.yaml:5:7: timeout "2m" is not accepted; accepted: a fixed time above 0 and up to 1m0s`},
	{"a key of a barrier's on the route", "routes: [{path: /a, parties: 2}]", `f.yaml:1:21: a route has no key "parties"`},

	{"a limit without a unit", "routes: [{path: /a, limit: {rate: 10}}]", `f.yaml:1:29: limit "10" is not accepted; accepted: a number from 0.001 to 1000000 in a second, a minute or an hour: 10/s, 100/m or 1000/h`},
	{"a limit of nothing", "routes: [{path: /a, limit: {rate: 0/s}}]", `f.yaml:1:29: limit "0/s" is not accepted`},
	{"a limit without a rate", "routes: [{path: /a, limit: {burst: 1}}]", `f.yaml:1:21: limit has no rate; accepted: rate, burst`},
	{"a burst of 0", "routes: [{path: /a, limit: {rate: 1/s, burst: 0}}]", `f.yaml:1:40: burst "0" is not accepted; accepted: a whole number from 1`},

	{"a barrier and a hold", "routes:\n  - path: /a\n    barrier: {name: b, parties: 2}\n    hold: {name: h}\n", `f.yaml:4:12: barrier and hold contradict each other: one event ends a wait; accepted: one of the two`},
	{
		"a hold and a barrier, and a timeout in vain", "routes:\n  - path: /a\n    barrier: {name: b, parties: 2, timeout: 1s}\n    hold: {name: h, timeout: x}\n",
		"\nf.yaml:4:12: barrier and hold contradict each other\nf.yaml:4:21: timeout \"x\" is not accepted",
	},
	{"body and json", "routes: [{path: /a, body: b, json: {}}]", `f.yaml:1:30: body and json contradict each other: an answer has one body; accepted: one of the two`},
	{"json and size", "routes: [{path: /a, json: {}, size: 3}]", `f.yaml:1:31: json and size contradict each other`},
	{"a fault that has no answer", "routes: [{path: /a, fault: reset, json: {}, status: 500}]", "\nf.yaml:1:35: fault=reset and json contradict each other: with that fault there is no answer\nf.yaml:1:45: fault=reset and status contradict each other"},
	{"a status that has no body", "routes: [{path: /a, status: 204, body: b}]", `f.yaml:1:34: status=204 and body contradict each other: that status has no body`},
	{"nothing to cut", "routes: [{path: /a, fault: truncate, body: b}]", `f.yaml:1:21: fault=truncate has nothing to cut: the body has 1 bytes; accepted: with a body of 2 bytes or more`},
	{"nothing to slow", "routes: [{path: /a, rate: 1}]", `f.yaml:1:21: rate has nothing to slow: the body is empty; accepted: with body, json or size`},
	{"no body to be late", "routes: [{path: /a, body: '', body_delay: 1s}]", `f.yaml:1:31: body_delay has nothing to slow: the body is empty`},
}

func TestLoadRefuses(t *testing.T) {
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load("f.yaml", []byte(tc.text), planner())
			if err == nil {
				t.Fatalf("Load(%q): accepted, want %s", tc.text, tc.want)
			}
			got, want := strings.Split(err.Error(), "\n"), strings.Split(strings.TrimPrefix(tc.want, "\n"), "\n")
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
					t.Fatalf("Load(%q): got\n%v\nwant %d errors that begin with\n%s", tc.text, err, len(want), tc.want)
				}
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, tc := range bad {
		f.Add([]byte(tc.text))
	}
	f.Add([]byte(shop))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Load("f.yaml", text, planner())
		if (err == nil) != (s != nil && s.Routes() > 0) {
			t.Errorf("Load(%q): got %v, %v: want routes or an error", text, s, err)
		}
	})
}

// Patterns that overlap cost most: each is compared with those before it.
func TestLoadTakesThousandsOfRoutes(t *testing.T) {
	const n = 5000
	for name, path := range map[string]string{
		"plain":                     "/a/%d",
		"all that follow":           "/a/%d/{rest...}",
		"all that follow, in depth": "/a/b/c/d/e/f/%d/{rest...}",
		"a parameter before":        "/a/{id}/%d",
		"a parameter behind":        "/a/%d/{id}",
		"parameters around":         "/{a}/%d/{b}/c/{rest...}",
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("routes:\n")
			for i := range n {
				fmt.Fprintf(&text, "  - {path: '"+path+"'}\n", i)
			}
			begin := time.Now()
			s, err := Load("f.yaml", []byte(text.String()), planner())
			if err != nil || s.Routes() != n {
				t.Fatalf("got %v, want %d routes", err, n)
			}
			if took := time.Since(begin); took > 5*time.Second { // it took minutes when it was quadratic
				t.Errorf("loading %d routes took %v", n, took)
			} else {
				t.Log(took)
			}
		})
	}
}
