package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestHoldIsReleased(t *testing.T) {
	const n = 20
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			replies := ask(t, newClient(t), n, base+"/hold/x")
			s.held("x", n)
			if len(replies) > 0 {
				t.Fatal("answered before the release")
			}
			if got := s.release("x"); got != n {
				t.Errorf("released %d, want %d", got, n)
			}
			for range n {
				got := next(t, replies)
				timing := got.header.Get("Server-Timing")
				if got.status != 200 || got.text != `{"status":200,"hold":"x"}` {
					t.Fatalf("got %d %s, want 200 with the name of the hold", got.status, got.text)
				}
				if want := "asked;dur=0, held;dur=0, waited;dur=0, real;dur="; !strings.HasPrefix(timing, want) {
					t.Fatalf("got Server-Timing %s, want %s", timing, want)
				}
			}
			s.held("x", 0)
		})
	}
}

func TestReleaseInOrderOfArrival(t *testing.T) {
	const n = 5
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	var replies []<-chan answered
	for i := range n {
		replies = append(replies, ask(t, client, 1, fmt.Sprintf("%s/hold/x?run=%d", base, i)))
		s.held("x", i+1)
	}
	released := 0
	for _, count := range []int{1, 2} {
		got, err := s.api.ReleaseN(t.Context(), "x", count)
		if err != nil || got != count {
			t.Fatalf("ReleaseN(%d) = %d, %v", count, got, err)
		}
		for range count {
			wantAll(t, replies[released], 1, 200, `"hold":"x"`)
			released++
		}
		s.held("x", n-released)
	}
	reply, text := do(t, client, "POST", base+"/admin/holds/x/release?count=3", nil)
	wantProblem(t, "release more than are held", reply, text, problem.TooFewHeld)
	s.held("x", 2)
	if got := s.release("x"); got != 2 {
		t.Errorf("the last release released %d, want 2", got)
	}
	for _, rest := range replies[released:] {
		wantAll(t, rest, 1, 200, "")
	}
}

func TestFailedHold(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	failed := ask(t, client, 3, base+"/hold/x?run=r")
	other := ask(t, client, 1, base+"/hold/y")
	s.held("x", 3)
	s.held("y", 1)
	reply, text := do(t, client, "DELETE", base+"/admin/holds/x", nil)
	if reply.StatusCode != 200 || text != `{"name":"x","failed":3}`+"\n" {
		t.Errorf("DELETE: got %d %s, want 200 with 3 failed", reply.StatusCode, text)
	}
	wantAll(t, failed, 3, 503, `"type":"/problems/hold-failed"`)
	for _, w := range s.settled("r").Waits {
		if w.Outcome != "failed" {
			t.Errorf("got outcome %s, want failed", w.Outcome)
		}
	}
	s.held("y", 1)
	s.release("y")
	wantAll(t, other, 1, 200, "")
	for _, call := range []struct{ method, path string }{
		{"DELETE", ""}, {"POST", "/release"}, {"POST", "/release?count=2"},
	} {
		reply, text := do(t, client, call.method, base+"/admin/holds/x"+call.path, nil)
		wantProblem(t, call.method+" "+call.path, reply, text, problem.HoldNotFound)
	}
}

func TestHoldTimesOut(t *testing.T) {
	config := DefaultConfig()
	config.MaxDelay = time.Minute
	base, s := frozen(t, config)
	client := newClient(t)
	hasty := ask(t, client, 1, base+"/hold/x?timeout=5s&run=hasty")
	patient := ask(t, client, 1, base+"/hold/x")
	s.held("x", 2)
	s.advance(5 * time.Second)
	wantAll(t, hasty, 1, 504, `"type":"/problems/hold-timeout"`)
	s.held("x", 1) // each request has its own timeout
	if w := s.run("hasty").Waits[0]; w.Outcome != "timed_out" || w.Waited != 5*time.Second {
		t.Errorf("got %+v, want timed_out after 5s", w)
	}
	s.advance(55 * time.Second)
	wantAll(t, patient, 1, 504, `not released within 1m0s`) // MAX_DELAY
	s.held("x", 0)
}

func TestClientLeavesHold(t *testing.T) {
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			ctx, leave := context.WithCancel(t.Context())
			stays := ask(t, newClient(t), 1, base+"/hold/x")
			s.held("x", 1)
			left := askUntil(t, ctx, newClient(t), 3, base+"/hold/x?run=left")
			s.held("x", 4)
			leave()
			for range 3 {
				if got := <-left; !errors.Is(got.err, context.Canceled) {
					t.Fatalf("got %d %v, want a cancelled request", got.status, got.err)
				}
			}
			s.settled("left")
			s.held("x", 1)
			if got := s.release("x"); got != 1 {
				t.Errorf("released %d, want 1", got)
			}
			wantAll(t, stays, 1, 200, "")
		})
	}
}

