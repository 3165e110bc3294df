package board

import (
	"net/netip"
	"slices"
	"time"

	"flash.test/delay-server/internal/exercise"
	"flash.test/delay-server/internal/journal"
)

const (
	maxTries = 20 // runs of a name
	maxMarks = 20 // runs of a name that have passed an exercise, and that have not
)

// person is an attendee.
type person struct {
	name      string
	home      netip.Addr // of the first request
	addresses map[netip.Addr]bool
	seen      time.Time // the last change of a run
	requests  int       // also of runs that are no longer kept, as long as they were
	tries     []*try    // the newest first
	cut       int       // begun of the newest run that is no longer kept
	marks     map[string]*mark
}

// mark says which runs have passed an exercise, and which have not. The newest come last.
type mark struct{ passed, failed []string }

// note notes that a run has changed, and returns its try. It ignores a run that is no
// longer kept, or is older, and returns nil: how far it has been counted is not known.
func (p *person) note(c journal.Change, of string, now time.Time) *try {
	var noted *try
	i := slices.IndexFunc(p.tries, func(t *try) bool { return t.summary.ID == c.ID })
	if i >= 0 {
		noted = p.tries[i]
	}
	switch {
	case c.Begun <= p.cut:
		return nil
	case noted == nil:
		noted = &try{quiet: minQuiet}
	case noted.begun != c.Begun: // the journal dropped the run, and it began anew
		p.tries = slices.Delete(p.tries, i, i+1)
		noted.summary.Requests = 0
	}
	p.requests += c.Requests - noted.summary.Requests
	noted.exercise, noted.summary, noted.begun = of, c.Summary, c.Begun
	noted.changed, noted.open, noted.stale = now, true, true
	noted.judged, noted.final, noted.unjudged = false, false, ""
	p.unmark(c.ID)
	if !slices.Contains(p.tries, noted) {
		at, _ := slices.BinarySearchFunc(p.tries, noted, func(a, b *try) int { return b.begun - a.begun })
		p.tries = slices.Insert(p.tries, at, noted)
	}
	if len(p.tries) > maxTries {
		p.cut = p.tries[maxTries].begun
		p.tries = p.tries[:maxTries]
	}
	return noted
}

// conclude notes the verdict on a run of an exercise.
func (p *person) conclude(t *try) {
	p.unmark(t.summary.ID)
	m := p.marks[t.exercise]
	if m == nil {
		m = new(mark)
		p.marks[t.exercise] = m
	}
	list := &m.failed
	if t.passed {
		list = &m.passed
	}
	*list = append(*list, t.summary.ID)
	if len(*list) > maxMarks {
		*list = slices.Delete(*list, 0, 1)
	}
}

// unmark removes what a run has passed or failed, and reports whether there was such.
func (p *person) unmark(run string) (known bool) {
	for id, m := range p.marks {
		for _, list := range []*[]string{&m.passed, &m.failed} {
			before := len(*list)
			*list = slices.DeleteFunc(*list, func(other string) bool { return other == run })
			known = known || len(*list) < before
		}
		if len(m.passed)+len(m.failed) == 0 {
			delete(p.marks, id)
		}
	}
	return known
}

func (p *person) hasPassed() bool {
	for _, m := range p.marks {
		if len(m.passed) > 0 {
			return true
		}
	}
	return false
}

// goesBefore reports whether p gives its place to a new name rather than other does.
func (p *person) goesBefore(other *person) bool {
	if passed := p.hasPassed(); passed != other.hasPassed() {
		return !passed
	}
	return p.seen.Before(other.seen)
}

// forget removes a run, and reports whether it was known.
func (p *person) forget(run string) (known bool) {
	known = p.unmark(run)
	i := slices.IndexFunc(p.tries, func(t *try) bool { return t.summary.ID == run })
	if i < 0 {
		return known
	}
	p.requests -= p.tries[i].summary.Requests
	p.tries = slices.Delete(p.tries, i, i+1)
	return true
}

// keep removes what is not in the new exercises.
func (p *person) keep(set *exercise.Set) {
	p.tries = slices.DeleteFunc(p.tries, func(t *try) bool {
		name, of, _ := set.Parse(t.summary.ID)
		if name == p.name && of == t.exercise {
			return false
		}
		p.requests -= t.summary.Requests
		return true
	})
	for id := range p.marks {
		if set.Find(id) == nil {
			delete(p.marks, id)
		}
	}
}

// addAddresses adds the addresses of the clients of a run.
func (p *person) addAddresses(run journal.Run) {
	last := ""
	for _, w := range run.Waits {
		if w.Client == last {
			continue
		}
		last = w.Client
		if addr, err := netip.ParseAddr(w.Client); err == nil && len(p.addresses) < maxAddresses {
			p.addresses[addr] = true
		}
	}
}
