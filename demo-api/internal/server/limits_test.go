package server

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"

	"flash.test/demo-api/internal/fetch"
)

// The longest header that the settings allow is within curl's limit for a line.
func TestServerTimingFitsCurl(t *testing.T) {
	const curlLimit = 100 * 1024
	results := make([]fetch.Result, 4000)
	for i := range results {
		results[i] = fetch.Result{Name: "r4000", Duration: 10*time.Minute - 10*time.Microsecond}
	}
	if n := len(serverTiming(time.Time{}, 4000*10*time.Minute, results)); n >= curlLimit {
		t.Errorf("Server-Timing of %d calls: %d bytes, want less than %d", len(results), n, curlLimit)
	}
}

// A query is parsed within the limits, or the error is a short 400. The names of
// ignored parameters are visible ASCII.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "calls=0", "calls=12&delay=250ms&limit=3", "delay=random",
		"calls=1e9", "calls=%2B2", "calls=0x10", "calls=-1",
		"calls=", "calls", "call=3", "calls=1&calls=2", "delay=", "delay=601s", "limit=0", "limit=99999999999999999999",
		"a;b", "%zz", "_=17&utm_source=x", "%C3%A4=1&a%0D%0Ab=2", "db=500", "calls=0&db=1", "db=recorded:x",
		"db=pareto:1,0.1", "=", "&&", strings.Repeat("x", 9000),
	} {
		f.Add(seed)
	}
	options := Options{Calls: 2, MaxCalls: 1000, Delay: "1000", MaxDelay: 10 * time.Minute}
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := parseQuery(raw, options)
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status != 400 || len(p.Detail) > 1000 {
				t.Errorf("parseQuery(%q): error %v, want a problem of 400 of at most 1000 bytes", raw, err)
			}
			return
		}
		if parsed.calls < 0 || parsed.calls > options.MaxCalls || parsed.limit < 0 {
			t.Errorf("parseQuery(%q) = %+v, want calls from 0 to %d, limit 0 or more", raw, parsed, options.MaxCalls)
		}
		d, err := delay.Parse(parsed.delay)
		if fixed, _ := d.Fixed(); err != nil || fixed > options.MaxDelay {
			t.Errorf("parseQuery(%q): delay %q is invalid: %v", raw, parsed.delay, err)
		}
		if parsed.db != nil && (parsed.calls == 0 || parsed.db.Min() > options.MaxDelay) {
			t.Errorf("parseQuery(%q) = %+v, want a query within MaxDelay and a call to replace", raw, parsed)
		}
		h := http.Header{}
		query.NameIgnored(h, parsed.ignored)
		list := h.Get(query.IgnoredHeader)
		if strings.ContainsFunc(list, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("parseQuery(%q): %s %q, want visible ASCII", raw, query.IgnoredHeader, list)
		}
	})
}
