package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// named returns a client whose requests have the header.
func named(c *http.Client, header, value string) *http.Client {
	return &http.Client{Transport: headerTransport{c.Transport, header, value}}
}

type headerTransport struct {
	http.RoundTripper
	name, value string
}

func (h headerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return h.RoundTripper.RoundTrip(r)
}

// Only the requests of a run wait on its clock, however they name it. All clocks are
// frozen, and an advance of one answers only its own requests.
func TestRunClocksAreApart(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	bothWays(t, func(t *testing.T, config Config) {
		for protocol, newClient := range clients {
			t.Run(protocol, func(t *testing.T) {
				c := newClient(t)
				base, s := frozen(t, config)
				runs := map[string]struct {
					client *http.Client
					query  string
				}{
					"header": {named(c, "X-Run-Id", "header"), ""},
					"query":  {c, "?run=query"},
					trace:    {named(c, "Traceparent", "00-"+trace+"-b7ad6b7169203331-01"), ""},
				}
				s.advance(time.Hour)
				rest := ask(t, c, 1, base+"/delay/10s?run=rest")
				s.timed(1)
				replies := map[string]<-chan answered{}
				for run := range runs {
					s.ofRun(run).freeze()
				}
				for run, of := range runs {
					replies[run] = ask(t, of.client, 3, base+"/delay/10s"+of.query)
					state := s.ofRun(run).timed(3)
					if state.Waiting != 3 || state.Next != 10*time.Second || !state.Frozen {
						t.Errorf("the clock of %s is %+v, want 3 waiting, due in 10s", run, state)
					}
				}
				for run := range runs {
					if state := s.ofRun(run).advance(10 * time.Second); state.Waiting != 0 {
						t.Errorf("the clock of %s is %+v after 10s, want none waiting", run, state)
					}
					for range 3 {
						got := next(t, replies[run])
						if timing := got.header.Get("Server-Timing"); got.status != 200 ||
							!strings.HasPrefix(timing, "asked;dur=10000, waited;dur=10000, real;dur=") {
							t.Errorf("run %s: got %d, Server-Timing %s", run, got.status, timing)
						}
					}
					for _, w := range s.run(run).Waits {
						if w.Start != 0 || w.End != 10*time.Second || w.Waited != w.End || w.Outcome != "answered" {
							t.Errorf("run %s: got %+v, want it answered after exactly 10s", run, w)
						}
					}
				}
				if state := s.clock(); state.Waiting != 1 || state.Next != 10*time.Second || len(rest) > 0 {
					t.Errorf("the server's clock is %+v, want 1 waiting, due in 10s", state)
				}
				s.advance(10 * time.Second)
				wantAll(t, rest, 1, 200, "")
			})
		}
	})
}

// A run's clock begins with the time and the setting of the server's. Then neither is
// set by the commands of the other.
func TestRunClockBeginsAsTheServers(t *testing.T) {
	config := DefaultConfig()
	config.TimeScale = 0.5
	_, s := frozen(t, config)
	s.advance(time.Hour)
	server := s.clock()
	own, ctx := s.api.RunClock("r"), t.Context()
	state, err := own.Freeze(ctx)
	if succeeded(t, state, err) != server {
		t.Errorf("the run's clock is %+v, want as the server's: %+v", state, server)
	}
	for name, set := range map[string]func() (client.Clock, error){
		"scale":   func() (client.Clock, error) { return own.Scale(ctx, 3) },
		"advance": func() (client.Clock, error) { return own.Advance(ctx, time.Minute) },
	} {
		state, err := set()
		if succeeded(t, state, err); s.clock() != server {
			t.Errorf("%s of the run's clock: the server's is %+v, want %+v", name, s.clock(), server)
		}
	}
	want := client.Clock{Scale: 3, Frozen: true, Elapsed: server.Elapsed + time.Minute}
	s.advance(time.Minute * 2)
	_, err = s.api.Scale(ctx, 2)
	succeeded(t, 0, err)
	_, err = s.api.Unfreeze(ctx)
	succeeded(t, 0, err)
	if state := s.ofRun("r").clock(); state != want {
		t.Errorf("after commands to the server's clock: the run's is %+v, want %+v", state, want)
	}
	if state, err = own.Reset(ctx); succeeded(t, state, err).Scale != 0.5 || state.Frozen {
		t.Errorf("after a reset: the run's clock is %+v, want TIME_SCALE and unfrozen", state)
	}
}

