package journal

import (
	"strings"
	"time"
	"unicode/utf8"
	"unique"
)

// maxText is how many bytes of a method or a path are kept.
const maxText = 200

// record is a remembered wait: 128 bytes, and its path. It does not hold on to
// its request's line, of which net/http's strings are parts.
type record struct {
	run          *runStats
	older, newer *record // in the ring of all records
	next         *record // of its run

	method                unique.Handle[string]
	path                  string // an own copy
	start                 time.Time
	sentAfter             time.Duration // from start; negative until the answer is sent
	asked, queued, waited time.Duration
	outcome               Outcome
}

func newRecord(w *Wait) *record {
	return &record{
		method: unique.Make(w.Method[:min(len(w.Method), maxText)]), path: clip(w.Path),
		start: w.Start, sentAfter: -1, asked: w.Asked,
	}
}

// sent reports whether the answer has been sent.
func (r *record) sent() bool { return r.sentAfter >= 0 }

// clip returns a copy of text, or of its beginning and "…" where it has more
// than maxText bytes. It cuts no rune in two.
func clip(text string) string {
	if len(text) <= maxText {
		return strings.Clone(text)
	}
	cut := maxText - len("…")
	for range utf8.UTFMax - 1 { // text that is not UTF-8 may have no start of a rune at all
		if utf8.RuneStart(text[cut]) {
			break
		}
		cut--
	}
	return text[:cut] + "…"
}

// runStats is what is known of a run. It lives while one of its requests is
// remembered or has not ended.
type runStats struct {
	id             string
	place          int // among the runs, by when they began
	requests       int
	waiting        int // those not ended
	inFlight, peak int // those not sent
	first, last    time.Time
	sum            time.Duration
	dropped        int64
	oldest, newest *record
	kept           int
}

// count counts w in its run, which it begins if there is none.
func (j *Journal) count(w *Wait) *runStats {
	s := j.runs[w.Run]
	if s == nil {
		j.begun++
		s = &runStats{id: strings.Clone(w.Run), place: j.begun, first: w.Start, last: w.Start}
		j.runs[s.id] = s
	}
	s.requests++
	if w.Start.Before(s.first) {
		s.first = w.Start
	}
	s.ends(w.Start)
	return s
}

// ends moves the end of the run to end, where that is later.
func (s *runStats) ends(end time.Time) {
	if end.After(s.last) {
		s.last = end
	}
}

// append adds r, the newest record, and drops the oldest if that is one too many.
func (j *Journal) append(s *runStats, r *record) {
	r.run = s
	r.older, r.newer = j.all.older, &j.all
	r.older.newer, j.all.older = r, r
	j.kept++
	if s.newest == nil {
		s.oldest = r
	} else {
		s.newest.next = r
	}
	s.newest = r
	s.kept++
	if j.kept > j.size {
		j.dropOldest()
	}
	j.changed.Broadcast()
}

func (j *Journal) dropOldest() {
	r := j.all.newer
	s := r.run
	j.unlink(r)
	s.oldest = r.next // the oldest of all is the oldest of its run
	if s.oldest == nil {
		s.newest = nil
	}
	r.next = nil // or one that is still in flight would hold on to all that came after
	s.kept--
	s.dropped++
	j.dropped++
	j.removeIfEmpty(s)
}

// unlink takes r out of the ring.
func (j *Journal) unlink(r *record) {
	r.older.newer, r.newer.older = r.newer, r.older
	r.older, r.newer = nil, nil
	j.kept--
}

// removeIfEmpty removes a run of which nothing is left.
func (j *Journal) removeIfEmpty(s *runStats) {
	if s.kept == 0 && s.waiting == 0 && j.runs[s.id] == s {
		delete(j.runs, s.id)
	}
}

// send takes r, the record of w, out of flight.
func (r *record) send(w *Wait, now time.Time) {
	r.sentAfter, r.queued, r.waited = max(0, now.Sub(r.start)), w.Queued, w.Waited
	r.run.inFlight--
	r.run.sum += r.sentAfter - r.queued
	r.run.ends(now)
}

// complete gives r its outcome.
func (j *Journal) complete(r *record, outcome Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.outcome = outcome
	r.run.waiting--
	j.removeIfEmpty(r.run)
	j.changed.Broadcast()
}
