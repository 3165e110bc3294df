package journal

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Summary is what a run comes to: also of the waits that are no longer
// remembered.
type Summary struct {
	ID           string
	Requests     int           // all that came, refused ones too
	Waiting      int           // those that have not ended
	Wall         time.Duration // from the first start to the last end, or to now while any is in flight
	Sum          time.Duration // of the times in flight of all that have been answered, or have ended otherwise, but for those in a queue
	PeakInFlight int           // the most that were in flight at one time
	Dropped      int64         // those no longer remembered, which New's size pushed out
}

// Settled reports whether all requests of the run have ended.
func (s Summary) Settled() bool { return s.Waiting == 0 }

// Speedup returns how many times as fast as one after the other the requests
// were: Sum over Wall. It is not ok where Wall is 0.
func (s Summary) Speedup() (times float64, ok bool) {
	if s.Wall <= 0 {
		return 0, false
	}
	return float64(s.Sum) / float64(s.Wall), true
}

// Run is a run as it was when it was asked for.
type Run struct {
	Summary
	Waits []Entry // those remembered, in order of arrival
}

// Entry is a remembered wait. Its Start and End count from the first start of
// its run.
type Entry struct {
	Method, Path          string // of more than 200 bytes, the beginning; of a path, with …
	Asked, Queued, Waited time.Duration
	Start, End            time.Duration // End is that of the answer, or when the run was asked for while in flight
	Outcome               Outcome       // "" until the request has ended
}

// Run returns the run of the name, and whether there is one.
func (j *Journal) Run(id string) (Run, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.runs[id]
	if s == nil {
		return Run{}, false
	}
	return s.run(j.now()), true
}

func (s *runStats) run(now time.Time) Run {
	run := Run{Summary: s.summary(now), Waits: make([]Entry, 0, s.kept)}
	for r := s.oldest; r != nil; r = r.next {
		run.Waits = append(run.Waits, r.entry(now))
	}
	slices.SortStableFunc(run.Waits, func(a, b Entry) int { return cmp.Compare(a.Start, b.Start) })
	return run
}

func (r *record) entry(now time.Time) Entry {
	end := now
	if r.sent() {
		end = r.start.Add(r.sentAfter)
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

// Runs returns all runs, the one that began last in front.
func (j *Journal) Runs() []Summary {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]*runStats, 0, len(j.runs))
	for _, s := range j.runs {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *runStats) int { return cmp.Compare(b.place, a.place) })
	runs := make([]Summary, len(all))
	now := j.now()
	for i, s := range all {
		runs[i] = s.summary(now)
	}
	return runs
}

// Dropped returns how many waits are no longer remembered because New's size
// pushed them out, ever.
func (j *Journal) Dropped() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Await returns the run as it is once ok reports true of its summary, which is
// all zero but for its ID where there is no such run. The error is
// context.Cause(ctx) when ctx is done first. ok is called at each change of any
// run, under the journal's lock, and calls no method of it.
func (j *Journal) Await(ctx context.Context, id string, ok func(Summary) bool) (Run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.changed.Wait(ctx, func() bool {
		if s := j.runs[id]; s != nil {
			return ok(s.summary(j.now()))
		}
		return ok(Summary{ID: id})
	})
	if s := j.runs[id]; s != nil {
		return s.run(j.now()), err
	}
	return Run{Summary: Summary{ID: id}}, err
}

// Forget ends the run of the name, and reports whether there was one. Its
// requests that have not ended go on, and count in no run of that name after.
func (j *Journal) Forget(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.runs[id]
	if s == nil {
		return false
	}
	j.forget(s)
	return true
}

// ForgetAll is Forget of every run.
func (j *Journal) ForgetAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
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
