package check

import (
	"fmt"

	"flash.test/delay-server/kit/spelling"
)

// state says what a judge found.
type state uint8

const (
	holds  state = iota
	silent       // there is too little to judge
	fails
)

// finding is what a judge found in runs, in a run or in a sequence.
type finding struct {
	state  state
	got    string
	detail string // "" if it holds

	subject *subject // to show; set by eachRun
}

func hold(got string, args ...any) finding {
	return finding{state: holds, got: fmt.Sprintf(got, args...)}
}

func fail(got, detail string, args ...any) finding {
	return finding{state: fails, got: got, detail: fmt.Sprintf(detail, args...)}
}

// tooFew is the finding if there is too little to judge.
func tooFew(got, detail string, args ...any) finding {
	return finding{state: silent, got: got, detail: fmt.Sprintf(detail, args...)}
}

// judge judges runs. Its finding says nothing about the client if it is silent.
type judge func([]*subject) finding

// first returns the first finding of the states, in their order.
func first(findings []finding, states ...state) finding {
	for _, state := range states {
		for _, f := range findings {
			if f.state == state {
				return f
			}
		}
	}
	return findings[0]
}

// combine combines findings of a run. It holds if one holds and none fails: a sequence
// that says nothing does not fail a run with one that does.
func combine(findings []finding) finding { return first(findings, fails, holds, silent) }

// eachRun judges each run. It holds if it holds for each.
func eachRun(judge func(*subject) finding) judge {
	return func(subjects []*subject) finding {
		findings := make([]finding, len(subjects))
		for i, s := range subjects {
			f := judge(s)
			f.subject = s
			if f.detail != "" && len(subjects) > 1 {
				f.detail = fmt.Sprintf("run %s: %s", s.run.ID, f.detail)
			}
			findings[i] = f
		}
		f := first(findings, fails, silent, holds)
		if f.state == holds && len(subjects) > 1 {
			f.got += " in the first of " + spelling.Count(len(subjects), "run")
		}
		return f
	}
}

// eachSequence judges each sequence of each run.
func eachSequence(judge func(sequence) finding) judge {
	return eachRun(func(s *subject) finding {
		findings := make([]finding, len(s.sequences))
		for i, q := range s.sequences {
			f := judge(q)
			if f.detail != "" && len(s.sequences) > 1 {
				f.detail = q.name + ": " + f.detail
			}
			findings[i] = f
		}
		return combine(findings)
	})
}
