package board

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/spelling"
)

const (
	// A run with more requests is read only once it is quiet: to copy it costs time under
	// the journal's lock.
	maxLive = 200

	// A run with more recorded requests is not judged, and only so many of its requests are
	// read.
	maxJudged = 2000

	maxReads         = 64          // runs read in an update, about
	maxReadsOfPerson = 4           // runs of a name read in an update
	moving           = time.Second // how often the bars of waiting requests are read
)

// The bounds of a verdict in words.
const (
	maxDetails = 5
	maxDetail  = 400 // bytes
)

// try is a run of an attendee.
type try struct {
	exercise string // "" for none
	begun    int    // see journal.Change
	summary  journal.Summary
	headline string
	bars     []bar
	version  int // counts changes of what is shown
	quiet    time.Duration

	changed time.Time // when the board learned that the run has changed
	readAt  time.Time // when its requests were read
	open    bool      // it is yet to be read or judged
	stale   bool      // it has changed since it was read
	judged  bool      // passed and details are known
	final   bool      // and the run was quiet
	passed  bool
	details []string

	unjudged string // why it is not judged; "" if it is, or is yet to be
}

// due reports whether the run is settled and has been quiet for long enough to be judged.
func (t *try) due(now time.Time) bool { return t.summary.Settled() && now.Sub(t.changed) >= t.quiet }

// toRead reports whether the requests of the run must be read. If dropping is true, the
// journal may drop them soon.
func (t *try) toRead(now time.Time, dropping bool) bool {
	switch {
	case t.due(now):
		return true
	case t.summary.Requests > maxLive:
		return dropping && t.stale && t.summary.Settled()
	default:
		return t.stale || !t.summary.Settled() && now.Sub(t.readAt) >= moving
	}
}

// read reads runs that have changed, and judges the quiet ones. It reads the newest runs of
// each person in turn. If dropping is true, it reads all.
func (b *Board) read(now time.Time, dropping bool) {
	reads := 0
	for i := range b.people.inOrder {
		at := (b.turn + i) % len(b.people.inOrder)
		p, ofPerson := b.people.inOrder[at], 0
		for _, t := range p.tries {
			if !t.open || !t.toRead(now, dropping) {
				continue
			}
			if ofPerson++; ofPerson > maxReadsOfPerson && !dropping {
				break
			}
			reads++
			t.open = b.readTry(p, t, now, dropping)
		}
		if reads >= maxReads && !dropping {
			b.turn = at + 1 // the next update goes on
			return
		}
	}
}

// readTry reads a run of p. It returns false if there is nothing more to read.
func (b *Board) readTry(p *person, t *try, now time.Time, dropping bool) (open bool) {
	run, known := b.options.Journal.Head(t.summary.ID, maxJudged)
	if !known { // the journal dropped it
		b.touch(t)
		if t.final = t.judged; !t.final {
			t.unjudged = "the journal dropped its requests; raise JOURNAL_SIZE"
		} else if t.exercise != "" {
			p.conclude(t)
		}
		return false
	}
	b.touch(t)
	p.addAddresses(run)
	t.readAt, t.stale = now, false
	p.requests += run.Requests - t.summary.Requests
	t.summary = run.Summary
	t.quiet = quiet(run, b.scaleOf(run.ID))
	t.headline = headline(run)
	t.bars = bars(run)
	if !t.summary.Settled() || !t.due(now) && !dropping {
		return true
	}
	if run.More > 0 {
		t.unjudged = fmt.Sprintf("more than %d requests; use another run ID for each try", maxJudged)
		return false
	}
	if e := b.set.Find(t.exercise); e != nil {
		t.passed, t.details = words(e.Checks.Judge(run))
	}
	t.judged = true
	if !t.due(now) {
		return true
	}
	if t.final = true; t.exercise != "" {
		p.conclude(t)
	}
	return false
}

// words returns whether the checks hold, and what is wrong.
func words(v check.Verdict) (passed bool, details []string) {
	for _, r := range v.Results {
		detail := r.Detail
		if len(detail) > maxDetail {
			detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
		}
		if !r.OK && len(details) < maxDetails && !slices.Contains(details, detail) {
			details = append(details, detail)
		}
	}
	return v.OK, details
}

// headline says in a line what kind of run it is.
func headline(run journal.Run) string {
	return cmp.Or(run.Headline(), count(run.Summary))
}

// count counts the requests of a run.
func count(s journal.Summary) string {
	text := spelling.Count(s.Requests, "request")
	if s.Waiting > 0 {
		text += fmt.Sprintf(", %d in flight", s.Waiting)
	}
	return text
}

// The shortest and the longest time after which a settled run is judged. A client that
// pauses between two attempts looks settled meanwhile. They are wall time.
const (
	minQuiet = time.Second
	maxQuiet = 30 * time.Second
)

// quiet returns how long after its last change a settled run is judged: until a further
// request would be later than the run so far suggests. After a failure the client may
// retry, and may have doubled its pause. A second of the run's clock takes scale seconds.
func quiet(run journal.Run, scale float64) time.Duration {
	if len(run.Waits) == 0 {
		return minQuiet
	}
	longest := time.Duration(0)
	for _, w := range run.Waits {
		longest = max(longest, w.Gap)
	}
	longest = time.Duration(min(scale*float64(longest), float64(maxQuiet)))
	pause := longest + minQuiet
	last := run.Waits[len(run.Waits)-1]
	if last.Outcome != journal.Answered || last.Status >= 400 {
		pause = max(2*longest+2*minQuiet, last.RetryAfter+minQuiet)
	}
	return min(pause, maxQuiet)
}

// scaleOf returns how many seconds a second of the run's clock takes.
func (b *Board) scaleOf(run string) float64 {
	scale, _ := cmp.Or(b.options.Journal.Clocks.Of(run), b.options.Clock).Setting()
	return scale
}
