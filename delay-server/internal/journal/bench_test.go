package journal_test

import (
	"runtime"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
)

// BenchmarkRecords records 10,000 requests. B/request is the memory of one record.
func BenchmarkRecords(b *testing.B) {
	const n = 10_000
	b.ReportAllocs()
	var journals []*journal.Journal
	before := heap()
	for b.Loop() {
		j := benchmarked(n)
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

// benchmarked returns a journal that records the default header fields.
func benchmarked(size int) *journal.Journal {
	j := journal.New(size, time.Now, func(journal.Wait) {})
	j.Headers = []string{"Idempotency-Key", "User-Agent"}
	return j
}
