package delaytest_test

import (
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
	wantStatus(t, get(http.DefaultClient, srv.DelayURL(time.Second+1)), http.StatusBadRequest)
	wantStatus(t, get(http.DefaultClient, srv.URL+"/admin/clock"), http.StatusUnauthorized)
	srv.Clock().Freeze() // with the token
}

// TestServerEndsWithTest leaves a request behind that would wait for ten minutes.
func TestServerEndsWithTest(t *testing.T) {
	var left <-chan answer
	var url string
	t.Run("inner", func(t *testing.T) {
		srv := delaytest.NewServer(t)
		url = srv.DelayURL(10 * time.Minute)
		left = get(http.DefaultClient, srv.Run("r").URL(url))
		srv.Run("r").Await(1)
	})
	wantStatus(t, left, http.StatusServiceUnavailable)
	if got := <-get(http.DefaultClient, url); got.err == nil {
		t.Errorf("GET after the test: got %v, want no server", got)
	}
}

func TestServerAt(t *testing.T) {
	there := delaytest.NewServer(t, func(c *server.Config) { c.AdminToken = "secret" })
	here := delaytest.ServerAt(t, there.URL, client.WithToken("secret"))
	answered := get(http.DefaultClient, here.Run("r").HoldURL("h"))
	here.Hold("h").Await(1)
	there.Hold("h").Release()
	wantStatus(t, answered, http.StatusOK)
	if got := there.Run("r").Settled().Requests; got != 1 {
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
		hold.Await(n + 1) // so that they are held in this order
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
	wantStatus(t, answers[3], http.StatusServiceUnavailable)
	wantStatus(t, answers[4], http.StatusServiceUnavailable)

	again := get(http.DefaultClient, hold.URL)
	hold.Await(1)
	if got := hold.Release(); got != 1 {
		t.Errorf("Release() = %d, want 1", got)
	}
	wantStatus(t, again, http.StatusOK)
}

func TestClock(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	later := get(http.DefaultClient, srv.URL+"/delay/5m")
	minute := get(http.DefaultClient, srv.DelayURL(time.Minute))
	clock.Await(2)
	if got := clock.State(); !got.Frozen || got.Waiting != 2 || got.Next != time.Minute {
		t.Errorf("State() = %+v, want it frozen, with 2 that wait, the next for 1m", got)
	}
	clock.Advance(time.Minute)
	wantStatus(t, minute, http.StatusOK)
	if got := clock.State(); got.Waiting != 1 || got.Next != 4*time.Minute {
		t.Errorf("State() after Advance(1m) = %+v, want 1 that waits for 4m", got)
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

// TestHelpersInCleanup: the test's context is over by then.
func TestHelpersInCleanup(t *testing.T) {
	srv := delaytest.NewServer(t)
	srv.Clock().Freeze()
	t.Cleanup(srv.Clock().Reset)
}

// TestFailures wants each helper to end the test at once, with the server's reason.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name string
		call func(testing.TB)
		want string
	}{
		{"a hold where too few wait", func(t testing.TB) { delaytest.NewInMemoryServer(t).Hold("h").Await(2) }, `^delaytest: GET http://\S+/admin/holds/h\?\S+: 504 Gateway Timeout: .*0 of 2 are held after 9s$`},
		{"a name that the path escapes", func(t testing.TB) { delaytest.NewInMemoryServer(t).Hold("a/b?").Await(1) }, `hold "a/b\?": 0 of 1 are held`},
		{"a release of nobody", func(t testing.TB) { delaytest.NewInMemoryServer(t).Hold("h").Release() }, `404 Not Found: hold "h": nobody is held`},
		{"a release of two where nobody is", func(t testing.TB) { delaytest.NewInMemoryServer(t).Hold("h").ReleaseN(2) }, `404 Not Found: hold "h": nobody is held`},
		{"a failing of nobody", func(t testing.TB) { delaytest.NewInMemoryServer(t).Hold("h").Fail() }, `404 Not Found: hold "h": nobody is held`},
		{"a clock on which too few wait", func(t testing.TB) { delaytest.NewInMemoryServer(t).Clock().Await(2) }, `504 Gateway Timeout: 0 of 2 wait for a time on the clock after 9s$`},
		{"an advance of a clock that runs", func(t testing.TB) { delaytest.NewInMemoryServer(t).Clock().Advance(time.Second) }, `409 Conflict: the clock runs`},
		{"a scale that no clock has", func(t testing.TB) { delaytest.NewInMemoryServer(t).Clock().Scale(0) }, `400 Bad Request: scale 0 is not accepted`},
		{"a run of which too few wait", func(t testing.TB) { delaytest.NewInMemoryServer(t).Run("r").Await(2) }, `504 Gateway Timeout: run "r": 0 of 2 wait after 9s$`},
		{"a run without requests", func(t testing.TB) { delaytest.NewInMemoryServer(t).Run("r").Settled() }, `404 Not Found: run "r" is not known`},
		{"a URL that is none", func(t testing.TB) { delaytest.NewInMemoryServer(t).Run("r").URL("http://%") }, `invalid URL`},
		{"a URL of no server", func(t testing.TB) { delaytest.ServerAt(t, "localhost:3000") }, `^delaytest: base URL "localhost:3000" is invalid`},
		{"an admin API that is off", func(t testing.TB) {
			delaytest.NewInMemoryServer(t, func(c *server.Config) { c.Admin = false }).Clock().State()
		}, `404 Not Found: the admin API is off`},
		{"a setting that is wrong", func(t testing.TB) {
			delaytest.NewServer(t, func(c *server.Config) { c.TimeScale = -1 })
		}, `^delaytest: TIME_SCALE: scale -1 is not accepted`},
		{"a host that nobody can listen on", func(t testing.TB) {
			delaytest.NewServer(t, func(c *server.Config) { c.Host = "192.0.2.1" })
		}, `^delaytest: listen tcp 192.0.2.1:0`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantFailure(t, recorded(t, func(r testing.TB) {
				tc.call(r)
				t.Error("the test went on")
			}), tc.want)
		})
	}
}

func TestRunOfURLs(t *testing.T) {
	srv := delaytest.NewServer(t)
	run := srv.Run("a&b=c") // of characters that a query escapes
	for _, url := range []string{run.DelayURL(0), run.BarrierURL("b", 1), run.URL(srv.URL + "/delay/0?status=200"), run.URL(srv.URL + "/bytes/3")} {
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
		t.Errorf("the run has %q, want %q", paths, want)
	}
}

func TestRunOfClients(t *testing.T) {
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
		t.Errorf("the request was changed: it has headers %v", req.Header)
	}
	wantStatus(t, get(&http.Client{Transport: run.Transport(http.DefaultTransport)}, srv.DelayURL(0)), http.StatusOK)
	wantStatus(t, get(http.DefaultClient, srv.DelayURL(0)), http.StatusOK) // of no run
	if got := run.Settled(); got.ID != "r" || got.Requests != 2 || got.Waits[0].Method != "POST" {
		t.Errorf("Settled() = %+v, want a POST and one more", got)
	}
}
