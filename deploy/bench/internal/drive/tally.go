// Package drive drives a server with requests that wait, and measures from the
// client's side how late they are answered.
package drive

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Tally is what a load saw of its answers.
type Tally struct {
	Answers    int64         // complete ones with status 200
	Early      int64         // of those, the ones read before the asked wait had passed since the request was written
	WorstEarly time.Duration // by how much, at the worst
	Errors     int64         // requests that had no such answer
	FirstError string
	Held       int64 // requests that were sent late, since all connections waited

	// Overshoot has the time that each counted answer took beyond the asked wait, in
	// nanoseconds to three digits. One that is early counts as 0.
	Overshoot *hdrhistogram.Histogram
}

// longest is the largest overshoot that a Tally can tell from larger ones.
const longest = 10 * time.Minute

// NewTally returns an empty Tally.
func NewTally() *Tally {
	return &Tally{Overshoot: hdrhistogram.New(1, int64(longest), 3)}
}

// Answer counts an answer to a request that asked for a wait, and its
// overshoot: waited is the time since just before its write, took the time that
// the client spent on it in all, with that of connecting.
func (t *Tally) Answer(asked, waited, took time.Duration) {
	t.Uncounted(asked, waited)
	t.Overshoot.RecordValue(int64(min(max(took-asked, 0), longest))) // in range: no error
}

// Uncounted counts an answer whose overshoot does not count, such as one while
// a load begins or ends. Early it may not be all the same.
func (t *Tally) Uncounted(asked, waited time.Duration) {
	t.Answers++
	if early := asked - waited; early > 0 {
		t.Early++
		t.WorstEarly = max(t.WorstEarly, early)
	}
}

// Fail counts a request that had no good answer.
func (t *Tally) Fail(err error) {
	t.Errors++
	if t.FirstError == "" {
		t.FirstError = err.Error()
	}
}

// Merge adds what other saw to t.
func (t *Tally) Merge(other *Tally) {
	t.Answers += other.Answers
	t.Early += other.Early
	t.WorstEarly = max(t.WorstEarly, other.WorstEarly)
	t.Errors += other.Errors
	t.Held += other.Held
	if t.FirstError == "" {
		t.FirstError = other.FirstError
	}
	t.Overshoot.Merge(other.Overshoot)
}

// Percentile returns the overshoot that p percent of the answers do not exceed.
func (t *Tally) Percentile(p float64) time.Duration {
	return time.Duration(t.Overshoot.ValueAtPercentile(p))
}
