package delaytest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/server"
)

func TestInMemoryServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := delaytest.NewInMemoryServer(t, func(c *server.Config) { c.AdminToken = "secret" })
		run, hold, start := srv.Run("r"), srv.Hold("h"), time.Now()
		late := get(srv.HTTPClient(), run.DelayURL(5*time.Minute))
		held := get(run.HTTPClient(), hold.URL)
		hold.Await(1)
		run.Await(2)
		hold.Release()
		wantStatus(t, held, http.StatusOK)
		if took := time.Since(start); took != 0 {
			t.Errorf("release took %v in the bubble, want 0", took)
		}
		wantStatus(t, late, http.StatusOK)
		if took := time.Since(start); took != 5*time.Minute {
			t.Errorf("a delay of 5m took %v in the bubble", took)
		}
		delaytest.AssertConcurrent(t, run, 2)
	})
}

// TestInMemoryServerStops checks a request that waits when the test ends, and a later
// request.
func TestInMemoryServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting <-chan answer
		var from *http.Client
		var url string
		start := time.Now()
		t.Cleanup(func() {
			wantProblem(t, waiting, client.ProblemShuttingDown)
			if took := time.Since(start); took >= time.Second {
				t.Errorf("shutdown took %v in the bubble, want less than 1s", took)
			}
			if got := <-get(from, url); got.err == nil {
				t.Errorf("GET after shutdown: got %v, want an error", got)
			}
		})
		srv := delaytest.NewInMemoryServer(t)
		from, url = srv.HTTPClient(), srv.Run("r").DelayURL(10*time.Minute)
		waiting = get(from, url)
		srv.Run("r").Await(1)
	})
}
