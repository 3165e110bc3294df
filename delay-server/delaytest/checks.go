package delaytest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// AssertConcurrent is [AssertChecks] with peak=n: exactly n of the run's requests were in
// flight at once at its peak. If n is 1, the run must have had two requests or more.
//
// The server notices a client that gives up a moment after the client does. A
// request that follows a cancelled one may count as overlapping it.
func AssertConcurrent(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("peak=%d", n))
}

// AssertSequential is [AssertChecks] with order=sequential: the run had at least two
// requests, and none came before the one before had ended or was cancelled.
func AssertSequential(t testing.TB, run *Run) bool {
	t.Helper()
	return AssertChecks(t, run, "order=sequential")
}

// AssertAttempts is [AssertChecks] with attempts=n: the client sent n requests with each
// method and path.
func AssertAttempts(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("attempts=%d", n))
}

// AssertStatuses is [AssertChecks] with statuses=…: the requests with each method and path
// got these statuses, in order of arrival. For faults or client_closed, use [AssertChecks].
func AssertStatuses(t testing.TB, run *Run, statuses ...int) bool {
	t.Helper()
	list := make([]string, len(statuses))
	for i, status := range statuses {
		list[i] = strconv.Itoa(status)
	}
	return AssertChecks(t, run, "statuses="+strings.Join(list, ","))
}

// A Backoff says how long a client waits between a failure and the next attempt.
type Backoff struct {
	Base   time.Duration // after the first failure
	Factor float64       // each wait is so many times the wait before: 1 is a constant wait
	Cap    time.Duration // no wait is longer; 0 for no cap
	Jitter string        // none, equal, a share such as 20%, or full; "" is none

	// Within is how much longer a wait may be because the machine is busy. No wait may be
	// shorter. 0 is the server's default, 250ms; in a bubble of testing/synctest, use
	// time.Nanosecond.
	Within time.Duration
}

// AssertBackoff is [AssertChecks] with backoff=…: after each failure the client waited as
// b says. Full jitter is judged by its distribution, which takes many retries; see
// [AssertChecksOfRuns].
//
//	delaytest.AssertBackoff(t, run, delaytest.Backoff{Base: 100 * time.Millisecond, Factor: 2})
func AssertBackoff(t testing.TB, run *Run, b Backoff) bool {
	t.Helper()
	return AssertChecks(t, run, b.checks()...)
}

func (b Backoff) checks() []string {
	checks := []string{fmt.Sprintf("backoff=%v,%v", b.Base, b.Factor)}
	if b.Cap != 0 {
		checks = append(checks, fmt.Sprint("cap=", b.Cap))
	}
	if b.Jitter != "" {
		checks = append(checks, "jitter="+b.Jitter)
	}
	if b.Within != 0 {
		checks = append(checks, fmt.Sprint("within=", b.Within))
	}
	return checks
}

// AssertHonoursRetryAfter is [AssertChecks] with retry_after=honoured: after each answer
// with Retry-After, the client waited at least as long as that header says.
func AssertHonoursRetryAfter(t testing.TB, run *Run) bool {
	t.Helper()
	return AssertChecks(t, run, "retry_after=honoured")
}

// AssertPeakAtMost is [AssertChecks] with peak_at_most=n: never more than n requests were
// in flight at once.
func AssertPeakAtMost(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("peak_at_most=%d", n))
}

// AssertPeakAtLeast is [AssertChecks] with peak_at_least=n: at some time n requests or
// more were in flight at once. n is 2 or more.
func AssertPeakAtLeast(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("peak_at_least=%d", n))
}

// AssertHedged is [AssertChecks] with hedged_after=…: the client sent the same request
// again once the first had waited for so long, and cancelled the loser.
func AssertHedged(t testing.TB, run *Run, after time.Duration) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprint("hedged_after=", after))
}

// AssertGaveUp is [AssertChecks] with gave_up_after=…: the client gave up after so long.
func AssertGaveUp(t testing.TB, run *Run, after time.Duration) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprint("gave_up_after=", after))
}

// AssertBreaker is [AssertChecks] with breaker=…: after so many failures in a row the
// client sent nothing while its breaker was open, and then one request at a time until
// one succeeded.
func AssertBreaker(t testing.TB, run *Run, failures int, open time.Duration) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("breaker=%d,%v", failures, open))
}

// AssertConnectionsAtMost is [AssertChecks] with connections_at_most=n: the client opened
// at most n connections.
func AssertConnectionsAtMost(t testing.TB, run *Run, n int) bool {
	t.Helper()
	return AssertChecks(t, run, fmt.Sprintf("connections_at_most=%d", n))
}

// AssertSameHeader is [AssertChecks] with same_header=name: all requests with the same
// method and path had the same value of this header. JOURNAL_HEADERS must have the name.
func AssertSameHeader(t testing.TB, run *Run, name string) bool {
	t.Helper()
	return AssertChecks(t, run, "same_header="+name)
}