func TestRunClockProblems(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	c, s := newClient(t), steer(t, base)
	ask(t, c, 1, base+"/hold/h?run=busy")
	s.waiting("busy", 1)
	s.ofRun("old").freeze()
	for _, tc := range []struct {
		name, method, path, body string
		want                     problem.Type
		says                     string
	}{
		{"no clock", "GET", "r/clock", "", problem.RunClockNotFound, `run "r" has no clock of its own; make`},
		{"no clock to wait for", "GET", "r/clock?waiting=1", "", problem.RunClockNotFound, `run "r"`},
		{"no clock to advance", "POST", "r/clock", `{"advance":"1s"}`, problem.RunClockNotFound,
			`make it, before the run's first request, with {"freeze":true}`},
		{"invalid scale", "POST", "r/clock", `{"scale":0}`, problem.InvalidBody, "scale 0 is invalid"},
		{"unknown command", "POST", "r/clock", `{"frieze":true}`, problem.InvalidBody, `did you mean "freeze"?`},
		{"invalid value", "POST", "r/clock", `{"freeze":1}`, problem.InvalidBody, `freeze "1" is invalid`},
		{"no command", "POST", "r/clock", "", problem.InvalidBody, `body "" is invalid`},
		{"unknown parameter", "POST", "r/clock?x=1", `{"freeze":true}`, problem.UnknownParameter, `"x"`},
		{"invalid run", "POST", "%00/clock", `{"freeze":true}`, problem.InvalidParameter, "run"},
		{"invalid run", "GET", "%00/clock", "", problem.InvalidParameter, "run"},
		{"requests in flight", "POST", "busy/clock", `{"freeze":true}`, problem.RunInFlight,
			`run "busy" gets no clock of its own: 1 request of it waits on the server's clock; make the clock before`},
		{"not frozen", "POST", "running/clock", `{"advance":"1s"}`, problem.ClockNotFrozen, "freeze it first"},
		{"too few wait", "GET", "old/clock?waiting=1&timeout=1ms", "", problem.WaitTimeout,
			"0 of 1 requests wait for a time on the clock after 1ms"},
	} {
		if strings.HasPrefix(tc.path, "running") {
			do(t, c, "POST", base+"/admin/runs/running/clock", strings.NewReader(`{"freeze":false}`))
		}
		reply, text := do(t, c, tc.method, base+"/admin/runs/"+tc.path, strings.NewReader(tc.body))
		wantProblem(t, tc.name, reply, text, tc.want)
		var p problem.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || !strings.Contains(p.Detail, tc.says) {
			t.Errorf("%s: got %q, want it to say %q", tc.name, p.Detail, tc.says)
		}
	}
	_, err := s.api.RunClock("r").State(t.Context())
	if !errors.Is(err, client.ProblemRunClockNotFound) {
		t.Errorf("after invalid commands: got %v, want no clock", err)
	}
	s.release("h")
	s.settled("busy")
	s.ofRun("busy").freeze() // its request has been answered
}

func TestRunClocksAreLimited(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	s := steer(t, base)
	for i := range clock.MaxRuns {
		_, err := srv.engine.Runs.Make(fmt.Sprint(i))
		succeeded(t, 0, err)
	}
	reply, text := do(t, newClient(t), "POST", base+"/admin/runs/r/clock", strings.NewReader(`{"freeze":true}`))
	wantProblem(t, "one more", reply, text, problem.TooManyRunClocks)
	if !strings.Contains(text, "1000 runs have clocks of their own; forget runs that have ended: DELETE") {
		t.Errorf("got %s", text)
	}
	s.ofRun("7").freeze() // has one
	succeeded(t, 0, s.api.ForgetRun(t.Context(), "7"))
	s.ofRun("r").freeze()
	succeeded(t, 0, s.api.ForgetRuns(t.Context()))
	for _, run := range []string{"r", "8"} {
		if _, err := s.api.RunClock(run).State(t.Context()); !errors.Is(err, client.ProblemRunClockNotFound) {
			t.Errorf("run %s after DELETE /admin/runs: got %v, want no clock", run, err)
		}
	}
}

