//go:build linux

package server

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// Waits that end early are answered, counted and logged in the same way with and without
// event loops.
func TestDifferentialWaitsEnd(t *testing.T) {
	for _, origins := range []string{"*", "none", "https://a.example"} {
		t.Run(origins, func(t *testing.T) {
			t.Parallel()
			var seen [2]map[string]string
			var running sync.WaitGroup
			for i, on := range []bool{false, true} {
				config := DefaultConfig()
				config.CORSOrigins = []string{origins}
				running.Go(func() { seen[i] = endsOfWaits(t, eventLoop(config, on)) })
			}
			running.Wait()
			for what, want := range seen[0] {
				if got := seen[1][what]; got != want {
					t.Errorf("%s:\n%s", what, difference(got, want))
				}
			}
		})
	}
}

// endsOfWaits ends waits in all ways, and returns what a client or operator sees.
func endsOfWaits(t *testing.T, config Config) map[string]string {
	config.MaxInFlight, config.ShutdownTimeout = 2, 1500*time.Millisecond
	var log logbook
	srv, base, stop := start(t, config, &log)
	srv.engine.Clock.Freeze()
	seen := map[string]string{}
	all := func(conn io.Reader) string {
		text, err := io.ReadAll(conn)
		return fmt.Sprintf("%s[%v]", masked(string(text), anyTime), err)
	}
	idle := wiretest.Dial(t, base)
	fmt.Fprint(idle, plain("0"))
	wiretest.Eventually(t, "one was answered", func() bool {
		return strings.Contains(log.String(),
			"outcome=answered")
	})

	leaves := wiretest.Dial(t, base)
	fmt.Fprint(leaves, plain("600000"))
	wiretest.Eventually(t, "one waits", func() bool { return srv.engine.Journal.Waiting() == 1 })
	leaves.Close()
	wiretest.Eventually(t, "it has left", func() bool { return srv.engine.Journal.Waiting() == 0 })

	drained, shutdown := wiretest.Dial(t, base), wiretest.Dial(t, base)
	fmt.Fprint(shutdown, plain("600000/"))
	awaitTimed(t, srv, 1)
	fmt.Fprint(drained, plain("1000")+plain("0"))
	awaitTimed(t, srv, 2)
	refused := wiretest.Dial(t, base)
	fmt.Fprint(refused, plain("1")+strings.Replace(plain("0"), "Host", "Connection: close\r\nHost", 1))
	seen["refused"] = all(refused)

	_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
	seen["metrics"] = regexp.MustCompile(`(?m)^.*(bucket|_sum).*\n`).ReplaceAllString(grep(metrics, "delay_server_"),
		"")
	var stopping sync.WaitGroup
	stopping.Go(stop)
	seen["idle"] = all(idle) // the end, since the server drains
	advance(t, srv, time.Second)
	stopping.Wait()
	seen["drained"], seen["shutdown"] = all(drained), all(shutdown)
	times := regexp.MustCompile(`(time|waited|until)=[0-9][^ ]*`)
	lines := strings.Split(times.ReplaceAllString(grep(log.String(), "msg=waited"), "$1=…"), "\n")
	slices.Sort(lines)
	seen["log"] = strings.Join(lines, "\n")
	seen["end"] = times.ReplaceAllString(grep(log.String(), "msg=draining")+grep(log.String(), "msg=stopped"), "$1=…")
	return seen
}

// A malformed request is answered when it has arrived, even if it is shorter than the 14
// bytes of HTTP/2's preface, which net/http looks for until READ_TIMEOUT on some
// connections.
func TestShortMalformedRequests(t *testing.T) {
	config := DefaultConfig()
	config.ReadTimeout = time.Hour
	_, base, _ := start(t, config, io.Discard)
	for _, before := range []string{"", plain("0"), plain("1"), plain("0") + upgrading("0")} {
		conn := wiretest.Dial(t, base)
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprint(conn, before+"x\r\n\r\n")
		text, err := io.ReadAll(conn)
		if want := "HTTP/1.1 400 Bad Request"; err != nil || strings.Count(string(text), want) != 1 {
			t.Errorf("%q, then a short malformed request: %q, %v, want %s", before, text, err, want)
		}
	}
}
