package check

import "fmt"

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

// combine returns the first failure, or else the first finding that holds, or else the
// first. So a sequence that says nothing does not fail a run with one that does.
func combine(findings []finding) finding {
	for _, state := range []state{fails, holds} {
		for _, f := range findings {
			if f.state == state {
				return f
			}
		}
	}
	return findings[0]
}

// eachRun judges each run.
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
		f := combine(findings)
		if f.state == holds && len(subjects) > 1 {
			f.got += " in the first of " + count(len(subjects), "run")
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
