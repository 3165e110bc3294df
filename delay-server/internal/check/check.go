// Package check judges the runs of a journal: whether a client retried, backed off,
// hedged, gave up or stopped calling as it should.
//
// A run holds one or more sequences: the requests with the same method and path, in
// order of arrival. Its server knows when each request arrived and when its answer was
// sent. So a client that waits after an answer is never seen to wait for less, and a
// gap that is too short is an error of the client. It may be seen to wait longer, since
// machines are late; see the parameter within.
//
// No check holds for lack of evidence: with too few requests it fails and says so.
package check

import (
	"cmp"
	"slices"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/spelling"
)

// Check describes a check, or a parameter that modifies checks. It is a row of the only
// table of checks: parsing, OpenAPI and /doc are derived from it.
type Check struct {
	Name    string
	Usage   string // the values, in Markdown
	Meaning string // in Markdown
	Example string // a value
	Schema  string // the JSON Schema of a value, as YAML

	// Modifies names the checks that a modifier changes. It is nil for a check.
	Modifies []string

	// parse parses the value. It is nil for a modifier: the checks that it modifies
	// parse it.
	parse func(*input) (rule, error)
}

// timeSchema is the Schema of a time above 0.
const timeSchema = `{ $ref: "#/components/schemas/Timeout" }`

// table has all rows, in no order.
var table []Check

// register adds a row to the table. Each check's file calls it to initialize a variable.
func register(c Check) Check {
	table = append(table, c)
	return c
}

// Checks returns all checks, then all modifiers, each sorted by name.
func Checks() []Check {
	return slices.SortedFunc(slices.Values(table), func(a, b Check) int {
		return cmp.Or(cmp.Compare(min(len(a.Modifies), 1), min(len(b.Modifies), 1)), cmp.Compare(a.Name, b.Name))
	})
}

// Names returns the names of Checks, in their order.
func Names() []string {
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	return names
}

// Result is the result of one check.
type Result struct {
	Check     string // its name
	OK        bool
	Want, Got string
	Detail    string // what is wrong, and what to do; "" if OK
}

// Verdict is the result of all checks of a List.
type Verdict struct {
	OK      bool // all checks hold
	Results []Result

	// Run is the run to show: the first that fails a check, or else the first. Its Marks
	// are the places that are wrong.
	Run journal.Run
}

// List is a list of checks. Use Parse.
type List struct {
	rules []rule
	path  string // "" for all paths
}

// rule is a check of a List.
type rule struct {
	name, want string
	judge      judge

	// attempts and peak say for which numbers the check can hold: of requests in a
	// sequence, and of requests in flight. Two checks conflict if no number suits both.
	attempts, peak span
}

// Judge judges settled runs. There is at least one.
func (l List) Judge(runs ...journal.Run) Verdict {
	subjects := make([]*subject, len(runs))
	for i, run := range runs {
		subjects[i] = newSubject(run, l.path)
	}
	verdict := Verdict{OK: true}
	shown := subjects[0]
	for _, rule := range l.rules {
		f := incomplete(subjects)
		if f.state == holds {
			f = rule.judge(subjects)
		}
		ok := f.state == holds
		if !ok && verdict.OK && f.subject != nil {
			shown = f.subject
		}
		verdict.OK = verdict.OK && ok
		verdict.Results = append(verdict.Results,
			Result{Check: rule.name, OK: ok, Want: rule.want, Got: f.got, Detail: f.detail})
	}
	verdict.Run = shown.run
	return verdict
}

// Undecided returns the verdict on a run that cannot be judged: no check holds. got and
// detail say why. The run may be empty.
func (l List) Undecided(run journal.Run, got, detail string) Verdict {
	verdict := Verdict{Run: run}
	for _, rule := range l.rules {
		verdict.Results = append(verdict.Results, Result{Check: rule.name, Want: rule.want, Got: got, Detail: detail})
	}
	return verdict
}

// incomplete fails for runs whose records are not complete.
func incomplete(subjects []*subject) finding {
	return eachRun(func(s *subject) finding {
		switch {
		case s.run.Dropped > 0:
			return fail(spelling.Count(int(s.run.Dropped), "dropped request"),
				"the journal dropped requests of this run; raise JOURNAL_SIZE, or delete runs that you have checked")
		case len(s.waits) == 0:
			return fail("no request", "no request of the run has this path; its paths are %s", s.paths())
		}
		return hold("")
	})(subjects)
}
