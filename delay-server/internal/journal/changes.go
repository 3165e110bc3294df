package journal

import (
	"net/netip"
	"slices"
)

// Change is a run that has changed.
type Change struct {
	Summary
	Begun  int        // sequence number of the run, by its first request
	Client netip.Addr // of the newest recorded request; the zero Addr if unknown
}

// Changes returns the runs in which a request arrived or ended after a version, in the
// order of their last changes, and the newest version. Version 0 is before all changes. It
// takes time for the returned runs only.
func (j *Journal) Changes(after uint64) (changes []Change, version uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for s := j.changes.earlier; s != &j.changes && s.version > after; s = s.earlier {
		change := Change{Begun: s.seq}
		if s.inFlight > 0 {
			change.Summary = s.summary(j.nowIn(s.id))
		} else {
			change.Summary = s.summary(s.last)
		}
		if s.newest != nil {
			change.Client = s.newest.client.addr
		}
		changes = append(changes, change)
	}
	slices.Reverse(changes)
	return changes, j.version
}

// touch makes s the run that changed last, unless it was removed.
func (j *Journal) touch(s *runStats) {
	if s.removed {
		return
	}
	j.version++
	s.version = j.version
	if j.changes.earlier == s {
		return
	}
	if s.later != nil {
		s.unlinkChange()
	}
	s.earlier, s.later = j.changes.earlier, &j.changes
	s.earlier.later, j.changes.earlier = s, s
}

// remove removes s from the journal's runs.
func (j *Journal) remove(s *runStats) {
	delete(j.runs, s.id)
	s.unlinkChange()
	s.removed = true
}

// unlinkChange removes s from the ring of changes.
func (s *runStats) unlinkChange() {
	s.earlier.later, s.later.earlier = s.later, s.earlier
	s.earlier, s.later = nil, nil
}
