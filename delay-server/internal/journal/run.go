package journal

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"flash.test/delay-server/kit/problem"
)

// Summary has the figures of a run, including dropped records.
type Summary struct {
	ID           string
	Requests     int           // including refused ones
	Waiting      int           // requests that have not ended
	Wall         time.Duration // from the first start to the last end, or to now while a request is in flight
	Sum          time.Duration // of the times in flight of all requests that have ended, without Queued
	PeakInFlight int           // the highest number of requests in flight
	Dropped      int64         // number of records dropped for newer ones
}

// Settled reports whether all requests of the run have ended.
func (s Summary) Settled() bool { return s.Waiting == 0 }

// Speedup returns Sum divided by Wall: how many times as fast as sequential requests the
// run was. It returns false if Wall is 0.
func (s Summary) Speedup() (times float64, ok bool) {
	if s.Wall <= 0 {
		return 0, false
	}
	return float64(s.Sum) / float64(s.Wall), true
}

// Run is a snapshot of a run.
type Run struct {
	Summary
	Waits []Entry // in order of arrival, without dropped ones
	More  int     // number of newer records that Head left out of Waits

	// Marks are remarks on waits, by index in Waits, that a picture shows.
	Marks map[int]string
}

// Entry is a wait of a run. Start and End are relative to the first start of the run.
type Entry struct {
	Method, Path          string // cut to 200 bytes, a path with … at the end
	Asked, Queued, Waited time.Duration
	Start, End            time.Duration // End is the time of the snapshot while the request is in flight
	Outcome               Outcome       // "" until the request has ended
	Begun                 bool          // it was in flight; not if it was refused or rejected at once

	// Gap is the time from the end of the wait before to Start. It is negative if there
	// is none, or if it had not ended.
	Gap time.Duration

	Query      string            // percent-encoded, cut to 200 bytes with … at the end
	Status     int               // of the response; 0 if none began
	Fault      string            // the answer.Fault of a response that was faulted; "" for none
	Attempt    int               // see plan.Planned; 0 for a wait that is not counted
	RetryAfter time.Duration     // of the response's header Retry-After; 0 for none
	Protocol   string            // "HTTP/1.1" or "HTTP/2.0"
	Connection int               // number of the connection within the run, from 1; 0 if unknown
	Reused     bool              // a request was sent on the connection before
	Client     string            // address of the client, or network of an IPv6 address
	Headers    map[string]string // of JOURNAL_HEADERS, cut to 200 bytes; nil for none
	Problem    problem.Type      // of a response that is a problem; "" for any other
}

// Run returns the run with the ID, and whether there is one.
func (j *Journal) Run(id string) (Run, bool) { return j.Head(id, math.MaxInt) }

// Head returns the run with up to limit of its oldest records, in time for those only, and
// whether there is one.
func (j *Journal) Head(id string, limit int) (Run, bool) {
	s, known := j.snapshot(id, limit)
	if !known {
		return Run{}, false
	}
	return s.run(j.Headers), true
}

func (j *Journal) snapshot(id string, limit int) (snapshot, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.runs[id]
	if s == nil {
		return snapshot{}, false
	}
	return s.snapshot(j.nowIn(id), limit), true
}

// snapshot is a copy of a run. It becomes a Run without the journal's lock, which takes
// longer than the copy.
type snapshot struct {
	summary    Summary
	first, now time.Time
	records    []record
	more       int // see Run.More
}

// snapshot copies up to limit records.
func (s *runStats) snapshot(now time.Time, limit int) snapshot {
	n := min(s.kept, limit)
	copied := snapshot{
		summary: s.summary(now), first: s.first, now: now, records: make([]record, 0, n), more: s.kept - n,
	}
	for r := s.oldest; len(copied.records) < n; r = r.newerOfRun {
		copied.records = append(copied.records, *r)
	}
	return copied
}

// run returns the run with the header fields of the names.
func (s snapshot) run(names []string) Run {
	run := Run{Summary: s.summary, Waits: make([]Entry, 0, len(s.records)), More: s.more}
	slices.SortStableFunc(s.records, func(a, b record) int { return a.start.Compare(b.start) })
	connections := map[uint64]int{}
	for i := range s.records {
		r := &s.records[i]
		e := r.entry(s.first, s.now, names)
		if i > 0 {
			e.Gap = r.gap(&s.records[i-1])
		}
		if r.connection != 0 {
			if connections[r.connection] == 0 {
				connections[r.connection] = 1 + len(connections)
			}
			e.Connection = connections[r.connection]
		}
		run.Waits = append(run.Waits, e)
	}
	return run
}

