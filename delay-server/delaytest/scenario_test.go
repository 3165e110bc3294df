package delaytest_test

import (
	"net/http"
	"testing"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
)

func TestScenario(t *testing.T) {
	shared := delaytest.NewServer(t)
	url := shared.URL + "/cart"
	t.Run("inner", func(t *testing.T) {
		srv := delaytest.ServerAt(t, shared.URL)
		run := srv.Run("r")
		wantStatus(t, get(http.DefaultClient, url), http.StatusNotFound)
		srv.Scenario("routes: [{path: /cart, status: 201}]")
		srv.Scenario("routes: [{path: /cart, status: 202}]")
		run.Scenario("routes: [{path: /cart, status: 203}]")
		srv.Run("forgotten").Scenario("routes: [{path: /cart, status: 206}]")
		wantStatus(t, get(http.DefaultClient, url), http.StatusAccepted)
		wantStatus(t, get(http.DefaultClient, run.URL(url)), http.StatusNonAuthoritativeInfo)
		wantStatus(t, get(run.HTTPClient(), url), http.StatusNonAuthoritativeInfo)
		if err := srv.Client().ForgetRun(t.Context(), "forgotten"); err != nil {
			t.Error(err)
		}
	})
	wantStatus(t, get(http.DefaultClient, url), http.StatusNotFound)
	wantStatus(t, get(http.DefaultClient, shared.Run("r").URL(url)), http.StatusNotFound)
}

func TestReset(t *testing.T) {
	srv := delaytest.NewServer(t)
	run := srv.Run("r")
	srv.Scenario("routes: [{path: /cart}]")
	srv.Clock().Freeze()
	held := get(http.DefaultClient, run.HoldURL("h"))
	run.Await(1)
	srv.Reset()
	wantProblem(t, held, client.ProblemHoldFailed)
	wantStatus(t, get(http.DefaultClient, srv.URL+"/cart"), http.StatusNotFound)
	wantStatus(t, get(http.DefaultClient, srv.DelayURL(1)), http.StatusOK) // the clock runs
	if err := srv.Client().ForgetRun(t.Context(), "r"); err == nil {
		t.Error("run r is in the journal after Reset")
	}
}
