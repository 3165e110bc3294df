package check_test

import (
	"fmt"
	"net/url"
	"testing"

	"flash.test/delay-server/internal/check"
)

// BenchmarkJudge judges a run of 10,000 requests by all checks that have no conflict:
// requests one after the other, of which each fails some check, and requests at once.
func BenchmarkJudge(b *testing.B) {
	const n = 10_000
	values, err := url.ParseQuery("attempts=4&backoff=100ms,2&breaker=5,10s&connections_at_most=4&gave_up_after=2s&" +
		"order=sequential&peak=1&retry_after=honoured&same_header=Idempotency-Key")
	if err != nil {
		b.Fatal(err)
	}
	list, err := check.Parse(values, recorded)
	if err != nil {
		b.Fatal(err)
	}
	hedges, err := check.Parse(url.Values{"hedged_after": {"50ms"}}, recorded)
	if err != nil {
		b.Fatal(err)
	}
	var sequential, concurrent []string
	for i := range n {
		sequential = append(sequential, fmt.Sprintf("%d-%d 503 after=1s conn=%d key=%d", 20*i, 20*i+10, i, i))
		concurrent = append(concurrent, fmt.Sprintf("%d-%d client_closed conn=%d", i, i+1_000_000, i))
	}
	for name, requests := range map[string][]string{"sequential": sequential, "concurrent": concurrent} {
		run := played(requests...)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if list.Judge(run).OK || hedges.Judge(run).OK {
					b.Fatal("got OK")
				}
			}
		})
	}
}
