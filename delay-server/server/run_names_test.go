package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"flash.test/delay-server/kit/problem"
)

// askOf sends a GET of the run and returns its reply.
func askOf(t *testing.T, client *http.Client, run, url string) <-chan answered {
	t.Helper()
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return ask(t, client, 1, url+separator+"run="+run)
}

// Two runs use equal names and do not meet.
func TestNamesWithinARun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		routed, _ := withScenario(t, "routes: [{path: /held, hold: {name: run:x}, body: held}]")
		config.Scenario = routed.Scenario
		base, s := frozen(t, config)
		client := newClient(t)

		a, b := askOf(t, client, "a", base+"/hold/run:x"), askOf(t, client, "b", base+"/hold/run:x")
		route := askOf(t, client, "b", base+"/held")
		shared := askOf(t, client, "a", base+"/hold/x")
		holdOfA, holdOfB := s.api.RunHold("a", "x"), s.api.RunHold("b", "x")
		if _, err := holdOfB.Await(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := holdOfA.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		s.held("x", 1)
		_, text := do(t, client, "GET", base+"/admin/holds", nil)
		if want := `{"holds":[{"name":"run:x","run":"a","waiting":1},{"name":"run:x","run":"b","waiting":2},` +
			`{"name":"x","waiting":1}]}` + "\n"; text != want {
			t.Errorf("holds: got %s, want %s", text, want)
		}
		if n, err := holdOfA.Release(t.Context()); n != 1 || err != nil {
			t.Errorf("Release of a = %d, %v, want 1", n, err)
		}
		wantAll(t, a, 1, 200, `{"status":200,"hold":"run:x"}`)
		if n, err := holdOfB.Release(t.Context()); n != 2 || err != nil {
			t.Errorf("Release of b = %d, %v, want 2", n, err)
		}
		wantAll(t, b, 1, 200, "")
		wantAll(t, route, 1, 200, "held")
		s.release("x")
		wantAll(t, shared, 1, 200, "")

		const barrier = "/barrier/run:x?parties=2"
		a, b = askOf(t, client, "a", base+barrier), askOf(t, client, "b", base+barrier)
		s.timed(2)
		wantAll(t, askOf(t, client, "a", base+barrier), 1, 200, `"barrier":"run:x"`)
		wantAll(t, a, 1, 200, "")
		s.timed(1)
		wantAll(t, askOf(t, client, "b", base+barrier), 1, 200, "")
		wantAll(t, b, 1, 200, "")

		const pool = "/delay/1s?pool=run:x&workers=1&queue=0"
		a, b = askOf(t, client, "a", base+pool), askOf(t, client, "b", base+pool)
		s.timed(2)
		wantAll(t, askOf(t, client, "a", base+pool), 1, 503, "pool-full")
		if _, metrics := do(t, client, "GET", base+"/metrics", nil); !strings.Contains(metrics,
			`delay_server_pool_busy_workers{pool="run:x"} 2`+"\n") {
			t.Errorf("want the workers of both runs in one metric, got:\n%s", grep(metrics, "pool_busy"))
		}
		s.advance(1e9)
		wantAll(t, a, 1, 200, "")
		wantAll(t, b, 1, 200, "")
	})
}

// A request without a run cannot use the name.
func TestNamesWithinARunNeedARun(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		routed, _ := withScenario(t, "routes: [{path: /held, hold: {name: run:x}}]")
		config.Scenario = routed.Scenario
		_, base, _ := start(t, config, io.Discard)
		client := newClient(t)
		for _, tc := range []struct{ target, want string }{
			{"/hold/run:x", `hold \"run:x\" needs a run: add run=NAME or the header X-Run-Id`},
			{"/barrier/run:x?parties=1", `barrier \"run:x\" needs a run`},
			{"/delay/0?pool=run:x&workers=1", `pool \"run:x\" needs a run`},
			{"/held", `hold \"run:x\" needs a run`},
		} {
			reply, text := do(t, client, "GET", base+tc.target, nil)
			wantProblem(t, tc.target, reply, text, problem.ConflictingParameters)
			if !strings.Contains(text, tc.want) {
				t.Errorf("GET %s: got %s, want %s", tc.target, text, tc.want)
			}
		}
		reply, text := do(t, client, "GET", base+"/hold/run:?run=a", nil)
		wantProblem(t, "no name", reply, text, problem.InvalidParameter)
	})
}

