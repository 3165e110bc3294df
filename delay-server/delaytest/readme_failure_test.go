package delaytest_test

import (
	"os"
	"strings"
	"testing"

	"flash.test/delay-server/delaytest"
)

// TestREADMEShowsAFailure checks the failure in README.md: a client whose back-off is
// constant.
func TestREADMEShowsAFailure(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	got := recorded(t, func(r testing.TB) {
		srv := delaytest.NewInMemoryServer(r)
		run := srv.Run("retries")
		calls("/delay/0?attempts=503,503,200", 0, 100*ms, 100*ms)(srv, run)
		delaytest.AssertBackoff(r, run, delaytest.Backoff{Base: 100 * ms, Factor: 2})
	})
	if len(got) != 1 || !strings.Contains(string(readme), "\n"+got[0]) {
		t.Errorf("README.md does not show this failure:\n%s", strings.Join(got, "\n"))
	}
}
