package server

import (
	"errors"
	"io"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

// TestReset changes all state of a server, resets it, and looks for traces.
func TestReset(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		withFile, _ := withScenario(t, "routes: [{path: /a, body: file, limit: {rate: 1/h}}]")
		config.Scenario, config.TimeScale = withFile.Scenario, 0.5
		for name, newClient := range clients {
			t.Run(name, func(t *testing.T) {
				_, base, _ := start(t, config, io.Discard)
				s, c := steer(t, base), newClient(t)
				reset := func() {
					t.Helper()
					succeeded(t, 0, s.api.Reset(t.Context()))
				}
				reset() // of a new server

				wantBody(t, c, "GET "+base+"/a", 200, "file")
				wantBody(t, c, "GET "+base+"/a", 429, "")
				wantBody(t, c, "GET "+base+"/delay/0?limit=1/h", 200, "")
				wantBody(t, c, "GET "+base+"/delay/0?limit=1/h", 429, "")
				wantBody(t, c, "GET "+base+"/delay/0?fail_first=1&run=r", 503, "")
				s.putScenario("routes: [{path: /a, body: put}]")
				s.putRunScenario("r", "routes: [{path: /a, body: run}]")
				_, err := s.api.Scale(t.Context(), 1e6)
				succeeded(t, 0, err)
				s.freeze()
				held := ask(t, c, 2, base+"/hold/h?run=r")
				atBarrier := ask(t, c, 1, base+"/barrier/b?parties=2")
				delayed := ask(t, c, 2, base+"/delay/1?pool=db&workers=1")
				_, err = s.api.RunClock("own").Freeze(t.Context())
				succeeded(t, 0, err)
				own := ask(t, c, 1, base+"/delay/1?run=own")
				s.waiting("own", 1)
				s.held("h", 2)
				s.timed(4) // and one in the pool's queue

				reset()
				wantAll(t, held, 2, 503, "/problems/hold-failed")
				wantAll(t, atBarrier, 1, 503, "/problems/barrier-reset")
				wantAll(t, delayed, 2, 200, "Mock response") // the clock runs, and the old pool serves both
				wantAll(t, own, 1, 200, "Mock response")
				if state, err := s.api.RunClock("own").State(t.Context()); !errors.Is(err, problem.RunClockNotFound) {
					t.Errorf("got a clock of the run: %+v, %v", state, err)
				}
				if clock := s.clock(); clock.Frozen || clock.Scale != 0.5 {
					t.Errorf("got clock %+v, want it to run at TIME_SCALE", clock)
				}
				runs, err := s.api.Runs(t.Context())
				if runs = succeeded(t, runs, err); len(runs.Runs) != 0 {
					t.Errorf("got runs %+v, want none", runs.Runs)
				}
				if text, err := s.api.RunScenario(t.Context(), "r"); !errors.Is(err, problem.ScenarioNotFound) {
					t.Errorf("got a scenario of the run: %q, %v", text, err)
				}
				wantBody(t, c, "GET "+base+"/a?run=r", 200, "file") // with a full limit
				wantBody(t, c, "GET "+base+"/delay/0?limit=1/h", 200, "")
				wantBody(t, c, "GET "+base+"/delay/0?fail_first=1&run=r", 503, "")
				wantBody(t, c, "GET "+base+"/delay/0?pool=db&workers=7", 200, "")

				s.freeze()
				barrier := ask(t, c, 2, base+"/barrier/b?parties=2") // of a new round
				wantAll(t, barrier, 2, 200, "barrier")
				rest := ask(t, c, 1, base+"/delay/1000")
				s.timed(1)
				s.advance(time.Second)
				wantAll(t, rest, 1, 200, "")
			})
		}
	})
}
