package delaytest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/server"
)

func TestNewServerTakesSettings(t *testing.T) {
	srv := delaytest.NewServer(t,
		func(c *server.Config) { c.MaxDelay = time.Second },
		func(c *server.Config) { c.AdminToken = "secret" })
	wantProblem(t, get(http.DefaultClient, srv.DelayURL(time.Second+1)), client.ProblemInvalidDelay)
	wantProblem(t, get(http.DefaultClient, srv.URL+"/admin/clock"), client.ProblemTokenRequired)
	srv.Clock().Freeze() // with the token
}

// TestServerStopsWithTest checks a request that waits when the test ends, and a later
// request.
func TestServerStopsWithTest(t *testing.T) {
	var waiting <-chan answer
	var url string
	t.Run("inner", func(t *testing.T) {
		srv := delaytest.NewServer(t)
		url = srv.DelayURL(10 * time.Minute)
		waiting = get(http.DefaultClient, srv.Run("r").URL(url))
		srv.Run("r").Await(1)
	})
	wantProblem(t, waiting, client.ProblemShuttingDown)
	if got := <-get(http.DefaultClient, url); got.err == nil {
		t.Errorf("GET after the test: got %v, want an error", got)
	}
}

func TestServerAt(t *testing.T) {
	started := delaytest.NewServer(t, func(c *server.Config) { c.AdminToken = "secret" })
	srv := delaytest.ServerAt(t, started.URL, client.WithToken("secret"))
	answered := get(http.DefaultClient, srv.Run("r").HoldURL("h"))
	srv.Hold("h").Await(1)
	started.Hold("h").Release()
	wantStatus(t, answered, http.StatusOK)
	if got := started.Run("r").Settled().Requests; got != 1 {
		t.Errorf("got %d requests in the run, want 1", got)
	}
}

func TestBarrier(t *testing.T) {
	srv := delaytest.NewServer(t)
	run, name := srv.Run("r"), "a-name?/%"
	first := get(http.DefaultClient, run.BarrierURL(name, 2))
	run.Await(1)
	second := get(http.DefaultClient, srv.BarrierURL(name, 2))
	wantStatus(t, first, http.StatusOK)
	wantStatus(t, second, http.StatusOK)
}

func TestHold(t *testing.T) {
	srv := delaytest.NewServer(t)
	hold := srv.Hold("stock/left?")
	var answers []<-chan answer
	for n := range 5 {
		answers = append(answers, get(http.DefaultClient, hold.URL))
		hold.Await(n + 1) // to hold them in this order
	}
	hold.ReleaseN(2)
	wantStatus(t, answers[0], http.StatusOK)
	wantStatus(t, answers[1], http.StatusOK)
	hold.Await(3)
	hold.ReleaseN(1)
	wantStatus(t, answers[2], http.StatusOK)
	if got := hold.Fail(); got != 2 {
		t.Errorf("Fail() = %d, want 2", got)
	}
	wantProblem(t, answers[3], client.ProblemHoldFailed)
	wantProblem(t, answers[4], client.ProblemHoldFailed)

	again := get(http.DefaultClient, hold.URL)
	hold.Await(1)
	if got := hold.Release(); got != 1 {
		t.Errorf("Release() = %d, want 1", got)
	}
	wantStatus(t, again, http.StatusOK)
}

// held sends n requests to the hold, one after the other, and returns their answers.
func held(hold *delaytest.Hold, n int) (answers []<-chan answer) {
	for i := range n {
		answers = append(answers, get(http.DefaultClient, hold.URL))
		hold.Await(i + 1)
	}
	return answers
}

func TestReleaseByChoice(t *testing.T) {
	srv := delaytest.NewServer(t)
	hold := srv.Run("r").Hold("stock")
	answers := held(hold, 4)
	hold.ReleaseNewest(1)
	wantStatus(t, answers[3], http.StatusOK)
	hold.ReleaseNth(2)
	wantStatus(t, answers[1], http.StatusOK)
	if got := hold.ReleaseAttempt(3); got != 1 {
		t.Errorf("ReleaseAttempt(3) = %d, want 1", got)
	}
	wantStatus(t, answers[2], http.StatusOK)
	hold.ReleaseN(1)
	wantStatus(t, answers[0], http.StatusOK)
}

// A client that hedges takes the answer of its second request.
func TestAHedgeWins(t *testing.T) {
	srv := delaytest.NewServer(t)
	run := srv.Run("hedge")
	hold := run.Hold("stock")
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, hold.URL, nil)
		if err == nil {
			_, err = http.DefaultClient.Do(req)
		}
		first <- err
	}()
	hold.Await(1)
	hedge := get(http.DefaultClient, hold.URL)
	hold.Await(2)
	hold.ReleaseNewest(1)
	wantStatus(t, hedge, http.StatusOK)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first request: %v, want it cancelled", err)
	}
	waits := run.Settled().Waits
	if len(waits) != 2 || waits[0].Outcome != "client_closed" || waits[1].Status != 200 || waits[1].Attempt != 2 {
		t.Errorf("got %+v, want the first cancelled and attempt 2 answered", waits)
	}
}

