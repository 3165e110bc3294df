package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// setClock posts a command and returns the reply.
func setClock(t testing.TB, client *http.Client, base, command string) (*http.Response, string) {
	t.Helper()
	return do(t, client, "POST", base+"/admin/clock", strings.NewReader(command))
}

func TestClockCommands(t *testing.T) {
	config := DefaultConfig()
	config.TimeScale = 0.5
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	var last float64
	for _, tc := range []struct {
		name, command string
		scale         float64
		frozen        bool
		advance       float64 // of a frozen clock, in milliseconds; negative for a running clock
	}{
		{"freeze", `{"freeze":true}`, 0.5, true, -1},
		{"freeze a frozen clock", `{"freeze": true}`, 0.5, true, 0},
		{"advance by a delay", `{"advance":"1.5s"}`, 0.5, true, 1500},
		{"advance by a number", "\n{ \"advance\" : 250 }\n", 0.5, true, 250},
		{"advance by a fraction", `{"advance":0.25}`, 0.5, true, 0.25},
		{"advance by a number in a string", `{"advance":"20"}`, 0.5, true, 20},
		{"scale a frozen clock", `{"scale":0.001}`, 0.001, true, 0},
		{"unfreeze", `{"freeze":false}`, 0.001, false, -1},
		{"the slowest", `{"scale":1000000}`, 1e6, false, -1},
		{"the fastest", `{"scale":1e-6}`, 1e-6, false, -1},
		{"freeze again", `{"freeze":true}`, 1e-6, true, -1},
		{"reset", `{"reset":true}`, 0.5, false, -1},
		{"reset without effect", `{"reset":true}`, 0.5, false, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, text := setClock(t, client, base, tc.command)
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil || reply.StatusCode != 200 {
				t.Fatalf("POST %s: got %d %s, want 200 and JSON", tc.command, reply.StatusCode, text)
			}
			if _, waits := got["next_ms"]; len(got) != 4 || got["scale"] != tc.scale || got["frozen"] != tc.frozen ||
				got["waiting"] != 0.0 || waits {
				t.Errorf("POST %s: got %s, want scale %v, frozen %v, none waiting and no next_ms", tc.command, text,
					tc.scale, tc.frozen)
			}
			elapsed, _ := got["elapsed_ms"].(float64)
			if elapsed < last || tc.advance >= 0 && elapsed-last > tc.advance+1e-5 || elapsed-last < tc.advance-1e-5 {
				t.Errorf("POST %s: elapsed_ms went from %v to %v, want %v more", tc.command, last, elapsed, tc.advance)
			}
			last = elapsed
		})
	}
}

func TestAdvanceOfARunningClock(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	for _, before := range []string{"", `{"scale":0.1}`, `{"freeze":false}`} {
		if before != "" {
			setClock(t, client, base, before)
		}
		reply, text := setClock(t, client, base, `{"advance":"1s"}`)
		wantProblem(t, "advance after "+before, reply, text, problem.ClockNotFrozen)
	}
}

func TestAdvanceWakesInDueOrder(t *testing.T) {
	const n = 200
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			client := newClient(t)
			for i := range n {
				delay := 10 * (1 + i*37%n) // each once, in mixed order
				ask(t, client, 1, fmt.Sprintf("%s/delay/%d?run=r", base, delay))
			}
			if state := s.timed(n); state.Next != 10*time.Millisecond || state.Waiting != n {
				t.Errorf("the clock is %+v, want %d waiting and the first due in 10ms", state, n)
			}
			for half := range 2 {
				s.advance(10 * n / 2 * time.Millisecond)
				// No settled=true: Advance has waited for the answers.
				if run := s.run("r"); run.Waiting != n-n*(half+1)/2 {
					t.Fatalf("%d of %d wait after %d of 2 advances, want %d", run.Waiting, n, half+1, n-n*(half+1)/2)
				}
			}
			for _, w := range s.run("r").Waits {
				if w.Start != 0 || w.End != w.Asked || w.Waited != w.Asked || w.Outcome != "answered" {
					t.Fatalf("got %+v, want start 0, and end, waited and asked the same to the nanosecond", w)
				}
			}
			if run := s.run("r"); run.PeakInFlight != n || run.Wall != 10*n*time.Millisecond ||
				run.Sum != n*(n+1)/2*10*time.Millisecond {
				t.Errorf("got peak %d, wall %v, sum %v", run.PeakInFlight, run.Wall, run.Sum)
			}
		})
	}
}