func TestDelayAfterHold(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	replies := ask(t, newClient(t), 3, base+"/hold/x?delay=2s&body_delay=1s&status=202&size=5&run=r")
	s.held("x", 3)
	s.advance(4 * time.Second)
	s.release("x")
	s.timed(3)
	s.advance(3 * time.Second)
	for range 3 {
		got := next(t, replies)
		timing, want := got.header.Get("Server-Timing"), "asked;dur=2000, held;dur=4000, waited;dur=6000, real;dur="
		if got.status != 202 || got.text != "01234" || !strings.HasPrefix(timing, want) {
			t.Errorf("got %d %s, Server-Timing %s, want 202 and %s", got.status, got.text, timing, want)
		}
	}
	for _, w := range s.run("r").Waits {
		if w.Asked != 2*time.Second || w.Waited != 6*time.Second || w.End != 7*time.Second {
			t.Errorf("got %+v, want asked 2s, waited 6s, sent at 7s", w)
		}
	}
}

func TestListAndAwaitHolds(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	s, client := steer(t, base), newClient(t)
	for path, want := range map[string]string{"": `{"holds":[]}`, "/x": `{"name":"x","waiting":0}`} {
		reply, text := do(t, client, "GET", base+"/admin/holds"+path, nil)
		if reply.StatusCode != 200 || text != want+"\n" {
			t.Errorf("nothing held: got %d %s, want 200 %s", reply.StatusCode, text, want)
		}
	}
	awaited := ask(t, client, 1, base+"/admin/holds/x?waiting=2")
	ask(t, client, 1, base+"/hold/z%2F1")
	ask(t, client, 2, base+"/hold/x")
	wantAll(t, awaited, 1, 200, `{"name":"x","waiting":2,"requests":[{"nth":1},{"nth":2}]}`)
	s.held("z/1", 1)
	want := `{"holds":[{"name":"x","waiting":2},{"name":"z/1","waiting":1}]}` + "\n"
	if _, text := do(t, client, "GET", base+"/admin/holds", nil); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	reply, text := do(t, client, "GET", base+"/admin/holds/x?waiting=3&timeout=1ms", nil)
	wantProblem(t, "one more than are held", reply, text, problem.WaitTimeout)
	for _, name := range []string{"x", "z/1"} {
		s.release(name)
	}
}

func TestInvalidHolds(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	long := strings.Repeat("x", 201)
	for _, tc := range []struct {
		name, method, target string
		want                 problem.Type
	}{
		{"no name", "GET", "/hold/", problem.NotFound},
		{"201 bytes", "GET", "/hold/" + long, problem.InvalidParameter},
		{"a space", "GET", "/hold/a%20b", problem.InvalidParameter},
		{"a timeout of 0", "GET", "/hold/x?timeout=0", problem.InvalidParameter},
		{"misspelt name", "GET", "/hold/x?timeot=1s", problem.UnknownParameter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, text := do(t, client, tc.method, base+tc.target, nil)
			wantProblem(t, tc.method+" "+tc.target, reply, text, tc.want)
		})
	}
}

func TestShutdownEndsHoldsAndBarriersOnAFrozenClock(t *testing.T) {
	config := DefaultConfig()
	config.ShutdownTimeout = 100 * time.Millisecond
	var log logbook
	_, base, stop := start(t, config, &log)
	s, client := steer(t, base), newClient(t)
	s.freeze()
	var all []<-chan answered
	for _, path := range []string{"/hold/x", "/barrier/b?parties=9", "/delay/1m"} {
		all = append(all, ask(t, client, 3, base+path))
	}
	s.timed(9)
	stop()
	for _, replies := range all {
		wantAll(t, replies, 3, 503, `"type":"/problems/shutting-down"`)
	}
	if got := log.String(); !strings.Contains(got, "stopped aborted=9") {
		t.Errorf("log: want stopped aborted=9:\n%s", got)
	}
}

func TestThousandsOfHeldRequests(t *testing.T) {
	const n = 2000
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.MaxInFlight, config.MaxInFlightPerClient, config.MaxInFlightPerConnection = n, n, n+2
			_, base, _ := start(t, config, io.Discard)
			s := steer(t, base)
			client := newClient(t)
			replies := ask(t, client, n, base+"/hold/x?timeout=10m&run=r")
			s.held("x", n)
			// MAX_IN_FLIGHT does not count requests of the admin API.
			wantAll(t, ask(t, client, 1, base+"/hold/x"), 1, 503, "/problems/too-many-in-flight")
			if got := s.release("x"); got != n {
				t.Errorf("released %d, want %d", got, n)
			}
			wantAll(t, replies, n, 200, `"hold":"x"`)
			if run := s.settled("r"); run.PeakInFlight != n || run.Requests != n {
				t.Errorf("peak %d of %d requests, want %d of both", run.PeakInFlight, run.Requests, n)
			}
		})
	}
}

func TestTrailingSlashIsNotPartOfTheName(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client, s := newClient(t), steer(t, base)
	held := ask(t, client, 1, base+"/hold/x/")
	s.held("x", 1)
	if n, err := s.api.Release(t.Context(), "x"); err != nil || n != 1 {
		t.Fatalf("Release = %d, %v; want 1", n, err)
	}
	wantAll(t, held, 1, 200, `"hold":"x"`)
	for _, path := range []string{"/hold//", "/barrier//?parties=1"} {
		reply, text := do(t, client, "GET", base+path, nil)
		wantProblem(t, path, reply, text, problem.InvalidParameter)
	}
}
