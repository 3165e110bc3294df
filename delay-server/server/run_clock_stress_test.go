package server

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/wiretest"
)

// The requests of a connection may be of several runs.
func TestPipelinedRequestsOfRuns(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		a, b := s.ofRun("a"), s.ofRun("b")
		a.freeze()
		b.freeze()
		conn := wiretest.Dial(t, base)
		conn.Send(get("/delay/1000", "X-Run-Id: a") + get("/delay/0?run=a") + get("/hold/h?timeout=5s&run=b") +
			get("/delay/2000") + get("/delay/2000?run=c") + get("/delay/1000?run=b", "Connection: close"))
		for i, step := range []struct {
			on steering
			by time.Duration
		}{{a, time.Second}, {b, 5 * time.Second}, {s, 2 * time.Second}, {s, 2 * time.Second}, {b, time.Second}} {
			step.on.timed(1)
			for _, other := range []steering{a, b, s} {
				if waiting := other.clock().Waiting; (waiting == 1) != (other == step.on) {
					t.Errorf("step %d: %d wait on a clock, want the request on one clock", i, waiting)
				}
			}
			for _, other := range []steering{a, b, s} {
				if other != step.on {
					other.advance(time.Hour)
				}
			}
			step.on.advance(step.by)
		}
		text, err := io.ReadAll(conn)
		ok, timedOut := strings.Count(string(text), "HTTP/1.1 200 "), strings.Count(string(text), "HTTP/1.1 504 ")
		if ok != 5 || timedOut != 1 || err != nil {
			t.Errorf("got %d times 200 and %d times 504, %v: %s", ok, timedOut, err, text)
		}
	})
}

// A clock that is made while the body of a request arrives is the request's clock.
func TestRunClockMadeWhileABodyArrives(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		s := steer(t, base)
		conn := wiretest.Dial(t, base)
		conn.Send(request("POST /delay/1000?run=r HTTP/1.1", "Host: x", "Content-Length: 2", "Expect: 100-continue"))
		waits := "HTTP/1.1 100 Continue\r\n\r\n" // the server reads the body
		if _, err := io.ReadFull(conn, make([]byte, len(waits))); err != nil {
			t.Fatal(err)
		}
		own := s.ofRun("r")
		own.freeze()
		conn.Send("ab")
		if own.timed(1); s.clock().Waiting != 0 {
			t.Error("the request waits on the server's clock")
		}
		own.advance(time.Second)
		if w := s.settled("r").Waits[0]; w.Waited != time.Second {
			t.Errorf("the request is %+v, want it to have waited 1s", w)
		}
	})
}

// Three clocks are moved at once. Each request is answered exactly when it is due on its
// own clock, and an advance of a clock returns once its requests are answered.
func TestClocksMovedAtOnce(t *testing.T) {
	const rounds, requests = 20, 8
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		var moving sync.WaitGroup
		for i, of := range []steering{s, s.ofRun("a"), s.ofRun("b")} {
			run := []string{"rest", "a", "b"}[i]
			clients := []*http.Client{newClient(t), newH2CClient(t)}
			of.freeze()
			random := rand.New(rand.NewPCG(15, uint64(i)))
			moving.Go(func() {
				for range rounds {
					replies := make(chan answered, requests)
					longest := 0
					for j := range requests {
						delay := 1 + random.IntN(5000)
						longest = max(longest, delay)
						url := fmt.Sprintf("%s/delay/%d?run=%s", base, delay, run)
						go func() { replies <- fetch(t.Context(), clients[j%2], url) }()
					}
					if _, err := of.control.Await(t.Context(), requests); err != nil {
						t.Error(err)
						return
					}
					for left := longest; left > 0; {
						step := min(left, 1+random.IntN(longest))
						left -= step
						if _, err := of.control.Advance(t.Context(), time.Duration(step)*time.Millisecond); err != nil {
							t.Error(err)
							return
						}
					}
					if state, err := of.control.State(t.Context()); err != nil || state.Waiting != 0 {
						t.Errorf("clock of %s: got %+v, %v after the last is due, want none waiting", run, state, err)
					}
					for range requests {
						got := <-replies
						var asked, waited, real float64
						header := got.header.Get("Server-Timing")
						_, err := fmt.Sscanf(header, "asked;dur=%f, waited;dur=%f, real;dur=%f", &asked, &waited, &real)
						if err != nil || got.err != nil || got.status != 200 || asked != waited || real < 0 {
							t.Errorf("clock of %s: got %d, %v, %v, Server-Timing %s; want asked and waited the same",
								run, got.status, got.err, err, header)
						}
					}
				}
			})
		}
		moving.Wait()
		for _, run := range []string{"rest", "a", "b"} {
			got := s.run(run)
			if got.Requests != rounds*requests || !got.Settled {
				t.Errorf("run %s: got %d requests, settled %v; want %d, true", run, got.Requests, got.Settled,
					rounds*requests)
			}
			for _, w := range got.Waits {
				if w.Waited != w.Asked || w.End-w.Start != w.Asked {
					t.Errorf("run %s: got %+v, want it answered exactly when it is due", run, w)
				}
			}
		}
	})
}