// An advance is answered after all that is due has happened: parts of bodies, waits after
// other waits, requests in a pool.
func TestAdvanceWaitsForAll(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		n            int
		by           time.Duration
		timing       string // prefix of Server-Timing
		text         string // of a reply, "" for any
	}{
		{"a wait", "/delay/30s", 3, 30 * time.Second, "asked;dur=30000, waited;dur=30000, real;dur=",
			`{"status":200,"message":"Mock response from Flash","delay":"30000 ms"}`},
		{"a fraction of a millisecond", "/delay/0.125", 1, 125 * time.Microsecond,
			"asked;dur=0.125, waited;dur=0.125, real;dur=",
			`{"status":200,"message":"Mock response from Flash","delay":"0.125 ms"}`},
		{"a wait and a body_delay", "/delay/2s?body_delay=3s&size=5", 2, 5 * time.Second,
			"asked;dur=2000, waited;dur=2000, real;dur=", "01234"},
		{"a throttled body", "/delay/1s?size=2000&rate=1", 2, 3 * time.Second,
			"asked;dur=1000, waited;dur=1000, real;dur=", ""},
		{"a drip", "/drip?delay=1s&duration=2s&numbytes=5", 2, 3 * time.Second,
			"asked;dur=1000, waited;dur=1000, real;dur=", "*****"},
		{"events", "/sse?delay=1s&duration=2s&count=3", 2, 3 * time.Second,
			"asked;dur=1000, waited;dur=1000, real;dur=", ""},
		{"a pool", "/delay/1s?pool=db&workers=1", 5, 5 * time.Second, "asked;dur=1000, queued;dur=", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			query := "?"
			if strings.Contains(tc.target, "?") {
				query = "&"
			}
			replies := ask(t, newClient(t), tc.n, base+tc.target+query+"run=r")
			s.waiting("r", tc.n)
			workers := tc.n
			if strings.Contains(tc.target, "workers=1") {
				workers = 1
			}
			s.timed(workers)
			s.advance(tc.by - 1)
			if run := s.run("r"); run.Settled {
				t.Fatalf("a nanosecond before the last is due: got %+v", run)
			}
			s.advance(1)
			run := s.run("r")
			if !run.Settled || run.PeakInFlight != tc.n || run.Wall != tc.by {
				t.Errorf("got settled %v, peak %d and wall %v, want true, %d and %v", run.Settled, run.PeakInFlight,
					run.Wall, tc.n, tc.by)
			}
			for range tc.n {
				got := next(t, replies)
				if !strings.HasPrefix(got.header.Get("Server-Timing"), tc.timing) || tc.text != "" &&
					got.text != tc.text {
					t.Errorf("got %s, Server-Timing %s, want %s, %s", got.text, got.header.Get("Server-Timing"),
						tc.text, tc.timing)
				}
			}
			if workers == 1 && tc.n > 1 {
				for i, w := range run.Waits {
					if w.Waited != time.Second || w.End != w.Queued+time.Second || w.Queued%time.Second != 0 {
						t.Errorf("wait %d: got %+v, want it served at a whole second", i, w)
					}
				}
			}
		})
	}
}

func TestTimeScale(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.TimeScale = 0.001
		_, base, _ := start(t, config, io.Discard)
		begin := time.Now()
		reply, text := do(t, newClient(t), "GET", base+"/delay/30000", nil)
		took := time.Since(begin)
		header := reply.Header.Get("Server-Timing")
		var asked, waited, real float64 // milliseconds
		if _, err := fmt.Sscanf(header, "asked;dur=%f, waited;dur=%f, real;dur=%f", &asked, &waited,
			&real); err != nil {
			t.Fatalf("Server-Timing %q: %v", header, err)
		}
		if asked != 30_000 || waited < asked || real < asked*config.TimeScale || took.Seconds()*1000 < real ||
			!strings.Contains(text, `"30000 ms"`) {
			t.Errorf("TIME_SCALE=0.001: got %s after %v, %s; want asked ≤ waited, and asked/1000 ≤ real",
				header, took, text)
		}
		if real > waited/10 {
			t.Errorf("%s: %v times as fast, want about a thousand times", header, waited/real)
		}
	})
}

