package server

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestDistribution(t *testing.T) {
	config := DefaultConfig()
	config.MaxDelay = 2 * time.Second
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	for _, tc := range []struct{ delay, query, title string }{
		{"lognormal:120ms,900ms", "", "<title>lognormal:120,900: p50 120 ms, p90 363 ms, p99 884 ms<"},
		{"uniform:1s,3s", "", "<title>uniform:1000,3000: p50 1.5 s, p90 1.9 s, p99 1.99 s, at most 2 s (MAX_DELAY)<"},
		{"1.5", "", "<title>Always 1.5 ms<"},
		{"1.5", "&unit=ms", "<title>Always 1.5 ms<"},
		{"1.5", "&unit=s", "<title>Always 1.5 s<"},
		{"uniform:1,2", "&unit=s", "<title>uniform:1000,2000: p50 1.5 s, p90 1.9 s, p99 1.99 s<"},
	} {
		reply, body := do(t, client, "GET", base+"/distribution.svg?delay="+url.QueryEscape(tc.delay)+tc.query, nil)
		if reply.StatusCode != 200 || reply.Header.Get("Content-Type") != "image/svg+xml" ||
			!strings.Contains(body, tc.title) {
			t.Errorf("%s%s: got %d %s, want %s", tc.delay, tc.query, reply.StatusCode, body, tc.title)
		}
	}
	for _, tc := range []struct {
		query string
		kind  problem.Type
		want  string
	}{
		{"", problem.InvalidParameter, "delay is missing: use delay=lognormal:120ms,900ms"},
		{"delay=", problem.InvalidParameter, `delay "" is invalid (empty): use milliseconds (1000, 1.5)`},
		{"delay=soon", problem.InvalidParameter, `delay "soon" is invalid (unknown form): use milliseconds`},
		{"delay=3s", problem.InvalidParameter, "longer than MAX_DELAY"},
		{"delay=recorded:none", problem.InvalidParameter, "no such recording"},
		{"delay=1&unit=h", problem.InvalidParameter, `unit "h" is invalid: use ms or s`},
		{"delay=1&delay=2", problem.RepeatedParameter, "parameter delay is given 2 times"},
		{"dely=1", problem.UnknownParameter, `unknown parameter "dely"; did you mean "delay"?`},
		{"delay=1&width=2", problem.UnknownParameter, `unknown parameter "width"; use delay, unit`},
	} {
		reply, body := do(t, client, "GET", base+"/distribution.svg?"+tc.query, nil)
		if p := readProblem(t, reply, body); p.Type != tc.kind || !strings.Contains(p.Detail, tc.want) {
			t.Errorf("?%s: got %s %q, want %s %q", tc.query, p.Type, p.Detail, tc.kind, tc.want)
		}
	}
}