// A client that does not read its answer holds the clock of its run, and no other.
func TestSlowClientHoldsItsRun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		a, b := s.ofRun("a"), s.ofRun("b")
		a.freeze()
		b.freeze()
		conn := wiretest.Dial(t, base)
		conn.Send(get("/delay/1000?size=50000000&run=a", "Connection: close")) // more than sockets buffer
		a.timed(1)
		advanced := make(chan error, 1)
		go func() {
			_, err := a.control.Advance(t.Context(), time.Minute)
			advanced <- err
		}()
		wiretest.Eventually(t, "the answer is being sent", func() bool { return a.clock().Waiting == 0 })
		replies := ask(t, newClient(t), 1, base+"/delay/1000?run=b")
		b.timed(1)
		b.advance(time.Second)
		wantAll(t, replies, 1, 200, "")
		s.advance(time.Second)
		if len(advanced) > 0 {
			t.Error("the advance has returned before the client has read its answer")
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Error(err)
		}
		if err := <-advanced; err != nil {
			t.Errorf("the advance: %v", err)
		}
	})
}

// Requests of a run arrive while its clock is made, frozen and dropped, again and again.
// All are answered.
func TestRunForgottenUnderLoad(t *testing.T) {
	const rounds = 100
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		s := steer(t, base)
		stop := make(chan struct{})
		var asking sync.WaitGroup
		answeredCount := 0
		var mu sync.Mutex
		for i, path := range []string{"/delay/1?run=r", "/delay/0?run=r", "/hold/h?timeout=1ms&run=r",
			"/delay/0?size=50000&rate=10000&run=r", "/delay/1?pool=p&workers=1&run=r", "/delay/1?run=other"} {
			c := []*http.Client{newClient(t), newH2CClient(t)}[i%2]
			for range 2 {
				asking.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						got := fetch(t.Context(), c, base+path)
						if got.err != nil || got.status != 200 && got.status != 504 {
							t.Errorf("GET %s: got %d, %v", path, got.status, got.err)
							return
						}
						mu.Lock()
						answeredCount++
						mu.Unlock()
					}
				})
			}
		}
		own, made := s.api.RunClock("r"), 0
		for range rounds {
			if _, err := own.Freeze(t.Context()); err == nil {
				made++
				_, _ = own.Advance(t.Context(), time.Millisecond)
			} else if !errors.Is(err, client.ProblemRunInFlight) {
				t.Errorf("freeze: %v", err)
			}
			if err := s.api.ForgetRun(t.Context(), "r"); err != nil && !errors.Is(err, client.ProblemRunNotFound) {
				t.Errorf("forget: %v", err)
			}
		}
		close(stop)
		asking.Wait()
		if made == 0 || answeredCount < rounds {
			t.Errorf("the clock was made %d times, and %d requests were answered", made, answeredCount)
		}
		if n := srv.engine.Journal.Waiting(); n != 0 {
			t.Errorf("%d requests wait, want none", n)
		}
	})
}