func TestServerTimingHasRealIfTheClockWasSet(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		real := func() bool {
			reply, _ := do(t, newClient(t), "GET", base+"/delay/0", nil)
			return strings.Contains(reply.Header.Get("Server-Timing"), ", real;dur=")
		}
		if real() {
			t.Error("Server-Timing has real before the clock was set")
		}
		for _, command := range []string{`{"scale":2}`, `{"freeze":true}`, `{"reset":true}`} {
			if setClock(t, client, base, command); !real() {
				t.Errorf("after %s Server-Timing has no real", command)
			}
		}
	})
}

func TestClockSetDuringWaits(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		replies := ask(t, newClient(t), 2, base+"/delay/300000")
		s.timed(2)
		if state := s.advance(time.Minute); state.Next != 4*time.Minute || state.Waiting != 2 || !state.Frozen {
			t.Errorf("got %+v, want 2 waiting, due in 4m", state)
		}
		if _, err := s.api.Scale(t.Context(), 1e-6); err != nil {
			t.Fatal(err)
		}
		if len(replies) > 0 {
			t.Error("a scale has unfrozen the clock")
		}
		if _, err := s.api.Unfreeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantAll(t, replies, 2, 200, `"300000 ms"`)
	})
}

func TestAwaitClock(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		client := newClient(t)
		ask(t, client, 2, base+"/delay/60000")
		s.timed(2)
		reply, text := do(t, client, "GET", base+"/admin/clock?waiting=3&timeout=1ms", nil)
		wantProblem(t, "waiting=3 while 2 wait", reply, text, problem.WaitTimeout)
		awaited := ask(t, client, 1, base+"/admin/clock?waiting=3")
		ask(t, client, 1, base+"/hold/x") // its timeout is a time on the clock
		wantAll(t, awaited, 1, 200, `"waiting":3,`)
		s.advance(time.Minute)
		if got := s.clock(); got.Waiting != 1 || got.Next != 9*time.Minute {
			t.Errorf("got %+v, want only the hold, due in 9m", got)
		}
		s.release("x")
	})
}

// An advance waits for all due requests, in event loops and in net/http.
func TestAdvanceWaitsForAllConnections(t *testing.T) {
	const n = 200
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		clients := []*http.Client{newClient(t), newH2CClient(t)} // HTTP/2 is net/http's
		var replies [2]<-chan answered
		for i := range replies {
			all := make(chan answered, n)
			var asking sync.WaitGroup
			for j := range n {
				asking.Go(func() { all <- fetch(t.Context(), clients[i], fmt.Sprintf("%s/delay/%d", base, 10*(j+1))) })
			}
			t.Cleanup(asking.Wait)
			replies[i] = all
		}
		s.timed(2 * n)
		for half := range 2 {
			s.advance(10 * n / 2 * time.Millisecond)
			_, metrics := do(t, clients[0], "GET", base+"/metrics", nil)
			if want := fmt.Sprintf("delay_server_waiting %d\n", 2*n-n*(half+1)); !strings.Contains(metrics, want) {
				t.Fatalf("after %d of 2 advances: got %s, want %s", half+1, grep(metrics, "server_waiting "), want)
			}
		}
		for _, of := range replies {
			for range n {
				got := next(t, of)
				var asked, waited, real float64
				header := got.header.Get("Server-Timing")
				if _, err := fmt.Sscanf(header, "asked;dur=%f, waited;dur=%f, real;dur=%f", &asked, &waited,
					&real); err != nil || asked != waited {
					t.Fatalf("Server-Timing %q: %v, want asked and waited the same, and real", header, err)
				}
			}
		}
	})
}

// A scale applies to waiting requests too.
func TestScaleOfWaitingRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		replies := ask(t, newClient(t), 20, base+"/delay/600000")
		wiretest.Eventually(t, "all wait", func() bool { return srv.engine.Journal.Waiting() == 20 })
		setClock(t, newClient(t), base, `{"scale":0.000001}`)
		wantAll(t, replies, 20, 200, `"600000 ms"`)
	})
}