// Two runs, and all requests of no run, have holds of their own under one name.
func TestHoldsOfRuns(t *testing.T) {
	srv := delaytest.NewServer(t)
	a, b, shared := srv.Run("a").Hold("stock"), srv.Run("b").Hold("stock"), srv.Hold("stock")
	ofA, ofB, ofAll := held(a, 2), held(b, 1), held(shared, 1)
	if got := a.Release(); got != 2 {
		t.Errorf("Release() of a = %d, want 2", got)
	}
	wantStatus(t, ofA[0], http.StatusOK)
	wantStatus(t, ofA[1], http.StatusOK)
	if got := b.Fail(); got != 1 {
		t.Errorf("Fail() of b = %d, want 1", got)
	}
	wantProblem(t, ofB[0], client.ProblemHoldFailed)
	shared.ReleaseN(1)
	wantStatus(t, ofAll[0], http.StatusOK)
}

// A test forgets a run with a hold at its end, and the requests there fail.
func TestHoldOfARunEndsWithTheTest(t *testing.T) {
	srv := delaytest.NewServer(t)
	var left []<-chan answer
	t.Run("inner", func(t *testing.T) {
		left = held(delaytest.ServerAt(t, srv.URL).Run("a").Hold("stock"), 1)
	})
	wantProblem(t, left[0], client.ProblemHoldFailed)
}

func TestClock(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	later := get(http.DefaultClient, srv.URL+"/delay/5m")
	minute := get(http.DefaultClient, srv.DelayURL(time.Minute))
	clock.Await(2)
	if got := clock.State(); !got.Frozen || got.Waiting != 2 || got.Next != time.Minute {
		t.Errorf("State() = %+v, want it frozen, 2 waiting, next in 1m", got)
	}
	clock.Advance(time.Minute)
	wantStatus(t, minute, http.StatusOK)
	if got := clock.State(); got.Waiting != 1 || got.Next != 4*time.Minute {
		t.Errorf("State() after Advance(1m) = %+v, want 1 waiting, next in 4m", got)
	}
	clock.Scale(1e-6)
	clock.Unfreeze()
	wantStatus(t, later, http.StatusOK)
	clock.Freeze()
	clock.Reset()
	if got := clock.State(); got.Frozen || got.Scale != 1 {
		t.Errorf("State() after Reset() = %+v, want scale 1, not frozen", got)
	}
}

// TestHelpersInCleanup calls a helper when the test's context is cancelled.
func TestHelpersInCleanup(t *testing.T) {
	srv := delaytest.NewServer(t)
	srv.Clock().Freeze()
	t.Cleanup(srv.Clock().Reset)
}

