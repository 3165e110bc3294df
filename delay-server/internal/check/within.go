package check

import (
	"time"

	"flash.test/delay-server/internal/journal"
)

// defaultWithin is how late a machine may be. See /doc#checks for its choice.
const defaultWithin = 250 * time.Millisecond

var _ = register(Check{
	Name:  "within",
	Usage: "a time from 0",
	Meaning: "[How late a machine may be](/doc#within), 250ms by default; for jitter that is judged by its " +
		"distribution a quarter of its range.",
	Example: "50ms", Schema: `{ type: string, pattern: '^(\d+(\.\d+)?|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$' }`,
	Modifies: []string{"backoff", "breaker", "gave_up_after", "hedged_after", "order"},
})

// within returns how late a machine may be, and whether the query says so.
func (in *input) within() (within time.Duration, given bool, err error) {
	if !in.has("within") {
		return defaultWithin, false, nil
	}
	within, err = in.time("within", 0)
	return within, true, err
}

// early returns how much of want, a time that began at the client, may be missing at the
// server: it learns late that a client began a request or left.
func early(want, within time.Duration) time.Duration { return min(within, want/2) }

// earlyAfter returns how much of want, a time after w has ended, may be missing. Nothing
// may after an answer, which the client has only after the end.
func earlyAfter(w wait, want, within time.Duration) time.Duration {
	if w.Outcome == journal.ClientClosed {
		return early(want, within)
	}
	return 0
}