// The requests of a run that is forgotten continue, unfrozen, at the scale of the server's
// clock.
func TestForgottenRunsAreUnfrozen(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.TimeScale = 0.001
		for protocol, newClient := range clients {
			t.Run(protocol, func(t *testing.T) {
				c := newClient(t)
				_, base, _ := start(t, config, io.Discard)
				s := steer(t, base)
				for _, forget := range []func() error{
					func() error { return s.api.ForgetRun(t.Context(), "r") },
					func() error { return s.api.ForgetRuns(t.Context()) },
				} {
					own := s.ofRun("r")
					own.freeze()
					replies := ask(t, c, 2, base+"/delay/20s?run=r")
					held := ask(t, c, 1, base+"/hold/h?timeout=20s&run=r")
					own.timed(3)
					succeeded(t, 0, forget())
					wantAll(t, replies, 2, 200, `"20000 ms"`)
					wantAll(t, held, 1, 504, "20s")
					if _, err := own.control.State(t.Context()); !errors.Is(err, client.ProblemRunClockNotFound) {
						t.Errorf("the clock of a forgotten run: got %v, want none", err)
					}
				}
				if err := s.api.ForgetRun(t.Context(), "r"); !errors.Is(err, client.ProblemRunNotFound) {
					t.Errorf("the run has no requests any more: got %v", err)
				}
				s.ofRun("r").freeze()
				if err := s.api.ForgetRun(t.Context(), "r"); err != nil {
					t.Errorf("a run that has only a clock: got %v", err)
				}
			})
		}
	})
}

// The server stops, and answers the requests of a run whose clock is frozen.
func TestShutdownWithAFrozenRun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.ShutdownTimeout = 0
		for protocol, newClient := range clients {
			t.Run(protocol, func(t *testing.T) {
				c := newClient(t)
				srv, base, stop := start(t, config, io.Discard)
				own := steer(t, base).ofRun("r")
				own.freeze()
				replies := ask(t, c, 2, base+"/delay/10s?run=r")
				held := ask(t, c, 1, base+"/hold/h?run=r")
				own.timed(3)
				clock := srv.engine.Runs.Of("r")
				stop()
				wantAll(t, replies, 2, 503, "shutting down")
				wantAll(t, held, 1, 503, "shutting down")
				if srv.engine.Runs.Of("r") != nil {
					t.Error("a server that has stopped has a clock of a run, and perhaps its timer")
				}
				if n := clock.State().Waiting; n != 0 {
					t.Errorf("%d wait on the run's clock, want none", n)
				}
			})
		}
	})
}

// A client that leaves does not keep the run's clock from moving.
func TestClientLeavesAFrozenRun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		for protocol, newClient := range clients {
			t.Run(protocol, func(t *testing.T) {
				c := newClient(t)
				_, base, _ := start(t, config, io.Discard)
				s := steer(t, base)
				own := s.ofRun("r")
				own.freeze()
				ctx, leave := context.WithCancel(t.Context())
				askUntil(t, ctx, c, 3, base+"/delay/10s?run=r")
				own.timed(3)
				stays := ask(t, c, 1, base+"/delay/20s?run=r")
				own.timed(4)
				leave()
				wiretest.Eventually(t, "the clients have left", func() bool { return s.run("r").Waiting == 1 })
				if state := own.advance(time.Minute); state.Waiting != 0 {
					t.Errorf("the clock is %+v, want none waiting", state)
				}
				wantAll(t, stays, 1, 200, "")
			})
		}
	})
}

// The events of a stream tell the time of the run's clock.
func TestEventsTellTheTimeOfTheRun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		own := steer(t, base).ofRun("r")
		own.freeze()
		own.advance(time.Hour)
		ahead := time.Now().Add(59 * time.Minute).UnixMilli()
		replies := ask(t, newClient(t), 1, base+"/sse?count=2&duration=10s&run=r")
		own.timed(1)
		own.advance(10 * time.Second)
		text := next(t, replies).text
		var first, second int64
		if _, err := fmt.Sscanf(text, "event: ping\ndata: {\"id\":0,\"timestamp\":%d}\n\nevent: ping\n"+
			"data: {\"id\":1,\"timestamp\":%d}", &first, &second); err != nil {
			t.Fatalf("got %q: %v", text, err)
		}
		if first < ahead || second != first+10_000 {
			t.Errorf("the events tell %d and %d, want an hour ahead, and 10 s apart", first, second)
		}
	})
}
