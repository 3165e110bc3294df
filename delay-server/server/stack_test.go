//go:build amd64 && !race

package server

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
)

// TestStackPerWaitingRequest bounds the stack memory of a request that waits in
// net/http. It stays because the README states the memory per waiting request, and
// one larger frame can double it.
//
// A waiting request has two goroutines: one serves the connection, the other detects
// that the client closes it. Stack sizes are powers of two: a plain delay fits in
// 4 KB and 2 KB, one with a query or a distribution in 8 KB and 2 KB. Frames differ
// with the race detector and on other architectures.
//
// The test runs in a child process with GODEBUG=adaptivestackstart=0, since Go
// otherwise starts goroutines with the average stack size of earlier tests.
func TestStackPerWaitingRequest(t *testing.T) {
	const fixed = "adaptivestackstart=0"
	if os.Getenv("GODEBUG") != fixed {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG="+fixed)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	const n = 1000
	config := DefaultConfig()
	config.EventLoop = false
	for _, tc := range []struct {
		path string
		max  int // bytes; allows a few stacks of the next size
	}{
		{"/delay/10m", 7 << 10},
		{"/delay/10m/url/example.com", 7 << 10},
		{"/delay/uniform:9m,10m", 13 << 10},
		{"/delay/9m?status=404:10&header=X-A:b&size=100&rate=10&seed=1&run=r", 13 << 10},
		{"/hold/h", 13 << 10},
	} {
		t.Run(tc.path, func(t *testing.T) {
			srv, base, _ := start(t, config, io.Discard)
			before := stacks()
			for range n {
				conn := wiretest.Dial(t, base)
				if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", tc.path); err != nil {
					t.Fatal(err)
				}
			}
			wiretest.Eventually(t, "all requests wait", func() bool { return srv.engine.Journal.Waiting() == n })
			if each := (stacks() - before) / n; each > tc.max {
				t.Errorf("GET %s: got %d bytes of stack per request, want at most %d", tc.path, each, tc.max)
			}
		})
	}
}

// stacks returns the size of all stacks in use, after a garbage collection that frees
// the stacks of ended goroutines.
func stacks() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
}
