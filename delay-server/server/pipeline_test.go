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

// TestPipelinedRequestsAreSequential checks that at most one request of a connection
// waits at a time.
func TestPipelinedRequestsAreSequential(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		conn := wiretest.Dial(t, base)
		in := bufio.NewReader(conn)
		begin := time.Now()
		fmt.Fprint(conn, plain("150?run=r")+plain("100?run=r")+plain("50?run=r")+plain("0?run=r"))
		minElapsed := time.Duration(0)
		for _, asked := range []time.Duration{150, 100, 50, 0} {
			minElapsed += asked * time.Millisecond
			reply, body := readReplies(t, in, 1, 200)
			if took := time.Since(begin); took < minElapsed {
				t.Errorf("/delay/%d: got a reply after %v, want at least %v", asked, took, minElapsed)
			}
			if !strings.Contains(body, fmt.Sprintf(`"%d ms"`, asked)) {
				t.Errorf("got %s, want the reply to /delay/%d", body, asked)
			}
			if a, w := timing(t, reply); a != asked*time.Millisecond || w > time.Since(begin)-minElapsed+a {
				t.Errorf("/delay/%d: got Server-Timing %s, want at most the time since the previous reply",
					asked, reply.Header.Get("Server-Timing"))
			}
		}
		if run, _ := srv.engine.Journal.Run("r"); run.Requests != 4 || run.PeakInFlight != 1 {
			t.Errorf("%d requests, %d waited at a time, want 4, 1", run.Requests, run.PeakInFlight)
		}
	})
}

// TestClientClosesPipeline checks that pipelined requests are dropped if the client
// closes the connection while the first one waits.
func TestClientClosesPipeline(t *testing.T) {
	for name, sent := range map[string]string{
		"one request":    plain("600000"),
		"two requests":   plain("600000") + plain("600000"),
		"two and a half": plain("600000") + plain("0") + "GET /del",
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, config Config) {
				srv, base, _ := start(t, config, io.Discard)
				conn := wiretest.Dial(t, base)
				fmt.Fprint(conn, sent)
				wiretest.Eventually(t, "a request waits", func() bool { return srv.engine.Journal.Waiting() == 1 })
				conn.Close()
				wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
				_, metrics := do(t, newClient(t), "GET", base+"/metrics", nil)
				for _, want := range []string{
					`outcome="client_closed"} 1`, `outcome="answered"} 0`,
					"delay_server_waiting 0", "overshoot_seconds_count 0",
				} {
					if !strings.Contains(metrics, want) {
						t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server"))
					}
				}
			})
		})
	}
}

// TestLimitIsReleasedBeforeAnswerIsRead checks that a request no longer counts as in
// flight, and is in the metrics, once the client has read the answer.
func TestLimitIsReleasedBeforeAnswerIsRead(t *testing.T) {
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
		for _, want := range []string{
			`outcome="answered"} 6001`, `outcome="refused"} 0`,
			"delay_server_waiting 0", "overshoot_seconds_count 6001",
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server"))
			}
		}
	})
}
