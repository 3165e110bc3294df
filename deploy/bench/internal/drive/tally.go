// Package drive puts loads on a server with requests that wait, and measures how late the
// answers are.
package drive

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Tally counts the answers to a load.
type Tally struct {
	Answers    int64         // complete, with an accepted status
	Early      int64         // answers read sooner after the request's write than the asked wait
	WorstEarly time.Duration // by how much at worst
	Errors     int64         // requests without an answer
	FirstError string
	Held       int64 // requests sent late because all connections were in use

	// Overshoot is how much longer than asked each counted answer took, in nanoseconds to
	// three digits. Early answers count as 0.
	Overshoot *hdrhistogram.Histogram
}

// maxOvershoot is the largest overshoot that is recorded as it is.
const maxOvershoot = 10 * time.Minute

// NewTally returns an empty Tally.
func NewTally() *Tally {
	return &Tally{Overshoot: hdrhistogram.New(1, int64(maxOvershoot), 3)}
}

// Answer counts an answer to a request for a wait, and its overshoot. waited is the time
// since just before the request's write; took includes connecting.
func (t *Tally) Answer(asked, waited, took time.Duration) {
	t.Uncounted(asked, waited)
	t.Overshoot.RecordValue(int64(min(max(took-asked, 0), maxOvershoot))) // in range: no error
}

// Uncounted counts an answer without its overshoot, such as one while a load begins or
// ends. It may still be early.
func (t *Tally) Uncounted(asked, waited time.Duration) {
	t.Answers++
	if early := asked - waited; early > 0 {
		t.Early++
		t.WorstEarly = max(t.WorstEarly, early)
	}
}

// Fail counts a request that failed.
func (t *Tally) Fail(err error) {
	t.Errors++
	if t.FirstError == "" {
		t.FirstError = err.Error()
	}
}

// Merge adds other to t.
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
