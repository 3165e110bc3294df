package journal

import (
	"cmp"
	"context"
	"slices"
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

	// Marks are remarks on waits, by index in Waits, that a picture shows.
	Marks map[int]string
}

// Entry is a wait of a run. Start and End are relative to the first start of the run.
type Entry struct {
	Method, Path          string // cut to 200 bytes, a path with … at the end
	Asked, Queued, Waited time.Duration
	Start, End            time.Duration // End is the time of the snapshot while the request is in flight
	Outcome               Outcome       // "" until the request has ended

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
func (j *Journal) Run(id string) (Run, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.runs[id]
	if s == nil {
		return Run{}, false
	}
	return s.run(j.nowIn(id)), true
}

func (s *runStats) run(now time.Time) Run {
	run := Run{Summary: s.summary(now), Waits: make([]Entry, 0, s.kept)}
	records := make([]*record, 0, s.kept)
	for r := s.oldest; r != nil; r = r.next {
		records = append(records, r)
	}
	slices.SortStableFunc(records, func(a, b *record) int { return a.start.Compare(b.start) })
	var before *record
	for _, r := range records {
		e := r.entry(now)
		e.Gap = r.gap(before)
		run.Waits = append(run.Waits, e)
		before = r
	}
	return run
}

// gap returns Entry.Gap of r after before, which is nil for none.
func (r *record) gap(before *record) time.Duration {
	if before == nil || !before.sent() {
		return -1
	}
	return max(-1, r.start.Sub(before.end()))
}

// end returns when the answer of r was sent.
func (r *record) end() time.Time { return r.start.Add(r.sentAfter) }

func (r *record) entry(now time.Time) Entry {
	end := now
	if r.sent() {
		end = r.end()
	}
	return Entry{
		Method: r.method.Value(), Path: r.path,
		Asked: r.asked, Queued: r.queued, Waited: r.waited,
		Start: r.start.Sub(r.run.first), End: end.Sub(r.run.first), Outcome: r.outcome,
	}
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
	slices.SortFunc(all, func(a, b *runStats) int { return cmp.Compare(b.seq, a.seq) })
	runs := make([]Summary, len(all))
	for i, s := range all {
		runs[i] = s.summary(j.nowIn(s.id))
	}
	return runs
}

// Dropped returns the number of records dropped for newer ones, of all runs ever.
func (j *Journal) Dropped() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Await returns the run once ok reports true for its summary. If there is no such run,
// the summary has only the ID. If ctx is done first, the error is context.Cause(ctx).
// ok is called at each change of any run, under the journal's lock, and must not call
// the journal.
func (j *Journal) Await(ctx context.Context, id string, ok func(Summary) bool) (Run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.changed.Wait(ctx, func() bool {
		if s := j.runs[id]; s != nil {
			return ok(s.summary(j.nowIn(id)))
		}
		return ok(Summary{ID: id})
	})
	if s := j.runs[id]; s != nil {
		return s.run(j.nowIn(id)), err
	}
	return Run{Summary: Summary{ID: id}}, err
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
	return true
}

// ForgetAll removes all runs and drops their clocks.
func (j *Journal) ForgetAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Clocks.DropAll()
	for _, s := range j.runs {
		j.forget(s)
	}
}

func (j *Journal) forget(s *runStats) {
	delete(j.runs, s.id)
	for r := s.oldest; r != nil; r, r.next = r.next, nil {
		j.unlink(r)
	}
	s.oldest, s.newest, s.kept = nil, nil, 0
	j.changed.Broadcast()
}