func TestClientErrors(t *testing.T) {
	c := delaytest.NewServer(t).Client()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for want, err := range map[client.ProblemType]error{
		client.ProblemRunNotFound:      c.ForgetRun(ctx, "r"),
		client.ProblemHoldNotFound:     errorOf(c.Release(ctx, "h")),
		client.ProblemInvalidParameter: errorOf(c.ReleaseN(ctx, "h", 0)),
		client.ProblemInvalidBody:      errorOf(c.Scale(ctx, 0)),
		client.ProblemClockNotFrozen:   errorOf(c.Advance(ctx, time.Second)),
		client.ProblemWaitTimeout:      errorOf(c.AwaitHeld(ctx, "h", 1)),
	} {
		if !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

// TestFailures checks that helpers end the test at once, with the server's reason.
func TestFailures(t *testing.T) {
	srv := delaytest.NewInMemoryServer
	for _, tc := range []struct {
		name string
		call func(testing.TB)
		want string // pattern of the failure
	}{
		{"Hold.Await", func(t testing.TB) { srv(t).Hold("h").Await(2) },
			`^delaytest: GET http://\S+/admin/holds/h\?\S+: 504 Gateway Timeout: .* after 9s$`},
		{"hold name that is escaped", func(t testing.TB) { srv(t).Hold("a/b?").Await(1) },
			`504 Gateway Timeout: hold "a/b\?": `},
		{"Hold.Release", func(t testing.TB) { srv(t).Hold("h").Release() }, `404 Not Found: hold "h"`},
		{"Hold.ReleaseNewest", func(t testing.TB) { srv(t).Hold("h").ReleaseNewest(2) }, `404 Not Found: hold "h"`},
		{"Hold.ReleaseNth", func(t testing.TB) { srv(t).Hold("h").ReleaseNth(2) }, `404 Not Found: hold "h"`},
		{"Hold.ReleaseAttempt", func(t testing.TB) { srv(t).Run("r").Hold("h").ReleaseAttempt(2) },
			`404 Not Found: hold "run:h" of run "r"`},
		{"Hold.ReleaseN", func(t testing.TB) { srv(t).Hold("h").ReleaseN(2) }, `404 Not Found: hold "h"`},
		{"Hold.Fail", func(t testing.TB) { srv(t).Hold("h").Fail() }, `404 Not Found: hold "h"`},
		{"Server.Scenario", func(t testing.TB) { srv(t).Scenario("routes:\n  - {path: /a, dely: 1s}\n") },
			`^delaytest: PUT http://\S+/admin/scenario: 400 Bad Request: ` +
				`scenario:2:16: unknown key "dely" of a route; did you mean "delay"\?$`},
		{"Run.Scenario", func(t testing.TB) { srv(t).Run("r").Scenario("") },
			`^delaytest: PUT http://\S+/admin/runs/r/scenario: 400 Bad Request: scenario:1:1: the scenario is empty: `},
		{"Clock.Await", func(t testing.TB) { srv(t).Clock().Await(2) }, `504 Gateway Timeout: .* after 9s$`},
		{"Clock.Advance", func(t testing.TB) { srv(t).Clock().Advance(time.Second) }, `409 Conflict: `},
		{"Clock.Scale", func(t testing.TB) { srv(t).Clock().Scale(0) }, `400 Bad Request: `},
		{"Run.Await", func(t testing.TB) { srv(t).Run("r").Await(2) },
			`504 Gateway Timeout: run "r": .* after 9s$`},
		{"Run.Settled", func(t testing.TB) { srv(t).Run("r").Settled() }, `404 Not Found: run "r"`},
		{"Run.URL", func(t testing.TB) { srv(t).Run("r").URL("http://%") }, `invalid URL`},
		{"ServerAt", func(t testing.TB) { delaytest.ServerAt(t, "localhost:3000") },
			`^delaytest: base URL "localhost:3000" is invalid`},
		{"admin API disabled", func(t testing.TB) {
			srv(t, func(c *server.Config) { c.Admin = false }).Clock().State()
		}, `404 Not Found: `},
		{"invalid setting", func(t testing.TB) {
			delaytest.NewServer(t, func(c *server.Config) { c.TimeScale = -1 })
		}, `^delaytest: TIME_SCALE: `},
		{"TLS", func(t testing.TB) {
			delaytest.NewServer(t, func(c *server.Config) { c.TLSHosts = []string{"localhost"} })
		}, `^delaytest: TLSHosts is not supported`},
		{"address of another machine", func(t testing.TB) {
			delaytest.NewServer(t, func(c *server.Config) { c.Host = "192.0.2.1" })
		}, `^delaytest: listen tcp 192.0.2.1:0`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantFailure(t, recorded(t, func(r testing.TB) {
				tc.call(r)
				t.Error("the test continued")
			}), tc.want)
		})
	}
}

func TestRunURLs(t *testing.T) {
	srv := delaytest.NewServer(t)
	run := srv.Run("a&b=c") // has delimiters of a query
	for _, url := range []string{
		run.DelayURL(0),
		run.BarrierURL("b", 1),
		run.URL(srv.URL + "/delay/0?status=200"),
		run.URL(srv.URL + "/bytes/3"),
	} {
		wantStatus(t, get(http.DefaultClient, url), http.StatusOK)
	}
	held := get(http.DefaultClient, run.HoldURL("h"))
	srv.Hold("h").Await(1)
	srv.Hold("h").Release()
	wantStatus(t, held, http.StatusOK)

	var paths []string
	for _, w := range run.Settled().Waits {
		paths = append(paths, w.Path)
	}
	if want := []string{"/delay/0", "/barrier/b", "/delay/0", "/bytes/3", "/hold/h"}; !slices.Equal(paths, want) {
		t.Errorf("got paths %q, want %q", paths, want)
	}
}

func TestRunTransport(t *testing.T) {
	srv := delaytest.NewServer(t)
	run := srv.Run("r")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.DelayURL(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := run.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if len(req.Header) != 0 {
		t.Errorf("request was modified: got headers %v", req.Header)
	}
	wantStatus(t, get(&http.Client{Transport: run.Transport(http.DefaultTransport)}, srv.DelayURL(0)), http.StatusOK)
	wantStatus(t, get(http.DefaultClient, srv.DelayURL(0)), http.StatusOK) // not in the run
	if got := run.Settled(); got.ID != "r" || got.Requests != 2 || got.Waits[0].Method != "POST" {
		t.Errorf("Settled() = %+v, want a POST and another request", got)
	}
}
