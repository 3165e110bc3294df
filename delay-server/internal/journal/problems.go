package journal

import (
	"slices"
	"time"

	"flash.test/delay-server/kit/problem"
)

// Problem is a problem that requests were answered with. Equal ones in a row are one.
type Problem struct {
	At     time.Time // of the last of them, on the server's clock
	Status int
	Type   problem.Type
	Path   string // cut to 200 bytes with … at the end; "" if unknown
	Run    string // "" for none
	Count  int
}

// maxProblems is the number of problems that the journal keeps.
const maxProblems = 500

// problems are the last problems, in a ring.
type problems struct {
	kept  []Problem
	first int // index of the oldest
}

// add adds p, unless it is the last problem again.
func (ps *problems) add(p Problem) {
	if len(ps.kept) > 0 {
		last := &ps.kept[(ps.first+len(ps.kept)-1)%len(ps.kept)]
		if last.Type == p.Type && last.Path == p.Path && last.Run == p.Run && last.Status == p.Status {
			last.At = p.At
			last.Count++
			return
		}
	}
	p.Count = 1
	if len(ps.kept) < maxProblems {
		ps.kept = append(ps.kept, p)
		return
	}
	ps.kept[ps.first] = p
	ps.first = (ps.first + 1) % maxProblems
}

// last returns the last problems of a run, or of all if run is "", up to limit.
func (ps *problems) last(run string, limit int) []Problem {
	var last []Problem
	for i := len(ps.kept) - 1; i >= 0 && len(last) < limit; i-- {
		if p := ps.kept[(ps.first+i)%len(ps.kept)]; run == "" || p.Run == run {
			last = append(last, p)
		}
	}
	slices.Reverse(last)
	return last
}

// forget removes the problems of a run.
func (ps *problems) forget(run string) {
	var others problems
	for i := range ps.kept {
		if p := ps.kept[(ps.first+i)%len(ps.kept)]; p.Run != run {
			others.kept = append(others.kept, p)
		}
	}
	*ps = others
}

// noteProblem adds the response of r, the record of w that has ended, if it is a problem.
func (j *Journal) noteProblem(r *record, w *Wait) {
	if w.Problem == "" {
		return
	}
	at := r.end()
	if w.Clock != nil {
		at = j.now()
	}
	path, _ := nextText(r.texts)
	j.problems.add(Problem{At: at, Status: w.Status, Type: w.Problem, Path: path, Run: r.run.id})
}

// noteOther does so for a wait of no run, while there are viewers.
func (j *Journal) noteOther(w *Wait) {
	if w.Problem == "" || !j.Watched() {
		return
	}
	path := w.Path
	if len(path) > maxText {
		path = Clip(path)
	}
	at := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.problems.add(Problem{At: at, Status: w.Status, Type: w.Problem, Path: path})
}