// gap returns Entry.Gap of r after before.
func (r *record) gap(before *record) time.Duration {
	if !before.sent() {
		return -1
	}
	return max(-1, r.start.Sub(before.end()))
}

// entry returns the entry of r without its connection and gap, in a run that began at
// first.
func (r *record) entry(first, now time.Time, names []string) Entry {
	e := Entry{
		Method: r.method.Value(), Asked: r.asked, Queued: r.queued, Waited: r.waited,
		Start: r.start.Sub(first), End: now.Sub(first), Outcome: r.outcome,
		Gap: -1, Status: r.response.Status, Attempt: int(r.attempt), RetryAfter: r.response.RetryAfter,
		Reused: r.reused, Begun: r.begun, Problem: r.response.Problem, Fault: r.response.Fault,
	}
	if r.sent() {
		e.End = r.end().Sub(first)
	}
	if r.protoMajor != 0 {
		e.Protocol = "HTTP/" + strconv.Itoa(int(r.protoMajor)) + "." + strconv.Itoa(int(r.protoMinor))
	}
	if r.client.addr.IsValid() {
		e.Client = r.client.addr.String()
	}
	var value string
	texts := r.texts
	e.Path, texts = nextText(texts)
	e.Query, texts = nextText(texts)
	for _, name := range names {
		if value, texts = nextText(texts); value != "" {
			if e.Headers == nil {
				e.Headers = map[string]string{}
			}
			e.Headers[name] = value
		}
	}
	return e
}

func (s *runStats) summary(now time.Time) Summary {
	end := s.last
	if s.inFlight > 0 {
		end = now
	}
	return Summary{
		ID: s.id, Requests: s.requests, Waiting: s.waiting, Wall: end.Sub(s.first), Sum: s.sum,
		PeakInFlight: s.peak, Dropped: s.dropped,
	}
}

// Runs returns the summaries of all runs, the newest first.
func (j *Journal) Runs() []Summary {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]*runStats, 0, len(j.runs))
	for _, s := range j.runs {
		all = append(all, s)
	}
	return j.summaries(all)
}

// summaries returns the summaries of the runs, the newest first.
func (j *Journal) summaries(of []*runStats) []Summary {
	slices.SortFunc(of, func(a, b *runStats) int { return cmp.Compare(b.seq, a.seq) })
	runs := make([]Summary, len(of))
	for i, s := range of {
		runs[i] = s.summary(j.nowIn(s.id))
	}
	return runs
}

// Dropped returns the number of records dropped for newer ones, of all runs since the last
// ForgetAll.
func (j *Journal) Dropped() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// DroppedRuns returns the number of runs of which all records were dropped for newer ones,
// since the last ForgetAll. Runs leaves them out.
func (j *Journal) DroppedRuns() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.droppedRuns
}

// Await returns the run once ok reports true for its summary. If there is no such run,
// the summary has only the ID. If ctx is done first, the error is context.Cause(ctx).
// ok is called at each change of any run, under the journal's lock, and must not call
// the journal.
func (j *Journal) Await(ctx context.Context, id string, ok func(Summary) bool) (Run, error) {
	s, err := j.await(ctx, id, ok)
	return s.run(j.Headers), err
}

func (j *Journal) await(ctx context.Context, id string, ok func(Summary) bool) (snapshot, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.changed.Wait(ctx, func() bool {
		if s := j.runs[id]; s != nil {
			return ok(s.summary(j.nowIn(id)))
		}
		return ok(Summary{ID: id})
	})
	if s := j.runs[id]; s != nil {
		return s.snapshot(j.nowIn(id), math.MaxInt), err
	}
	return snapshot{summary: Summary{ID: id}}, err
}

// Forget removes the run and drops its clock, and reports whether there was either. Its
// requests that have not ended go on, but belong to no run any more.
func (j *Journal) Forget(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	dropped := j.Clocks.Drop(id)
	s := j.runs[id]
	if s == nil {
		return dropped
	}
	j.forget(s)
	j.problems.forget(id)
	return true
}

// ForgetAll removes all runs, drops their clocks, and sets Dropped and DroppedRuns to 0.
func (j *Journal) ForgetAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Clocks.DropAll()
	for _, s := range j.runs {
		j.forget(s)
	}
	j.problems = problems{}
	j.dropped, j.droppedRuns = 0, 0
}

func (j *Journal) forget(s *runStats) {
	j.remove(s)
	for s.oldest != nil {
		r := s.oldest
		j.unlink(r)
		s.unlink(r)
	}
	for s.flights.next != &s.flights {
		f := s.flights.next.flight
		f.inAll.unlink()
		f.inRun.unlink()
	}
	j.changed.Broadcast()
}
