package journal_test

import (
	"runtime"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
)

// BenchmarkRemembered has a journal remember 10,000 requests. B/request is what
// one of them keeps of the heap.
func BenchmarkRemembered(b *testing.B) {
	const n = 10_000
	b.ReportAllocs()
	var journals []*journal.Journal
	before := heap()
	for b.Loop() {
		j := journal.New(n, time.Now, func(journal.Wait) {})
		for range n {
			request(j, "r", time.Now())
		}
		if len(journals) < 10 {
			journals = append(journals, j)
		}
	}
	b.ReportMetric(float64(heap()-before)/float64(n*len(journals)), "B/request")
	runtime.KeepAlive(journals)
}
