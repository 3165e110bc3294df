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

	"flash.test/delay-server/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A recorder is a testing.TB that records failures.
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

// recorded runs body as a test in a bubble and returns its failures.
func recorded(t *testing.T, body func(testing.TB)) (failures []string) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		var wg sync.WaitGroup
		wg.Go(func() { body(r) }) // Fatalf exits the goroutine
		wg.Wait()
		failures = r.failures
	})
	return failures
}

// wantFailure checks that got is one failure that matches pattern.
func wantFailure(t *testing.T, got []string, pattern string) {
	t.Helper()
	if len(got) != 1 || !regexp.MustCompile(pattern).MatchString(got[0]) {
		t.Errorf("got failures %q, want one failure that matches %q", got, pattern)
	}
}

// An answer is a reply or an error.
type answer struct {
	status  int
	problem client.ProblemType // "" if the reply is not a problem
	err     error
}

func (a answer) String() string {
	return fmt.Sprintf("status %d, problem %q, error %v", a.status, a.problem.Name(), a.err)
}

// get requests url in the background.
func get(from *http.Client, url string) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		res, err := from.Get(url)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer res.Body.Close()
		a := answer{status: res.StatusCode}
		if p, err := client.ReadProblem(res); err == nil {
			a.problem = p.Type
		}
		answered <- a
	}()
	return answered
}

// wantStatus waits for the answer and checks its status.
func wantStatus(t testing.TB, answered <-chan answer, status int) {
	t.Helper()
	if got := <-answered; got.status != status {
		t.Errorf("got %v, want status %d", got, status)
	}
}

// wantProblem waits for the answer and checks its problem type.
func wantProblem(t testing.TB, answered <-chan answer, typ client.ProblemType) {
	t.Helper()
	if got := <-answered; got.problem != typ {
		t.Errorf("got %v, want problem %q", got, typ.Name())
	}
}
