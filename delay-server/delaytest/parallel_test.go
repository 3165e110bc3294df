package delaytest_test

import (
	"fmt"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// TestRunsHaveTheirOwnWorld runs 50 tests at once on one server. Each has its own clock
// and its own scenario, with the same path as the others.
func TestRunsHaveTheirOwnWorld(t *testing.T) {
	shared := delaytest.NewServer(t)
	for i := range 50 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			srv := delaytest.ServerAt(t, shared.URL) // its failures are of this test
			run := srv.Run(fmt.Sprint("world-", i))
			delay := time.Duration(i+1) * 10 * time.Second
			run.Scenario(fmt.Sprintf("routes: [{path: /stock, delay: %v, json: {world: %d}}]", delay, i))
			clock := run.Clock()
			clock.Freeze()

			got := make(chan string)
			go func() {
				body, err := fetch(t.Context(), run.HTTPClient(), srv.URL+"/stock")
				got <- fmt.Sprint(body, err)
			}()
			clock.Await(1)
			clock.Advance(delay - time.Nanosecond)
			if state := clock.State(); state.Waiting != 1 || state.Next != time.Nanosecond {
				t.Errorf("a nanosecond before the end, %d requests wait, the next for %v", state.Waiting, state.Next)
			}
			clock.Advance(time.Nanosecond)
			if got, want := <-got, fmt.Sprintf(`{"world":%d}<nil>`, i); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if settled := run.Settled(); settled.Requests != 1 || settled.Wall != delay {
				t.Errorf("%d requests in %v, want 1 in %v", settled.Requests, settled.Wall, delay)
			}
		})
	}
	if state := shared.Clock().State(); state.Frozen {
		t.Error("the server's clock is frozen")
	}
}
