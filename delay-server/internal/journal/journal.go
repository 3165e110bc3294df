// Package journal sees the begin and the end of every wait.
package journal

import (
	"sync/atomic"
	"time"
)

// Outcome says how a wait ended.
type Outcome string

// The outcomes of a wait.
const (
	Answered Outcome = "answered" // the whole wait, then the answer
	Faulted  Outcome = "faulted"  // the whole wait, then the fault that was asked for
	Left     Outcome = "left"     // the client went before the end
	Cut      Outcome = "cut"      // the server's shutdown ended it
	Refused  Outcome = "refused"  // by MAX_IN_FLIGHT, a pool or a rate limit: there was no wait
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Answered, Faulted, Left, Cut, Refused}

// Wait is one request's wait.
type Wait struct {
	Run     string        // the run that the request belongs to, or ""
	Method  string        // HTTP method
	Path    string        // path, as it came
	Asked   time.Duration // the wait that was asked for
	Start   time.Time     // when the request came
	Queued  time.Duration // until a worker of its pool was free
	Waited  time.Duration // from then, or from Start without a pool, to the end of the wait; 0 until then
	Outcome Outcome       // "" until the request has ended
}

// Journal counts the requests of now and tells its observer of those that ended.
type Journal struct {
	ended   func(Wait)
	waiting atomic.Int64
}

// New returns a journal that calls ended, from the request's own goroutine,
// with each wait whose request has ended.
func New(ended func(Wait)) *Journal { return &Journal{ended: ended} }

// Waiting returns how many requests wait now, or are being answered.
func (j *Journal) Waiting() int { return int(j.waiting.Load()) }

// Begin counts w as waiting. Each Begin is paid back by one End.
func (j *Journal) Begin(Wait) { j.waiting.Add(1) }

// End completes w and tells the observer.
func (j *Journal) End(w Wait, outcome Outcome) {
	j.waiting.Add(-1)
	w.Outcome = outcome
	j.ended(w)
}

// Refuse tells the observer of a wait that never began.
func (j *Journal) Refuse(w Wait) {
	w.Outcome = Refused
	j.ended(w)
}