// Forgetting a run fails its requests in its own holds and at its own barriers, and no
// others.
func TestForgettingARunFailsItsHolds(t *testing.T) {
	for _, path := range []string{"/admin/runs/a", "/admin/runs"} {
		bothWays(t, func(t *testing.T, config Config) {
			base, s := frozen(t, config)
			client := newClient(t)
			own := askOf(t, client, "a", base+"/hold/run:x")
			stands := askOf(t, client, "a", base+"/barrier/run:x?parties=2")
			shared := askOf(t, client, "a", base+"/hold/x")
			other := askOf(t, client, "b", base+"/hold/run:x")
			s.timed(4)
			if reply, text := do(t, client, "DELETE", base+path, nil); reply.StatusCode != 204 {
				t.Fatalf("DELETE %s: got %d %s, want 204", path, reply.StatusCode, text)
			}
			wantAll(t, own, 1, 503, "/problems/hold-failed")
			wantAll(t, stands, 1, 503, "")
			s.held("x", 1)
			s.release("x")
			wantAll(t, shared, 1, 200, "")
			if path == "/admin/runs" {
				wantAll(t, other, 1, 503, "/problems/hold-failed")
				return
			}
			if n, err := s.api.RunHold("b", "x").Release(t.Context()); n != 1 || err != nil {
				t.Errorf("Release of b = %d, %v, want 1", n, err)
			}
			wantAll(t, other, 1, 200, "")
		})
	}
}

// A hold shows its requests, and lets go the newest, the nth or an attempt.
func TestReleaseByChoice(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		client := newClient(t)
		var replies []<-chan answered
		held := func(url string, header ...string) {
			t.Helper()
			replies = append(replies, askWith(t, client, url, header...))
			s.held("x", len(replies))
		}
		held(base + "/hold/x?run=a")
		held(base + "/hold/x?run=a")
		held(base + "/hold/x?run=b")
		held(base+"/hold/x?attempts_key=header:K", "K", "k1")
		held(base+"/hold/x?attempts_key=header:K", "K", "k1")
		held(base + "/hold/x")
		_, text := do(t, client, "GET", base+"/admin/holds/x", nil)
		want := `{"name":"x","waiting":6,"requests":[{"nth":1,"run":"a","attempt":1},{"nth":2,"run":"a","attempt":2},` +
			`{"nth":3,"run":"b","attempt":1},{"nth":4,"attempt":1},{"nth":5,"attempt":2},{"nth":6}]}` + "\n"
		if text != want {
			t.Errorf("the hold: got %s, want %s", text, want)
		}
		for _, tc := range []struct {
			query string
			want  []int
		}{
			{"order=newest", []int{5}},
			{"nth=2", []int{1}},
			{"attempt=2", []int{4}},
			{"order=oldest", []int{0}},
			{"order=newest&count=1", []int{3}},
			{"attempt=1", []int{2}},
		} {
			if reply, text := do(t, client, "POST", base+"/admin/holds/x/release?"+tc.query,
				nil); reply.StatusCode != 200 {
				t.Fatalf("%s: got %d %s, want 200", tc.query, reply.StatusCode, text)
			}
			for _, i := range tc.want {
				wantAll(t, replies[i], 1, 200, `"hold":"x"`)
			}
		}
		held0 := askOf(t, client, "a", base+"/hold/x")
		s.held("x", 1)
		for _, tc := range []struct{ query, want string }{
			{"nth=2", `hold \"x\": 1 held, fewer than 2`},
			{"order=newest&count=2", `hold \"x\": 1 held, fewer than 2`},
			{"attempt=7", `hold \"x\": 1 held, none of them attempt 7`},
		} {
			reply, text := do(t, client, "POST", base+"/admin/holds/x/release?"+tc.query, nil)
			wantProblem(t, tc.query, reply, text, problem.TooFewHeld)
			if !strings.Contains(text, tc.want) {
				t.Errorf("%s: got %s, want %s", tc.query, text, tc.want)
			}
		}
		s.release("x")
		wantAll(t, held0, 1, 200, "")
	})
}

// askWith sends a GET with a header field.
func askWith(t *testing.T, client *http.Client, url string, header ...string) <-chan answered {
	t.Helper()
	if header == nil {
		return ask(t, client, 1, url)
	}
	replies := make(chan answered, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			replies <- answered{err: err}
			return
		}
		req.Header.Set(header[0], header[1])
		reply, err := client.Do(req)
		if err != nil {
			replies <- answered{err: err}
			return
		}
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		replies <- answered{reply.StatusCode, reply.Header, string(text), err}
	}()
	return replies
}
