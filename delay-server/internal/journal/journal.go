// Package journal sees the begin and the end of every wait, and remembers those
// of runs: what waited when, how much of it at the same time.
package journal

import (
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/cond"
)

// Outcome says how a wait ended.
type Outcome string

// The outcomes of a wait.
const (
	Answered     Outcome = "answered"      // after the whole wait
	Faulted      Outcome = "faulted"       // after the whole wait, with the requested fault
	ClientClosed Outcome = "client_closed" // the client closed the connection before the end
	Shutdown     Outcome = "shutdown"      // the server shut down before the end
	Refused      Outcome = "refused"       // by MAX_IN_FLIGHT, a pool, a barrier or a rate limit, without a wait
	TimedOut     Outcome = "timed_out"     // its barrier or hold did
	Failed       Outcome = "failed"        // its barrier broke, its hold was failed, or the server had an error
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Answered, Faulted, ClientClosed, Shutdown, Refused, TimedOut, Failed}

// Wait is one request's wait.
type Wait struct {
	Run     string        // the run that the request belongs to, or ""
	Method  string        // HTTP method
	Path    string        // path, as it came
	Asked   time.Duration // the wait that was asked for
	Start   time.Time     // when the request came
	Queued  time.Duration // until a worker of its pool was free
	Waited  time.Duration // from then, or from Start without a pool, to the end of the wait; 0 until then
	Held    time.Duration // of Waited, until the event that it waited for; 0 where it waited for none
	Outcome Outcome       // "" until the request has ended

	record *record // nil where it belongs to no run
}

// Journal counts the requests of now, remembers those of runs, and tells its
// observer of those that ended. Use New.
type Journal struct {
	size    int
	now     func() time.Time
	ended   func(Wait)
	waiting atomic.Int64

	mu      sync.Mutex
	changed cond.Cond // any of what follows
	runs    map[string]*runStats
	begun   int    // how many runs have begun so far
	all     record // the ring of all records: newer is the oldest, older the newest
	kept    int    // how many are in it
	dropped int64
}

// New returns a journal that remembers the last size waits, 0 or more, over all
// runs, by the clock that now reads. It calls ended, from the request's own
// goroutine, with each wait whose request has ended.
func New(size int, now func() time.Time, ended func(Wait)) *Journal {
	j := &Journal{size: size, now: now, ended: ended, runs: map[string]*runStats{}}
	j.changed.L = &j.mu
	j.all.older, j.all.newer = &j.all, &j.all
	return j
}

// Waiting returns how many requests wait now, or are being answered.
func (j *Journal) Waiting() int { return int(j.waiting.Load()) }

// Begin counts w as waiting and, in a run, remembers it. A nil w is a wait of no run.
// Each Begin is paid back by one End.
func (j *Journal) Begin(w *Wait) {
	j.waiting.Add(1)
	if w == nil || w.Run == "" {
		return
	}
	w.record = newRecord(w)
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.count(w)
	s.waiting++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	j.append(s, w.record)
}

// Sent says that the last of the answer is about to be given to the connection:
// w is in flight no longer, and its times stand. So a client that has read a
// whole answer before it asks again never has two requests in flight. Only the
// first Sent of a wait counts; without one, End is it. What is called for one
// wait is called by one goroutine at a time.
func (j *Journal) Sent(w *Wait) {
	if w.record == nil || w.record.sent() {
		return
	}
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	w.record.send(w, now)
	j.changed.Broadcast()
}

// End completes w, counts it no longer, and tells the observer.
func (j *Journal) End(w Wait, outcome Outcome) {
	j.waiting.Add(-1)
	if w.record != nil {
		j.Sent(&w)
		j.complete(w.record, outcome)
	}
	w.Outcome = outcome
	j.ended(w)
}

// Refuse tells the observer of a wait that never began. In a run it is
// remembered as one that ended when it came and was never in flight.
func (j *Journal) Refuse(w Wait) {
	w.Outcome = Refused
	if w.Run != "" {
		r := newRecord(&w)
		r.sentAfter, r.outcome = 0, Refused
		j.mu.Lock()
		j.append(j.count(&w), r)
		j.mu.Unlock()
	}
	j.ended(w)
}
