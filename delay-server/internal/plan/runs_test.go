package plan_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// The counts of runs must not keep requests in memory: their paths and headers may be
// long.
func TestCountsKeepNoRequest(t *testing.T) {
	const requests = 500
	long := strings.Repeat("0", 8000)
	for _, tc := range []struct {
		name   string
		target func(i int) string
		header func(i int) string // a part of it is the run
	}{
		{"paths", func(i int) string { return fmt.Sprintf("/delay/0.%s%d?fail_first=1&run=N", long, i) }, nil},
		{"runs in a query", func(i int) string { return fmt.Sprintf("/delay/0?fail_first=1&run=N%d&zz=%s", i, long) },
			nil},
		{"runs in a header", func(int) string { return "/delay/0?fail_first=1" },
			func(i int) string { return fmt.Sprintf("N%08d%s", i, long)[:9] }},
		{"seeds in a query", func(i int) string { return fmt.Sprintf("/delay/uniform:0,1?seed=%d&zz=%s", i, long) },
			nil},
		{"runs of a seed", func(int) string { return "/delay/uniform:0,1?seed=1" },
			func(i int) string { return fmt.Sprintf("N%08d%s", i, long)[:9] }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planner()
			before := heap()
			for i := range requests {
				r := request(t, tc.target(i))
				if tc.header != nil {
					r.RunID = tc.header(i)
				}
				if _, err := planOf(t, p, r); err != nil {
					t.Fatal(err)
				}
			}
			each := (heap() - before) / requests
			if each > 1000 {
				t.Errorf("%d requests keep %d bytes each, want at most 1000", requests, each)
			}
			runtime.KeepAlive(p)
		})
	}
}

// heap returns the number of reachable bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
