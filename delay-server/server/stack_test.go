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

// A request that waits has two goroutines: its connection's, and net/http's that
// reads on to see the client leave. Stacks are of 2, 4, 8 or 16 KB: a plain delay
// has to do with 4 and 2, what has a query or a form to read with 8 and 2. Frames
// are larger in code for the race detector, and other on other machines.
//
// It runs in a process of its own, where goroutines start with 2 KB: elsewhere
// Go starts them with the average of those that the last collection saw, which
// are other tests'.
func TestTheStacksOfAWaitingRequest(t *testing.T) {
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
		most int // bytes, with a few of the next size
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
			wiretest.Eventually(t, "all wait", func() bool { return srv.journal.Waiting() == n })
			if each := (stacks() - before) / n; each > tc.most {
				t.Errorf("GET %s: its stacks take %d bytes while it waits, want no more than %d", tc.path, each, tc.most)
			}
		})
	}
}

// stacks returns the bytes of all stacks in use, after a garbage collection,
// which frees those of goroutines that ended.
func stacks() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
}
