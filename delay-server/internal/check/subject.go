package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

// subject is a run, prepared for the checks.
type subject struct {
	run       journal.Run
	waits     []wait     // with the path of the List, in order of arrival
	sequences []sequence // in order of their first requests
}

// wait is a request of a run.
type wait struct {
	journal.Entry
	index int // in Run.Waits
}

// sequence has the requests with the same method and path, in order of arrival.
type sequence struct {
	*subject
	name  string // such as "GET /a"
	waits []wait
}

func newSubject(run journal.Run, path string) *subject {
	s := &subject{run: run}
	s.run.Marks = maps.Clone(run.Marks)
	place := map[[2]string]int{}
	for i, e := range run.Waits {
		if path != "" && e.Path != path {
			continue
		}
		w := wait{e, i}
		s.waits = append(s.waits, w)
		key := [2]string{e.Method, e.Path}
		at, known := place[key]
		if !known {
			at = len(s.sequences)
			place[key] = at
			s.sequences = append(s.sequences, sequence{subject: s, name: e.Method + " " + problem.Quote(e.Path)})
		}
		s.sequences[at].waits = append(s.sequences[at].waits, w)
	}
	return s
}

// mark adds a remark to a request, unless it has it.
func (s *subject) mark(w wait, format string, args ...any) {
	remark := fmt.Sprintf(format, args...)
	if s.run.Marks == nil {
		s.run.Marks = map[int]string{}
	}
	const separator = "; "
	before := s.run.Marks[w.index]
	switch {
	case before == "":
		s.run.Marks[w.index] = remark
	case !slices.Contains(strings.Split(before, separator), remark):
		s.run.Marks[w.index] = before + separator + remark
	}
}

// paths returns the first paths of the run, quoted.
func (s *subject) paths() string {
	var paths []string
	for _, e := range s.run.Waits {
		if path := problem.Quote(e.Path); !slices.Contains(paths, path) && len(paths) <= maxListed {
			paths = append(paths, path)
		}
	}
	return listed(paths, ", ")
}

// answered reports whether the client got a whole answer.
func (w wait) answered() bool {
	switch w.Outcome {
	case journal.ClientClosed, journal.Shutdown, journal.Faulted:
		return false
	}
	return true
}

// word returns what the client got: a status, or the word of a fault or an outcome.
func (w wait) word() string {
	switch {
	case w.Outcome == journal.Faulted && w.Fault != "":
		return w.Fault
	case w.answered() && w.Status > 0:
		return strconv.Itoa(w.Status)
	}
	return string(w.Outcome)
}

// maxListed is the maximum number of items in the text of a result.
const maxListed = 20

// listed joins items, up to maxListed of them.
func listed(items []string, separator string) string {
	if more := len(items) - maxListed; more > 0 {
		return strings.Join(items[:maxListed], separator) + separator + fmt.Sprintf("… (%d more)", more)
	}
	return strings.Join(items, separator)
}

// ms writes d in milliseconds. It rounds down to microseconds: a gap below a bound must
// not look like the bound.
func ms(d time.Duration) string { return delay.Milliseconds(d.Truncate(time.Microsecond)) + " ms" }
