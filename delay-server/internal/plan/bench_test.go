package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
)

// BenchmarkPlan measures a plan with a cached template, and with a different path for
// each request.
func BenchmarkPlan(b *testing.B) {
	for _, bc := range []struct{ name, target, runID, traceparent string }{
		{"fixed", "/delay/1000", "", ""},
		{"traced", "/delay/1000", "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"run in the header", "/delay/1000", "monday", ""},
		{"lognormal", "/delay/lognormal:120ms,900ms", "", ""},
		{"status", "/delay/1000?status=503:5", "", ""},
		{"run and size", "/delay/1000?run=abc&size=100", "", ""},
		{"seed and run", "/delay/uniform:1,2?seed=7&run=monday", "", ""},
		{"fail_first", "/delay/1000?fail_first=2&run=monday", "", ""},
		{"attempts", "/delay/1000?attempts=503,503@2s,reset,200&run=monday", "", ""},
		{"all kinds", "/delay/1000?run=abc&size=100&rate=100&header=X-A:b", "", ""},
		{"pool", "/delay/1000?pool=db&workers=4", "", ""},
		{"limit", "/delay/1000?limit=10/s", "", ""},
		{"limit of a client", "/delay/1000?limit=10/s&limit_key=ip", "", ""},
		{"redirect", "/delay/1000/url/example.com/a?b=c", "", ""},
		{"drip", "/drip", "", ""},
		{"sse", "/sse", "", ""},
		{"status of go-httpbin", "/status/200", "", ""},
		{"bytes", "/bytes/100", "", ""},
		{"hold", "/hold/checkout?timeout=5s", "", ""},
	} {
		b.Run(bc.name, func(b *testing.B) {
			p, r := benchmarked(), request(b, bc.target)
			r.RunID, r.Traceparent = bc.runID, bc.traceparent
			b.ReportAllocs()
			for b.Loop() {
				planned(b, p, r)
			}
		})
	}
	for _, bc := range []struct{ name, format string }{
		{"changing unknown parameter", "/delay/1000?_=%d"},
		{"changing run", "/delay/1000?run=%d"},
		{"changing path", "/delay/1.%d"}, // no template is found
	} {
		b.Run(bc.name, func(b *testing.B) {
			p := benchmarked()
			requests := make([]plan.Request, 10_000)
			for i := range requests {
				requests[i] = request(b, fmt.Sprintf(bc.format, 1_700_000_000_000+i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				planned(b, p, requests[i%len(requests)])
			}
		})
	}
	b.Run("1000 attempts", func(b *testing.B) { // not cached
		p, r := benchmarked(), request(b, "/delay/1000?run=monday&attempts=200"+strings.Repeat(",503,200", 499)+",503")
		b.ReportAllocs()
		for b.Loop() {
			planned(b, p, r)
		}
	})
	b.Run("in parallel", func(b *testing.B) {
		p, r := benchmarked(), request(b, "/delay/1000")
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				planned(b, p, r)
			}
		})
	})
}

func benchmarked() *plan.Planner {
	return plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, RedirectHosts: plan.HostList{"*"}})
}

func planned(b *testing.B, p *plan.Planner, r plan.Request) {
	template, err := p.Find(r)
	if err == nil {
		_, err = template.Plan(r)
	}
	if err != nil {
		b.Fatal(err)
	}
}
