package delaytest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder keeps what a test fails with; for the rest it is the real test.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// recorded returns what body, a test of its own in a bubble, fails with.
func recorded(t *testing.T, body func(testing.TB)) (failures []string) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		var run sync.WaitGroup
		run.Go(func() { body(r) })
		run.Wait()
		failures = r.failures
	})
	return failures
}

// wantFailure wants one failure, that matches pattern.
func wantFailure(t *testing.T, got []string, pattern string) {
	t.Helper()
	if len(got) != 1 || !regexp.MustCompile(pattern).MatchString(got[0]) {
		t.Errorf("got failures %q, want one that matches %q", got, pattern)
	}
}

// answer is the status of a reply, 0 for none.
type answer struct {
	status int
	err    error
}

func (a answer) String() string { return fmt.Sprintf("status %d, error %v", a.status, a.err) }

// get asks for url in the background.
func get(client *http.Client, url string) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		res, err := client.Get(url)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		res.Body.Close()
		answered <- answer{status: res.StatusCode}
	}()
	return answered
}

// wantStatus waits for the reply.
func wantStatus(t testing.TB, answered <-chan answer, status int) {
	t.Helper()
	if got := <-answered; got.status != status {
		t.Errorf("got %v, want status %d", got, status)
	}
}
