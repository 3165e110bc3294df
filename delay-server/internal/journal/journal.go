// Package journal counts waiting requests and records the waits of runs: when each
// began and ended, and how many were in flight at the same time.
package journal

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/cond"
	"flash.test/delay-server/kit/problem"
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
	Rejected     Outcome = "rejected"      // answered 400, 408, 413 or Flash's 500 without a wait: it is invalid
	TimedOut     Outcome = "timed_out"     // its barrier or hold timed out
	Failed       Outcome = "failed"        // its barrier broke, its hold was failed, or the server had an error
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Answered, Faulted, ClientClosed, Shutdown, Refused, Rejected, TimedOut, Failed}

// Wait is one request's wait.
type Wait struct {
	Run     string // the run that the request belongs to, or ""
	Method  string // HTTP method
	Path    string
	Attempt int           // see plan.Planned; 0 for a wait that is not counted
	Asked   time.Duration // the wait that the request asks for
	Start   time.Time     // when the request arrived
	Queued  time.Duration // from Start until a worker of its pool was free
	Waited  time.Duration // after Queued, until the end of the wait; 0 before that
	Held    time.Duration // the part of Waited at a barrier or hold
	Outcome Outcome       // "" until the request has ended
	Response

	Clock *clock.Clock // of the times, if it is the run's own; nil for the server's

	record *record // nil for a wait of no run
	flight *flight // nil if NewWait did not make it, and it was not listed
}

// Response is what a wait's response says. It is zero until the response begins.
type Response struct {
	Status     int           // 0 if no response began
	RetryAfter time.Duration // of the header Retry-After; 0 for none
	Problem    problem.Type  // of a response that is a problem; "" for any other
	Fault      string        // the answer.Fault of a response that was faulted; "" for none
}

// Request has the parts of a request that only records have. The strings may share memory
// with a buffer that is reused later.
type Request struct {
	Query      string  // percent-encoded
	Headers    Headers // nil for none
	ProtoMajor int
	ProtoMinor int
	Connection uint64 // unique number of the connection; 0 if unknown
	Reused     bool   // a request was sent on the connection before
	Client     netip.Addr
}

// client returns the address of the client; r may be nil.
func (r *Request) client() netip.Addr {
	if r == nil {
		return netip.Addr{}
	}
	return r.Client
}

// Headers are the header fields of a request; http.Header is one.
type Headers interface {
	// Get returns the first value of the field with the name in canonical form, or "".
	Get(name string) string
}

// Journal counts waiting requests, records the waits of runs, and passes each wait that
// has ended to its observer. Use New.
type Journal struct {
	// Headers are the canonical names of the header fields that are recorded. It is set
	// before use.
	Headers []string

	// Clocks are the clocks of runs that have their own. It is set before use, and
	// changed by MakeClock, Forget and ForgetAll.
	Clocks *clock.Runs

	// Growing, if it is not nil, is called after each quarter of size new records, so
	// that their runs can be read before they are dropped. It is called under the
	// journal's lock, and must neither block nor call the journal. It is set before use.
	Growing func()

	size    int
	now     func() time.Time
	ended   func(Wait)
	waiting atomic.Int64

	finished atomic.Int64 // number of requests that have ended
	viewers  atomic.Int64 // changed under mu
	listing  atomic.Bool  // see Lists; changed under mu

	mu      sync.Mutex
	changed cond.Cond // broadcasts changes of the fields below
	runs    map[string]*runStats
	begun   int    // number of runs begun so far
	all     record // head of a ring: newer is the oldest record, older the newest
	kept    int    // number of records in the ring
	grown   int    // number of records since the last call of Growing

	changes runStats // head of a ring: later is the run that changed first, earlier the last
	version uint64   // of the last change

	clients   map[netip.Addr]*client
	byKept    clients
	clientSeq int // of the newest client

	inFlight node   // head of a ring: the listed waits in flight, in order of arrival
	flights  uint64 // number of waits listed so far
	listed   int    // number of waits of no run in inFlight
	problems problems

	dropped     int64 // records, since ForgetAll
	droppedRuns int   // since ForgetAll
}

// New returns a journal that keeps the records of up to size waits of all runs; size is 0
// or more. Then it drops a record for each new one; see fresh. now returns the current
// time. The journal calls ended with each wait that has ended, on the goroutine of its
// request.
func New(size int, now func() time.Time, ended func(Wait)) *Journal {
	j := &Journal{
		size: size, now: now, ended: ended,
		runs: map[string]*runStats{}, clients: map[netip.Addr]*client{},
	}
	j.changed.L = &j.mu
	j.all.older, j.all.newer = &j.all, &j.all
	j.inFlight.init()
	j.changes.earlier, j.changes.later = &j.changes, &j.changes
	return j
}

// Waiting returns the number of requests that wait or are being answered. A client may
// have read its answer before the request leaves the count.
func (j *Journal) Waiting() int { return int(j.waiting.Load()) }

// Begin counts w as waiting and, in a run, records it and r. A nil w is a wait of no run.
// Each Begin that reports true is followed by one End. Begin reports false, and does
// nothing else, if the run's clock was made or dropped and is not w.Clock.
func (j *Journal) Begin(w *Wait, r *Request) bool {
	if w == nil || w.Run == "" {
		j.waiting.Add(1)
		if w != nil && j.Lists() {
			j.list(w)
		}
		return true
	}
	record := j.newRecord(w, r)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Clocks.Of(w.Run) != w.Clock {
		return false
	}
	j.waiting.Add(1)
	w.record = record
	record.begun = true
	s := j.count(w)
	s.waiting++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	j.link(w)
	s.flights.append(&w.flight.inRun)
	j.append(s, record, r.client())
	return true
}

// BeforeLastByte is called just before the last byte of the answer is sent. From then on
// w is not in flight, and its times are final. So a client that reads each answer before
// it sends the next request never has two in flight. Later calls for the same wait do
// nothing, and End calls it if needed. Calls for one wait must not be concurrent.
func (j *Journal) BeforeLastByte(w *Wait) {
	if w.record == nil {
		j.unlist(w)
		return
	}
	if w.record.sent() {
		return
	}
	now := j.timeOn(w.Clock)
	j.mu.Lock()
	defer j.mu.Unlock()
	w.record.send(w, now)
	w.flight.inAll.unlink()
	w.flight.inRun.unlink()
	j.touch(w.record.run)
	j.changed.Broadcast()
}

// End ends w: it is no longer counted, and passed to the observer.
func (j *Journal) End(w Wait, outcome Outcome) {
	j.waiting.Add(-1)
	j.finished.Add(1)
	switch {
	case w.record != nil:
		j.BeforeLastByte(&w)
		j.complete(&w, outcome)
	case w.flight != nil || w.Problem != "":
		j.unlist(&w)
		j.noteOther(&w)
	}
	w.Outcome = outcome
	j.ended(w)
}

// Refuse passes a wait that never began to the observer, with the outcome Refused or
// Rejected. In a run it is recorded with r, as a wait that ended w.Waited after its start
// and was never in flight.
func (j *Journal) Refuse(w Wait, r *Request, outcome Outcome) {
	j.finished.Add(1)
	w.Outcome = outcome
	if w.Run == "" {
		j.noteOther(&w)
	} else {
		record := j.newRecord(&w, r)
		record.sentAfter, record.waited, record.response, record.outcome = w.Waited, w.Waited, w.Response, outcome
		j.mu.Lock()
		s := j.count(&w)
		s.extend(record.end())
		j.append(s, record, r.client())
		j.noteProblem(record, &w)
		j.mu.Unlock()
	}
	j.ended(w)
}
