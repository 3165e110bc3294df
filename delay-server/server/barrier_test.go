package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

// With a frozen clock, only arrivals make a barrier pass.
func TestBarrierPassesTogether(t *testing.T) {
	const n = 50
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			client := newClient(t)
			url := fmt.Sprintf("%s/barrier/b?parties=%d", base, n)
			for range 3 { // a barrier is cyclic
				replies := ask(t, client, n-1, url)
				s.timed(n - 1)
				if len(replies) != 0 {
					t.Fatalf("%d of %d passed", len(replies), n-1)
				}
				last := next(t, ask(t, client, 1, url))
				for range n - 1 {
					got := next(t, replies)
					want := `{"status":200,"barrier":"b","parties":50}`
					if got.status != 200 || got.text != want || got.text != last.text {
						t.Fatalf("got %d %s, the last to come %s, want 200 %s", got.status, got.text, last.text, want)
					}
					if timing := got.header.Get("Server-Timing"); !strings.HasPrefix(timing,
						"asked;dur=0, held;dur=0, waited;dur=0, real;dur=") {
						t.Fatalf("Server-Timing %s, want asked, held and waited of 0, and real", timing)
					}
				}
				if got := s.clock().Waiting; got != 0 {
					t.Fatalf("%d still wait after all have passed", got)
				}
			}
		})
	}
}

func TestBarrierPassesInRounds(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	replies := ask(t, newClient(t), 7, base+"/barrier/b?parties=3")
	wantAll(t, replies, 6, 200, `"parties":3`)
	s.timed(1)
	s.advance(10 * time.Second) // the default timeout
	wantAll(t, replies, 1, 504, `"type":"/problems/barrier-timeout"`)
}

func TestSequentialClientDoesNotPassABarrier(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	for range 3 {
		reply := ask(t, client, 1, base+"/barrier/b?parties=2&timeout=5s&run=r")
		s.timed(1)
		s.advance(5*time.Second - 1)
		s.timed(1)
		s.advance(1)
		wantAll(t, reply, 1, 504, `"type":"/problems/barrier-timeout"`)
	}
	for i, w := range s.run("r").Waits {
		if w.Outcome != "timed_out" || w.Waited != 5*time.Second || w.End-w.Start != 5*time.Second {
			t.Errorf("wait %d: got %+v, want timed_out after 5s", i, w)
		}
	}
}

func TestBrokenBarrierFreesAll(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	patient := ask(t, client, 2, base+"/barrier/b?parties=4&timeout=1m&run=patient")
	hasty := ask(t, client, 1, base+"/barrier/b?parties=4&timeout=5s&run=hasty")
	s.timed(3)
	s.advance(5 * time.Second)
	wantAll(t, hasty, 1, 504, `"type":"/problems/barrier-timeout"`)
	wantAll(t, patient, 2, 504, `"type":"/problems/barrier-broken"`)
	for run, outcome := range map[string]string{"patient": "failed", "hasty": "timed_out"} {
		for _, w := range s.run(run).Waits {
			if w.Outcome != outcome || w.Waited != 5*time.Second {
				t.Errorf("run %s: got %+v, want %s after 5s", run, w, outcome)
			}
		}
	}
	// The next barrier may have other parties.
	wantAll(t, ask(t, client, 2, base+"/barrier/b?parties=2"), 2, 200, `"parties":2`)
}

func TestLeavingABarrier(t *testing.T) {
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			ctx, leave := context.WithCancel(t.Context())
			left := askUntil(t, ctx, newClient(t), 2, base+"/barrier/b?parties=3&run=left")
			s.timed(2)
			leave()
			for range 2 {
				if got := <-left; !errors.Is(got.err, context.Canceled) {
					t.Fatalf("got %d %v, want a client that left", got.status, got.err)
				}
			}
			for _, w := range s.settled("left").Waits {
				if w.Outcome != "client_closed" {
					t.Errorf("got outcome %s, want client_closed", w.Outcome)
				}
			}
			client := newClient(t)
			first := ask(t, client, 2, base+"/barrier/b?parties=3")
			s.timed(2) // without the two that left
			wantAll(t, ask(t, client, 1, base+"/barrier/b?parties=3"), 1, 200, "")
			wantAll(t, first, 2, 200, "")
		})
	}
}

