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

// bad are invalid files and their errors.
var bad = []struct {
	name string
	text string
	want string // each line is the beginning of an error, in this order
}{
	{"an empty file", "", `f.yaml:1:1: the scenario is empty: use routes: and a list`},
	{"only a comment", "# nothing\n", `f.yaml:1:1: the scenario is empty: use`},
	{"no YAML", "routes:\n  - path: [\n", `f.yaml:2:1: not YAML: did not find expected node content`},
	{"a tab", "routes:\n\t- path: /a\n", `f.yaml:2:1: not YAML: found character that cannot start any token`},
	{"bytes that are no text", "\xff\xfe\x00", `f.yaml:1:1: not YAML: incomplete UTF-16 character`},
	{"an alias of nothing", "routes: *none", `f.yaml:1:1: not YAML: unknown anchor 'none' referenced`},
	{
		"a second document", "routes: [{path: /a}]\n---\nroutes: []\n",
		`f.yaml:2:1: a second document begins here: use one`,
	},
	{"a list for the file", "- path: /a\n", `f.yaml:1:1: the scenario is a list: use a mapping`},
	{"another key", "routs:\n  - path: /a\n",
		`f.yaml:1:1: unknown key "routs" of the scenario; did you mean "routes"?`},
	{"no routes", "{}", `f.yaml:1:1: the scenario has no routes: use`},
	{"routes that are empty", "routes: []", `f.yaml:1:1: routes is empty: use one route or more`},
	{"routes that are none", "routes:\n", `f.yaml:1:8: routes is empty: use a list`},
	{"a route that is none", "routes:\n  - /a\n", `f.yaml:2:5: a route is one value: use`},
	{
		"a key that is a list", "routes:\n  - [a]: b\n    path: /a\n",
		`f.yaml:2:5: a key of a route is a list: use a word`,
	},
	{"the file in itself", "&a\nroutes: *a\n", `f.yaml:1:1: routes is a mapping: use`},
	{
		"all errors at once, in the order of the lines",
		"routes:\n  - path: /a\n    dely: 1\n    delay: abc\n    status: 99\n  - path: b\n    zzz: 1\n", `
f.yaml:3:5: unknown key "dely" of a route; did you mean "delay"?
f.yaml:4:5: delay "abc" is invalid (unknown form): use milliseconds (1000, 1.5), a Go duration (250m
f.yaml:5:5: status "99" is invalid (at "99"): use a code from 200 to 599, or CODE:PERCENT,… such as 
f.yaml:6:5: path "b" is invalid (no / at its beginning): use segments after /: literal, {name}, or {
f.yaml:7:5: unknown key "zzz" of a route: use method, path, attempts, attempts_key, barrier, body, b`,
	},
	{
		"a key that is given twice", "routes:\n  - path: /a\n    delay: 1\n    delay: 2\n",
		`f.yaml:4:5: key "delay" repeats the one in line 3`,
	},
	{"no path", "routes:\n  - delay: 1\n", `f.yaml:2:5: the route has no path: use path: /products/{id}`},
	{"a path that is a list", "routes:\n  - path: [a]\n", `f.yaml:2:11: path is a list: use one value`},
	{
		"a method in small letters", "routes:\n  - path: /a\n    method: get\n",
		`f.yaml:3:5: unknown method "get"; did you mean GET?`,
	},
	{
		"a method that is misspelt", "routes:\n  - path: /a\n    method: PSOT\n",
		`f.yaml:3:5: unknown method "PSOT"; did you mean POST?`,
	},
	{
		"an unknown method", "routes:\n  - path: /a\n    method: BREW\n",
		`f.yaml:3:5: unknown method "BREW": use DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, or leave method out`,
	},

	{"a path with a query", "routes: [{path: '/a?b=c'}]", `f.yaml:1:11: path "/a?b=c" is invalid (at "a?b=c"): use`},
	{"another's parameter", "routes: [{path: '/a/:id'}]", `f.yaml:1:11: path "/a/:id" is invalid (at ":id"): use`},
	{"another's rest", "routes: [{path: '/a/*'}]", `f.yaml:1:11: path "/a/*" is invalid (at "*"): use`},
	{"half a parameter", "routes: [{path: '/a/{id'}]", `f.yaml:1:11: path "/a/{id" is invalid (at "{id"): use`},
	{
		"a parameter within a segment", "routes: [{path: '/a/x-{id}'}]",
		`f.yaml:1:11: path "/a/x-{id}" is invalid (at "x-{id}"): use`,
	},
	{
		"a parameter twice", "routes: [{path: '/{a}/{a}'}]",
		`f.yaml:1:11: path "/{a}/{a}" is invalid (the name a twice): use`,
	},
	{
		"a parameter and a rest of one name", "routes: [{path: '/{a}/{a...}'}]",
		`f.yaml:1:11: path "/{a}/{a...}" is invalid (the name a twice): use`,
	},
	{
		"a rest before the end", "routes: [{path: '/{a...}/b'}]",
		`f.yaml:1:11: path "/{a...}/b" is invalid (at "{a...}"): use`,
	},
	{
		"an empty segment", "routes: [{path: /a//b}]",
		`f.yaml:1:11: path "/a//b" is invalid (clients remove the segment ""): use`,
	},
	{
		"dots", "routes: [{path: /a/../b}]",
		`f.yaml:1:11: path "/a/../b" is invalid (clients remove the segment ".."): use`,
	},
	{"half an escape", "routes: [{path: /a%2}]", `f.yaml:1:11: path "/a%2" is invalid (an invalid % escape): use`},
	{
		"the probe's path", "routes: [{path: /healthz}]",
		`f.yaml:1:11: path "/healthz" is reserved: use a path outside /admin, /ca.pem, /healthz, /metrics, /o`,
	},
	{"the probe's path, escaped", "routes: [{path: /%68ealthz}]", `f.yaml:1:11: path "/%68ealthz" is reserved: use`},
	{
		"below the admin's path", "routes: [{path: '/admin/{x...}'}]",
		`f.yaml:1:11: path "/admin/{x...}" is reserved: use`,
	},

	{
		"a route twice",
		"routes:\n  - {method: GET, path: '/a/{x}'}\n" +
			"  - {method: POST, path: '/a/{x}'}\n  - {method: GET, path: '/a/{y}'}\n",
		`f.yaml:4:19: GET /a/{y} repeats the route in line 2`,
	},
	{
		"any method and one of them", "routes:\n  - path: /a\n  - {method: PUT, path: /a}\n",
		`f.yaml:3:19: PUT /a repeats the route in line 2`,
	},
	{
		"paths of which none is the more specific", "routes:\n  - path: /{a}/b\n  - path: /a/{b}\n",
		`f.yaml:3:5: /a/{b} and /{a}/b in line 2 match the same requests, and neither is more specific`,
	},

	{
		"all that follow and one of them, neither the more specific",
		"routes:\n  - path: /{a}/b/c\n  - path: /a/{rest...}\n",
		`f.yaml:3:5: /a/{rest...} and /{a}/b/c in line 2 match the same requests, and neither is more specific`,
	},
	{
		"HEAD of two routes, neither the more specific",
		"routes:\n  - {method: GET, path: '/{a}/b'}\n  - {method: HEAD, path: '/a/{b}'}\n",
		`f.yaml:3:20: HEAD /a/{b} and /{a}/b in line 2 match the same requests, and neither is more specific`,
	},
	{
		"one path that is escaped in two ways", "routes:\n  - path: /caf%C3%A9\n  - path: /café\n",
		`f.yaml:3:5: /café and /caf%C3%A9 in line 2 match the same requests, and neither is more specific`,
	},

	{
		"a delay above MAX_DELAY", "routes: [{path: /a, delay: 1h}]",
		`f.yaml:1:21: delay "1h" is invalid (longer than MAX_DELAY): use up to 1m0s (60000 ms)`,
	},
	{"an empty delay", "routes:\n  - path: /a\n    delay:\n", `f.yaml:3:11: delay is empty: use`},
	{
		"an unknown recording", "routes: [{path: /a, delay: 'recorded:x'}]",
		`f.yaml:1:21: delay "recorded:x" is invalid (no such recording): use recorded: with a recording of RE`,
	},
	{
		"a bad body_delay", "routes: [{path: /a, body: b, body_delay: -1}]",
		`f.yaml:1:30: body_delay "-1" is invalid (negative): use`,
	},
	{
		"a size above MAX_BODY_SIZE", "routes: [{path: /a, size: 1001}]",
		`f.yaml:1:21: size "1001" is invalid: use a whole number from 0 to 1000`,
	},
	{
		"a body above MAX_BODY_SIZE", "routes: [{path: /a, body: " + strings.Repeat("x", 1001) + "}]",
		`f.yaml:1:21: a body of 1001 bytes is invalid: use up to MAX_BODY_SIZE=1000`,
	},
	{
		"an unknown fault", "routes: [{path: /a, fault: rest}]",
		`f.yaml:1:21: fault "rest" is invalid: use reset, empty, garbage, truncate, hang`,
	},
	{
		"a rate of 0", "routes: [{path: /a, body: b, rate: 0}]",
		`f.yaml:1:30: rate "0" is invalid: use kilobytes a second from 0.001 to 1000000000`,
	},
	{
		"a number that JSON has not", "routes: [{path: /a, json: .nan}]",
		`f.yaml:1:27: json number .nan is invalid: use a JSON number of up to 15 digits, or quotes`,
	},
	{
		"a number that YAML reads as another", "routes: [{path: /a, json: {zip: 01234}}]",
		`f.yaml:1:33: json number 01234 is invalid: use`,
	},
	{
		"a number of too many digits", "routes: [{path: /a, json: [0.1234567890123456]}]",
		`f.yaml:1:28: json number 0.1234567890123456 is invalid: use`,
	},
	{
		"an integer of too many digits", "routes: [{path: /a, json: 123456789012345678901}]",
		`f.yaml:1:27: json number 123456789012345678901 is invalid: use`,
	},
	{
		"a number by an alias", "routes:\n  - path: /a\n    size: &n 0100\n  - path: /b\n    json: {count: *n}\n",
		`f.yaml:5:19: json number 0100 is invalid: use`,
	},
	{
		"a number within an alias",
		"routes:\n  - path: /a\n    json: &a {b: [1, 0x10]}\n  - path: /b\n    json: [*a]\n", `
f.yaml:3:22: json number 0x10 is invalid: use
f.yaml:5:12: json number 0x10 is invalid: use`,
	},
	{
		"a number by a merge", "routes: [{path: /a, json: {<<: {zip: 01234}, a: 1}}]",
		`f.yaml:1:38: json number 01234 is invalid: use`,
	},
	{
		"a number by a list of merges", "routes: [{path: /a, json: {<<: [{a: 1}, {zip: 1_000}]}}]",
		`f.yaml:1:47: json number 1_000 is invalid: use`,
	},
	{
		"a number by a tag", "routes: [{path: /a, json: {zip: !!int '0100'}}]",
		`f.yaml:1:33: json number 0100 is invalid: use`,
	},
	{
		"a value of a tag that JSON has not", "routes: [{path: /a, json: {zip: !zip 0100}}]",
		`f.yaml:1:33: json is invalid: JSON has no tag "!zip"`,
	},
	{
		"a value that is merged and no mapping", "routes: [{path: /a, json: {<<: 1}}]",
		`f.yaml:1:27: json is invalid: map merge requires map or sequence of maps as the value`,
	},
	{
		"aliases that grow",
		"routes: [{path: /a, json: [&a [x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], " +
			"&c [*b,*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d,*d], " +
			"&f [*e,*e,*e,*e,*e,*e,*e,*e,*e], &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]]}]",
		`f.yaml:1:27: json is invalid: document contains excessive aliasing`,
	},
	{
		"JSON with keys that are no words", "routes: [{path: /a, json: {1: 2}}]",
		`f.yaml:1:27: json is invalid: key "1" is not a string`,
	},
	{
		"JSON that holds itself", "routes: [{path: /a, json: &x [*x]}]",
		`f.yaml:1:27: json is invalid: anchor 'x' value contains itself`,
	},

	{
		"a header that frames the message",
		"routes:\n  - path: /a\n    headers:\n      X-A: b\n      content-length: 3\n",
		`f.yaml:5:7: header "content-length:3" is invalid (it frames the message): use another field`,
	},
	{
		"the second value of a header", "routes:\n  - path: /a\n    headers:\n      X-A: [b, \"c\\nd\"]\n",
		`f.yaml:4:7: header "X-A:c\nd" is invalid (not visible ASCII): use Name:value`,
	},
	{
		"a header with a colon", "routes: [{path: /a, headers: {'A:b': c}}]",
		`f.yaml:1:31: header "A:b" has a colon in its name: use Name: value`,
	},
	{
		"a header that is a mapping", "routes: [{path: /a, headers: {A: {b: c}}}]",
		`f.yaml:1:34: header A is a mapping: use`,
	},

	{"a pool of no size", "routes: [{path: /a, pool: {name: db}}]", `f.yaml:1:21: pool needs workers`},
	{"a pool that is a word", "routes: [{path: /a, pool: db}]", `f.yaml:1:27: pool is one value: use`},
	{
		"a pool's key that is misspelt", "routes: [{path: /a, pool: {name: db, wokers: 1}}]",
		`f.yaml:1:38: unknown key "wokers" of pool; did you mean "workers"?`,
	},
	{
		"a pool of 0 workers", "routes: [{path: /a, pool: {name: db, workers: 0}}]",
		`f.yaml:1:38: workers "0" is invalid: use a whole number from 1 to 1000000`,
	},
	{
		"a pool's name that is none", "routes: [{path: /a, pool: {name: a b, workers: 1}}]",
		`f.yaml:1:28: pool "a b" is invalid: use 1 to 200 visible ASCII characters`,
	},
	{
		"a pool that is defined twice",
		"routes:\n  - {path: /a, pool: {name: db, workers: 1}}\n  - {path: /b, pool: {name: db, workers: 2}}\n",
		`f.yaml:3:16: pool "db" is defined differently in line 2: use the same queue and workers`,
	},

	{"a barrier of no parties", "routes: [{path: /a, barrier: {name: b}}]", `f.yaml:1:21: barrier needs parties`},
	{"a barrier of no name", "routes: [{path: /a, barrier: {parties: 2}}]", `f.yaml:1:21: barrier needs name`},
	{
		"a barrier's name that is none", "routes: [{path: /a, barrier: {name: a b, parties: 2}}]",
		`f.yaml:1:31: barrier "a b" is invalid: use`,
	},
	{
		"a barrier of 0 parties", "routes:\n  - path: /a\n    barrier:\n      name: b\n      parties: 0\n",
		`f.yaml:5:7: parties "0" is invalid: use a whole number from 1 to 2147483647`,
	},
	{
		"a barrier's key that is misspelt",
		"routes: [{path: /a, barrier: {name: b, partys: 2, paties: 2}}]", `
f.yaml:1:40: unknown key "partys" of barrier: use name, parties, timeout
f.yaml:1:51: unknown key "paties" of barrier; did you mean "parties"?`,
	},
	{
		"a barrier's random timeout", "routes: [{path: /a, barrier: {name: b, parties: 2, timeout: random}}]",
		`f.yaml:1:52: timeout "random" is invalid: use a fixed time above 0 and up to 1m0s, such as 5s or 250ms`,
	},
	{
		"a barrier that is defined twice",
		"routes:\n  - {path: /a, barrier: {name: b, parties: 2, timeout: 1s}}\n" +
			"  - {path: /b, barrier: {name: b, parties: 2, timeout: 2s}}\n  - {path: /c, barrier: {name: b, " +
			"parties: 3}}\n",
		`f.yaml:4:16: barrier "b" is defined differently in line 2: use the same parties`,
	},
	{"a hold that is a word", "routes: [{path: /a, hold: b}]", `f.yaml:1:27: hold is one value: use`},
	{"a hold of no name", "routes: [{path: /a, hold: {timeout: 5s}}]", `f.yaml:1:21: hold needs name`},
	{"a hold's name that is none", "routes: [{path: /a, hold: {name: ''}}]", `f.yaml:1:28: hold "" is invalid: use`},
	{
		"a hold of parties", "routes: [{path: /a, hold: {name: b, parties: 2}}]",
		`f.yaml:1:37: unknown key "parties" of hold: use name, timeout`,
	},
	{
		"a hold above MAX_DELAY", "routes:\n  - path: /a\n    hold:\n      name: b\n      timeout: 2m\n",
		`f.yaml:5:7: timeout "2m" is invalid: use`,
	},
	{
		"a key of a barrier's on the route", "routes: [{path: /a, parties: 2}]",
		`f.yaml:1:21: unknown key "parties" of a route: use`,
	},

	{
		"a limit without a unit", "routes: [{path: /a, limit: {rate: 10}}]",
		`f.yaml:1:29: limit "10" is invalid: use 0.001 to 1000000 a second, minute or hour, such as 10/s, 100`,
	},
	{"a limit of nothing", "routes: [{path: /a, limit: {rate: 0/s}}]", `f.yaml:1:29: limit "0/s" is invalid: use`},
	{"a limit without a rate", "routes: [{path: /a, limit: {burst: 1}}]", `f.yaml:1:21: limit needs rate`},
	{"an unknown key of a limit", "routes: [{path: /a, limit: {rate: 1/s, limit_key: run}}]",
		`f.yaml:1:40: unknown key "limit_key" of limit: use rate, burst, headers, key, window`},
	{"a limit by nothing", "routes: [{path: /a, limit: {rate: 1/s, key: user}}]",
		`f.yaml:1:40: limit_key "user" is invalid: use ip, run or header:NAME`},
	{"a burst of a fixed window", "routes: [{path: /a, limit: {rate: 1/s, burst: 2, window: fixed}}]",
		`f.yaml:1:40: limit_window=fixed and burst conflict`},
	{"a header that the limit sets",
		"routes: [{path: /a, limit: {rate: 1/s, headers: x}, headers: {X-RateLimit-Limit: 1}}]",
		`f.yaml:1:63: header=X-Ratelimit-Limit and limit_headers=x conflict`},
	{"a burst of 0", "routes: [{path: /a, limit: {rate: 1/s, burst: 0}}]", `f.yaml:1:40: burst "0" is invalid: use`},

	{"attempts that are a word", "routes: [{path: /a, attempts: '503,200'}]",
		`f.yaml:1:31: attempts is one value: use a list`},
	{"attempts that are empty", "routes: [{path: /a, attempts: []}]",
		`f.yaml:1:21: attempts is empty: use one entry or more`},
	{
		"1001 attempts", "routes: [{path: /a, attempts: [503" + strings.Repeat(", 503", 1000) + "]}]",
		`f.yaml:1:21: attempts has 1001 entries: use 1 to 1000`,
	},
	{
		"bad attempts, each at its place",
		"routes:\n  - path: /a\n    attempts:\n      - rest\n      - 503@2h\n      - [503]\n      - staus: 503\n" +
			"      - {status: 99, delay: 1s}\n      -\n", `
f.yaml:4:9: attempts "rest" is invalid (did you mean "reset"?): use a status from 200 to 599, or reset
f.yaml:5:9: attempts "2h" is invalid (longer than MAX_DELAY): use up to 1m0s (60000 ms)
f.yaml:6:9: an attempt is a list: use one value
f.yaml:7:9: unknown key "staus" of an attempt; did you mean "status"?
f.yaml:8:10: status "99" is invalid (at "99"): use
f.yaml:9:8: an attempt is empty: use one value`,
	},
	{
		"keys that no attempt has",
		"routes:\n  - path: /a\n    attempts:\n      - {path: /b}\n      - {attempts: [503]}\n" +
			"      - {fail_first: 1}\n      - {attempts_key: 'header:A'}\n", `
f.yaml:4:10: unknown key "path" of an attempt: use barrier, body, body_delay, delay, fault, headers, hold
f.yaml:5:10: unknown key "attempts" of an attempt: use
f.yaml:6:10: unknown key "fail_first" of an attempt: use
f.yaml:7:10: unknown key "attempts_key" of an attempt: use`,
	},
	{
		"attempts and a status", "routes: [{path: /a, attempts: [503], status: 404, fail_first: 1}]",
		`f.yaml:1:21: status and attempts conflict: each attempt has its own`,
	},
	{
		"an attempt that conflicts with itself", "routes: [{path: /a, attempts: [{fault: reset, body: b}, 200]}]",
		`f.yaml:1:47: fault=reset and body conflict: this fault sends no response`,
	},
	{
		"two bodies of an attempt", "routes: [{path: /a, size: 3, attempts: [{body: a, json: b}]}]",
		`f.yaml:1:51: body and json conflict: a response has one body`,
	},
	{
		"a key of the route without effect on any attempt", "routes: [{path: /a, body: b, attempts: [reset, 204]}]",
		`f.yaml:1:21: fault=reset and body conflict: this fault sends no response`,
	},
	{
		"a key of the route that an attempt exceeds",
		"routes:\n  - path: /a\n    body_delay: 30s\n    body: b\n    attempts:\n      - 200\n      - 200@45s\n" +
			"      - {rate: 0.001, size: 31}\n", `
f.yaml:7:9: delay 45s, body_delay 30s and a body that takes 0s are longer than MAX_DELAY=1m0s in t
f.yaml:8:10: delay 0s, body_delay 30s and a body that takes 31s are longer than MAX_DELAY=1m0s in t`,
	},
	{
		"an attempt that exceeds a key of the route",
		"routes:\n  - path: /a\n    rate: 0.001\n    body: b\n    attempts:\n      - 200\n      - {size: 61}\n",
		`f.yaml:7:9: delay 0s, body_delay 0s and a body that takes 1m1s are longer than MAX_DELAY=1m0s in t`,
	},
	{
		"a bad value of the route, once", "routes: [{path: /a, delay: x, attempts: [503, 200]}]",
		`f.yaml:1:21: delay "x" is invalid (unknown form): use`,
	},
	{
		"a pool of an attempt that is defined twice",
		"routes:\n  - {path: /a, pool: {name: db, workers: 1}}\n" +
			"  - {path: /b, attempts: [{pool: {name: db, workers: 2}}]}\n",
		`f.yaml:3:28: pool "db" is defined differently in line 2: use the same queue and workers`,
	},
	{"a bad attempts_key", "routes: [{path: /a, attempts_key: run}]",
		`f.yaml:1:21: attempts_key "run" is invalid: use header:NAME`},

	{
		"a barrier and a hold", "routes:\n  - path: /a\n    barrier: {name: b, parties: 2}\n    hold: {name: h}\n",
		`f.yaml:4:12: barrier and hold conflict: a request waits for one event`,
	},
	{
		"a hold and a barrier, and a bad timeout",
		"routes:\n  - path: /a\n    barrier: {name: b, parties: 2, timeout: 1s}\n    hold: {name: h, timeout: x}\n", `
f.yaml:4:12: barrier and hold conflict: a request waits for one event
f.yaml:4:21: timeout "x" is invalid: use`,
	},
	{
		"body and json", "routes: [{path: /a, body: b, json: {}}]",
		`f.yaml:1:30: body and json conflict: a response has one body`,
	},
	{
		"json and size", "routes: [{path: /a, json: {}, size: 3}]",
		`f.yaml:1:31: json and size conflict: a response has one body`,
	},
	{"a fault that has no answer", "routes: [{path: /a, fault: reset, json: {}, status: 500}]", `
f.yaml:1:35: fault=reset and json conflict: this fault sends no response
f.yaml:1:45: fault=reset and status conflict: this fault sends no response`},
	{
		"a status that has no body", "routes: [{path: /a, status: 204, body: b}]",
		`f.yaml:1:34: status=204 and body conflict: this status has no body`,
	},
	{
		"nothing to cut", "routes: [{path: /a, fault: truncate, body: b}]",
		`f.yaml:1:21: fault=truncate and a body of 1 bytes conflict: use a body of 2 bytes or more`,
	},
	{
		"nothing to slow", "routes: [{path: /a, rate: 1}]",
		`f.yaml:1:21: rate and an empty body conflict: there is nothing to slow`,
	},
	{
		"no body to be late", "routes: [{path: /a, body: '', body_delay: 1s}]",
		`f.yaml:1:31: body_delay and an empty body conflict: there is nothing to slow`,
	},
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

// Patterns that overlap cost most: each is compared with the earlier ones.
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
			if took := time.Since(begin); took > time.Minute { // 10 s on a busy machine; minutes when quadratic
				t.Errorf("loading %d routes took %v", n, took)
			} else {
				t.Log(took)
			}
		})
	}
}
