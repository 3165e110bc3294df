package server

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// Requests of one connection wait one after the other, and no two at once.
func TestPipelinedRequestsTakeTurns(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		in := bufio.NewReader(conn)
		begin := time.Now()
		fmt.Fprint(conn, plain("150")+plain("100")+plain("50")+plain("0"))
		wiretest.Eventually(t, "one waits", func() bool { return srv.journal.Waiting() > 0 })
		if n := srv.journal.Waiting(); n != 1 {
			t.Errorf("%d wait, want 1", n)
		}
		least := time.Duration(0)
		for _, asked := range []time.Duration{150, 100, 50, 0} {
			least += asked * time.Millisecond
			reply, body := readReplies(t, in, 1, 200)
			if took := time.Since(begin); took < least {
				t.Errorf("the reply to /delay/%d came after %v, want %v or more", asked, took, least)
			}
			if !strings.Contains(body, fmt.Sprintf(`"%d ms"`, asked)) {
				t.Errorf("got %s, want that to /delay/%d", body, asked)
			}
			if a, w := timing(t, reply); a != asked*time.Millisecond || w > time.Since(begin)-least+a {
				t.Errorf("Server-Timing %s: want the time since the reply before, at most", reply.Header.Get("Server-Timing"))
			}
		}
	})
}

// A client that leaves while its first request waits leaves what it sent behind it too.
func TestAClientLeavesPipelinedRequests(t *testing.T) {
	for name, sent := range map[string]string{
		"one waits": plain("600000"), "another behind it": plain("600000") + plain("600000"), "another and half a third": plain("600000") + plain("0") + "GET /del",
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, config Config) {
				srv, base, _ := start(t, config, io.Discard)
				conn := wiretest.Dial(t, base)
				fmt.Fprint(conn, sent)
				wiretest.Eventually(t, "one waits", func() bool { return srv.journal.Waiting() == 1 })
				conn.Close()
				wiretest.Eventually(t, "none waits", func() bool { return srv.journal.Waiting() == 0 })
				_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
				for _, want := range []string{`outcome="client_closed"} 1`, `outcome="answered"} 0`, "delay_server_waiting 0", "overshoot_seconds_count 0"} {
					if !strings.Contains(metrics, want) {
						t.Errorf("the metrics do not say %s:\n%s", want, grep(metrics, "delay_server"))
					}
				}
			})
		})
	}
}

// A client that has read an answer finds its place free, and itself counted.
func TestAPlaceIsFreeOnceTheAnswerIsRead(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.MaxInFlight = 1
		_, base, _ := start(t, config, io.Discard)
		one, other := wiretest.Dial(t, base), wiretest.Dial(t, base)
		fromOne, fromOther := bufio.NewReader(one), bufio.NewReader(other)
		for range 3000 {
			fmt.Fprint(one, plain("0"))
			readReplies(t, fromOne, 1, 200)
			fmt.Fprint(other, upgrading("0"))
			readReplies(t, fromOther, 1, 200)
		}
		fmt.Fprint(one, plain("0"))
		readReplies(t, fromOne, 1, 200)
		_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
		for _, want := range []string{`outcome="answered"} 6001`, `outcome="refused"} 0`, "delay_server_waiting 0", "overshoot_seconds_count 6001"} {
			if !strings.Contains(metrics, want) {
				t.Errorf("the metrics do not say %s:\n%s", want, grep(metrics, "delay_server"))
			}
		}
	})
}