func TestBarrierParameters(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	for _, tc := range []struct {
		name, query string
		status      int
		text        string
	}{
		{"status", "status=418", 418, `{"status":418,"barrier":"b","parties":2}`},
		{"size", "size=10", 200, "0123456789"},
		{"header", "header=X-Colour:blue", 200, `{"status":200,"barrier":"b","parties":2}`},
		{"a wait after the event", "delay=2s", 200, `{"status":200,"barrier":"b","parties":2}`},
		{"a wait before the body", "body_delay=2s&size=3", 200, "012"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := strings.ReplaceAll(tc.name, " ", "-")
			replies := ask(t, client, 2, base+"/barrier/b?parties=2&run="+id+"&"+tc.query)
			if strings.Contains(tc.query, "delay") {
				s.timed(2)
				if len(replies) > 0 {
					t.Fatal("answered before the time")
				}
				s.advance(2 * time.Second)
			}
			for range 2 {
				got := next(t, replies)
				if got.status != tc.status || got.text != tc.text {
					t.Errorf("got %d %s, want %d %s", got.status, got.text, tc.status, tc.text)
				}
				if strings.HasPrefix(tc.query, "delay") && !strings.HasPrefix(got.header.Get("Server-Timing"),
					"asked;dur=2000, held;dur=0, waited;dur=2000, real;") {
					t.Errorf("Server-Timing %s, want a wait of 2000 after an event at once",
						got.header.Get("Server-Timing"))
				}
				if tc.name == "header" && got.header.Get("X-Colour") != "blue" {
					t.Errorf("X-Colour %q, want blue", got.header.Get("X-Colour"))
				}
			}
			if run := s.settled(id); run.Requests != 2 || run.PeakInFlight != 2 {
				t.Errorf("the run has %d requests with a peak of %d, want 2 and 2", run.Requests, run.PeakInFlight)
			}
		})
	}
	faulted := ask(t, client, 2, base+"/barrier/b?parties=2&fault=empty&run=faulted")
	for range 2 {
		if got := <-faulted; !errors.Is(got.err, io.EOF) {
			t.Errorf("fault=empty: got %d %v, want no reply", got.status, got.err)
		}
	}
	for _, w := range s.settled("faulted").Waits {
		if w.Outcome != "faulted" {
			t.Errorf("fault=empty: outcome %s, want faulted", w.Outcome)
		}
	}
}

func TestBarrierMethods(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		reply, text := do(t, client, method, base+"/barrier/b?parties=1", strings.NewReader("a body"))
		want := `{"status":200,"barrier":"b","parties":1}`
		if method == "HEAD" {
			want = ""
		}
		if reply.StatusCode != 200 || text != want || reply.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %d %q from any origin %q, want 200 %q", method, reply.StatusCode, text,
				reply.Header.Get("Access-Control-Allow-Origin"), want)
		}
	}
	if reply, _ := do(t, client, "OPTIONS", base+"/barrier/b?parties=2", nil); reply.StatusCode != 204 {
		t.Errorf("OPTIONS: got %d, want 204", reply.StatusCode)
	}
}

func TestBarrierRefuses(t *testing.T) {
	config := DefaultConfig()
	config.MaxInFlight = 1000
	base, s := frozen(t, config)
	client := newClient(t)
	stands := ask(t, client, 1, base+"/barrier/taken?parties=3&run=stands")
	s.timed(1)
	for _, tc := range []struct {
		name, target string
		want         problem.Type
	}{
		{"no parties", "b", problem.ConflictingParameters},
		{"empty parties", "b?parties=", problem.InvalidParameter},
		{"none", "b?parties=0", problem.InvalidParameter},
		{"negative", "b?parties=-3", problem.InvalidParameter},
		{"a fraction", "b?parties=2.5", problem.InvalidParameter},
		{"a word", "b?parties=all", problem.InvalidParameter},
		{"more than MAX_IN_FLIGHT", "b?parties=1001", problem.InvalidParameter},
		{"twice", "b?parties=2&parties=3", problem.RepeatedParameter},
		{"near miss", "b?partes=3", problem.UnknownParameter},
		{"two slips", "b?partys=3", problem.ConflictingParameters},
		{"near miss of timeout", "b?parties=1&timout=3s", problem.UnknownParameter},
		{"a timeout of nothing", "b?parties=1&timeout=0", problem.InvalidParameter},
		{"a timeout that is none", "b?parties=1&timeout=soon", problem.InvalidParameter},
		{"a random timeout", "b?parties=1&timeout=random", problem.InvalidParameter},
		{"a timeout above MAX_DELAY", "b?parties=1&timeout=11m", problem.InvalidParameter},
		{"a delay above MAX_DELAY", "b?parties=1&delay=11m", problem.InvalidParameter},
		{"no name", "?parties=1", problem.NotFound},
		{"a blank", "%20?parties=1", problem.InvalidParameter},
		{"a space within", "a%20b?parties=1", problem.InvalidParameter},
		{"201 bytes", strings.Repeat("x", 201) + "?parties=1", problem.InvalidParameter},
		{"another script", "%C3%A9?parties=1", problem.InvalidParameter},
		{"other parties", "taken?parties=2", problem.BarrierMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, text := do(t, client, "GET", base+"/barrier/"+tc.target, nil)
			wantProblem(t, "GET /barrier/"+tc.target, reply, text, tc.want)
		})
	}
	for _, name := range []string{strings.Repeat("x", 200), "a%2Fb", "100%25", "a%3Fb"} {
		if reply, text := do(t, client, "GET", base+"/barrier/"+name+"?parties=1",
			nil); reply.StatusCode != http.StatusOK {
			t.Errorf("GET /barrier/%s: got %d %s, want 200", name, reply.StatusCode, text)
		}
	}
	// The refused requests took no place.
	wantAll(t, ask(t, client, 2, base+"/barrier/taken?parties=3"), 2, 200, "")
	wantAll(t, stands, 1, 200, "")
}
