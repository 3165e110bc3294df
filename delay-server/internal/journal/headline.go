package journal

import (
	"fmt"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// maxListed is the maximum number of statuses and of gaps in a headline.
const maxListed = 10

// Headline says what kind of run it is: retried, concurrent, sequential, or a mixture. It is
// "" for a single request, and if records were left out.
func (r Run) Headline() string {
	retries := r.retries()
	times, ok := r.Speedup()
	switch {
	case r.Requests < 2, r.More > 0:
		return ""
	case retries > 0 && retries == r.Requests-1:
		text := spelling.Count(r.Requests, "attempt")
		if r.PeakInFlight > 1 {
			text += fmt.Sprintf(", up to %d at once", r.PeakInFlight)
		}
		return text + ": " + r.results() + r.gaps()
	case retries > 0:
		text := spelling.Count(r.Requests, "request") + ", " + spelling.Count(retries, "retry")
		if r.PeakInFlight > 1 {
			text += fmt.Sprintf(", up to %d at once", r.PeakInFlight)
		}
		return text
	case r.PeakInFlight > 1 && !ok:
		return ""
	case r.PeakInFlight > 1:
		return fmt.Sprintf("%.1f times as fast as sequential requests", times)
	default:
		return "sequential" + r.longestGap()
	}
}

// retries returns the number of recorded waits that repeat a wait with the same method and
// path: after it failed, or beside it if the client gave up one of the two. It is 0 if
// records were left out.
func (r Run) retries() (n int) {
	if r.More > 0 {
		return 0
	}
	type call struct{ method, path string }
	last := map[call]Entry{}
	for _, e := range r.Waits {
		c := call{e.Method, e.Path}
		if before, repeated := last[c]; repeated {
			gaveUp := before.Outcome == ClientClosed || e.Outcome == ClientClosed
			if before.failed() && before.End <= e.Start || gaveUp && before.End > e.Start {
				n++
			}
		}
		last[c] = e
	}
	return n
}

// failed reports whether a client may want to repeat the request.
func (e Entry) failed() bool { return e.class() != string(Answered) && e.Outcome != "" }

// results lists what the attempts got.
func (r Run) results() string {
	var all []string
	for _, e := range r.Waits {
		all = append(all, e.result())
	}
	return listed(all)
}

// gaps lists the gaps between attempts, after a semicolon, if there are any.
func (r Run) gaps() string {
	var all []string
	for i, e := range r.Waits {
		if i > 0 && e.Gap >= 0 {
			all = append(all, milliseconds(e.Gap))
		}
	}
	if all == nil {
		return ""
	}
	return "; gaps " + listed(all) + " ms"
}

// longestGap describes the longest gap, after a comma.
func (r Run) longestGap() string {
	longest := time.Duration(0)
	for _, e := range r.Waits {
		longest = max(longest, e.Gap)
	}
	if longest == 0 {
		return ", without gaps"
	}
	return ", gaps up to " + milliseconds(longest) + " ms"
}

func listed(all []string) string {
	if more := len(all) - maxListed; more > 0 {
		all = append(all[:maxListed:maxListed], fmt.Sprintf("… (%d more)", more))
	}
	return strings.Join(all, ", ")
}
