package journal

import (
	"strings"
	"time"
	"unicode/utf8"
	"unique"
)

// longest is the most bytes of a method or a path that are remembered.
const longest = 200

// record is a remembered wait. It is one allocation, and holds on to no other:
// a request's strings are parts of its whole request line.
type record struct {
	run          *tally
	older, newer *record // in the ring of all records
	next         *record // of its run

	method              unique.Handle[string]
	start, end          time.Time // end is zero until sent
	asked, queued, took time.Duration
	outcome             Outcome
	sent                bool
	pathLen             uint8
	path                [longest]byte
}

func newRecord(w *Wait) *record {
	r := &record{method: unique.Make(w.Method[:min(len(w.Method), longest)]), start: w.Start, asked: w.Asked}
	r.pathLen = uint8(clip(r.path[:], w.Path))
	return r
}

// clip copies text to b, or its beginning and "…" where it is longer, and
// returns how many bytes that took. It cuts no rune in two.
func clip(b []byte, text string) int {
	if len(text) <= len(b) {
		return copy(b, text)
	}
	cut := len(b) - len("…")
	for range utf8.UTFMax - 1 { // what is not UTF-8 may have no start of a rune at all
		if utf8.RuneStart(text[cut]) {
			break
		}
		cut--
	}
	return copy(b, text[:cut]) + copy(b[cut:], "…")
}

// tally is what is known of a run. It lives while one of its requests is
// remembered or has not ended.
type tally struct {
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

// tally returns the tally of the run of w, which it begins where there is none,
// and counts w in it.
func (j *Journal) tally(w *Wait) *tally {
	t := j.runs[w.Run]
	if t == nil {
		j.begun++
		t = &tally{id: strings.Clone(w.Run), place: j.begun, first: w.Start, last: w.Start}
		j.runs[t.id] = t
	}
	t.requests++
	if w.Start.Before(t.first) {
		t.first = w.Start
	}
	t.ends(w.Start)
	return t
}

// ends moves the end of the run to end, where that is later.
func (t *tally) ends(end time.Time) {
	if end.After(t.last) {
		t.last = end
	}
}

// remember adds r, the newest record, and drops the oldest where that is one too
// many.
func (j *Journal) remember(t *tally, r *record) {
	r.run = t
	r.older, r.newer = j.all.older, &j.all
	r.older.newer, j.all.older = r, r
	j.kept++
	if t.newest == nil {
		t.oldest = r
	} else {
		t.newest.next = r
	}
	t.newest = r
	t.kept++
	if j.kept > j.size {
		j.dropOldest()
	}
	j.changed.Broadcast()
}

func (j *Journal) dropOldest() {
	r := j.all.newer
	t := r.run
	j.unlink(r)
	t.oldest = r.next // the oldest of all is the oldest of its run
	if t.oldest == nil {
		t.newest = nil
	}
	r.next = nil // or one that is still in flight would hold on to all that came after
	t.kept--
	t.dropped++
	j.dropped++
	j.bury(t)
}

// unlink takes r out of the ring.
func (j *Journal) unlink(r *record) {
	r.older.newer, r.newer.older = r.newer, r.older
	r.older, r.newer = nil, nil
	j.kept--
}

// bury ends a run of which nothing is left.
func (j *Journal) bury(t *tally) {
	if t.kept == 0 && t.waiting == 0 && j.runs[t.id] == t {
		delete(j.runs, t.id)
	}
}

// send takes r, the record of w, out of flight.
func (r *record) send(w *Wait, now time.Time) {
	r.sent, r.end, r.queued, r.took = true, now, w.Queued, w.Waited
	r.run.inFlight--
	r.run.sum += now.Sub(r.start) - r.queued
	r.run.ends(now)
}

// complete gives r its outcome.
func (j *Journal) complete(r *record, outcome Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.outcome = outcome
	r.run.waiting--
	j.bury(r.run)
	j.changed.Broadcast()
}
