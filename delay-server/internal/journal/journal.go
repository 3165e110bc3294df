// Package journal sees the begin and the end of every wait.
package journal

import (
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/clock"
)

// Outcome says how a wait ended.
type Outcome string

// The outcomes of a wait.
const (
	Answered Outcome = "answered" // the whole wait, then the answer
	Left     Outcome = "left"     // the client went before the end
	Cut      Outcome = "cut"      // the server's shutdown ended it
	Refused  Outcome = "refused"  // MAX_IN_FLIGHT were waiting already: it never began
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Answered, Left, Cut, Refused}

// Wait is one request's wait.
type Wait struct {
	Run     string        // the run that the request belongs to, or ""
	Method  string        // HTTP method
	Path    string        // path, as it came
	Asked   time.Duration // the wait that was asked for
	Start   time.Time     // when the request came
	Waited  time.Duration // from Start to the end; 0 until it has ended
	Outcome Outcome       // "" until it has ended
}

// Journal counts the waits of now and tells its observer of those that ended.
type Journal struct {
	clock   clock.Clock
	ended   func(Wait)
	waiting atomic.Int64
}

// New returns a journal that calls ended, from the waiting request's own
// goroutine, with each wait that has ended.
func New(c clock.Clock, ended func(Wait)) *Journal {
	return &Journal{clock: c, ended: ended}
}

// Waiting returns how many wait now.
func (j *Journal) Waiting() int { return int(j.waiting.Load()) }

// Begin counts w as waiting. Each Begin is paid back by one End.
func (j *Journal) Begin(Wait) { j.waiting.Add(1) }

// End completes w, tells the observer, and returns it.
func (j *Journal) End(w Wait, outcome Outcome) Wait {
	j.waiting.Add(-1)
	w.Waited = j.clock.Now().Sub(w.Start)
	w.Outcome = outcome
	j.ended(w)
	return w
}

// Refuse tells the observer of a wait that never began.
func (j *Journal) Refuse(w Wait) {
	w.Outcome = Refused
	j.ended(w)
}
