package plan

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

// MaxAttempts is the maximum number of entries of a script.
const MaxAttempts = 1000

// maxCachedSteps is the maximum number of different entries in the script of a cached
// template. Each takes about 1 KB.
const maxCachedSteps = 8

var _ = register(Parameter{
	Name: "attempts", In: InQuery, Route: "attempts", Counts: true,
	Usage: fmt.Sprintf("1 to %d statuses and faults, with `@` and a fixed delay", MaxAttempts),
	Meaning: "A script: the answer to each [attempt](/doc#attempts) of a [run](/doc#runs), by method and path. " +
		"The last entry repeats. `@2s` replaces the delay of the endpoint. " + needsRun,
	Details: " The other parameters apply to each attempt that has a response. At a scenario's route, requests " +
		"without a run count together.",
	Example:  "503,503@2s,reset,200",
	Schema:   `{ type: string, pattern: '^` + attemptPattern + `(,` + attemptPattern + `)*$' }`,
	excludes: []exclusion{{"status", eachAttempt}, {"fault", eachAttempt}, {"fail_first", eachAttempt}},
	parse:    parseAttempts,
	check:    checkTruncate,
})

const (
	eachAttempt = "each attempt has its own"
	needsRun    = "Without a run the answer is 400, except with `attempts_key` or at a scenario's route."
)

// attemptPattern matches an entry of a script.
var attemptPattern = `([2-5]\d\d|` + strings.Join(faults, "|") +
	`)(@(\d+(\.\d+)?|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+))?`

// AttemptSchema is the JSON Schema of an entry of a script, as YAML.
var AttemptSchema = `{ type: string, pattern: '^` + attemptPattern + `$' }`

// script is a list of answers to the attempts of a request.
type script struct {
	parameter string // attempts or fail_first
	entries   []entry
}

// entry is the answer to the attempts up to number last that the entry before it does not
// answer. The last entry of a script answers all later attempts too.
type entry struct {
	last int
	*step
}

// step is what differs between the attempts of a script. Entries of the same text share
// one.
type step struct {
	status statuses
	fault  answer.Fault
	delay  *delay.Delay // nil for the endpoint's
}

func parseAttempts(in *input, o *options) error {
	if in.scripted {
		return nil // by Prepare
	}
	words := strings.Split(in.get("attempts"), ",")
	if len(words) > MaxAttempts {
		return TooManyAttempts(len(words))
	}
	s, steps := &script{parameter: "attempts"}, map[string]*step{}
	for i, word := range words {
		if steps[word] == nil {
			parsed, err := in.parseStep(word)
			if err != nil {
				return err
			}
			steps[word] = parsed
		}
		if i > 0 && steps[word] == steps[words[i-1]] {
			s.entries[len(s.entries)-1].last++
			continue
		}
		s.entries = append(s.entries, entry{i + 1, steps[word]})
	}
	o.script = s
	return nil
}

// TooManyAttempts returns the *problem.Problem for a script of n entries.
func TooManyAttempts(n int) error {
	return problem.InvalidParameter.New("attempts has %d entries: use 1 to %d", n, MaxAttempts)
}

// parseStep parses an entry such as 503, reset or 503@2s.
func (in *input) parseStep(text string) (*step, error) {
	answered, after, delayed := strings.Cut(text, "@")
	s := &step{status: ok}
	switch code, isStatus := parseStatus(answered); {
	case isStatus:
		s.status = statuses{[]weightedStatus{{code, 1}}}
	case slices.Contains(faults, answered):
		s.fault = answer.Fault(answered)
	default:
		reason := "unknown word"
		if word := spelling.Suggest(answered, faults); word != "" {
			reason = fmt.Sprintf("did you mean %q?", word)
		}
		return nil, invalid("attempts", text, reason,
			"a status from 200 to 599, or "+strings.Join(faults, ", ")+"; then @ and a fixed delay if needed")
	}
	if !delayed {
		return s, nil
	}
	if s.fault == answer.Hang {
		return nil, invalid("attempts", text, "hang lasts for MAX_DELAY", "hang")
	}
	d, err := in.parseDelay("attempts", after)
	if err != nil {
		return nil, err
	}
	if !isFixed(d) {
		return nil, invalid("attempts", text, "random delay", "a fixed delay, such as 503@2s")
	}
	s.delay = &d
	return s, nil
}

// forbidScript returns an error if the query, which belongs to a target, has a parameter
// of scripts: its author may expect the script in place of the target's answer.
func (a args) forbidScript() error {
	for pair := range strings.SplitSeq(a.query, "&") {
		escaped, _, _ := strings.Cut(pair, "=")
		name, _ := url.QueryUnescape(escaped)
		if name == "attempts" || name == "attempts_key" {
			return problem.ConflictingParameters.New("%s and %s conflict: the answer is the target's"+
				"; if the target has this parameter, percent-encode the whole URL", a.Paths()[0], name)
		}
	}
	return nil
}

// Attempt parses an entry of attempts, such as 503@2s, as the parameters of a route.
func (p *Planner) Attempt(text string) (url.Values, error) {
	in := input{Planner: p}
	if _, err := in.parseStep(text); err != nil {
		return nil, err
	}
	values := url.Values{}
	answered, after, delayed := strings.Cut(text, "@")
	if slices.Contains(faults, answered) {
		values.Set("fault", answered)
	} else {
		values.Set("status", answered)
	}
	if delayed {
		values.Set("delay", after)
	}
	return values, nil
}

// readScript makes the template of each entry of t's script. A parameter is an error if
// it has no effect on any of them.
func (p *Planner) readScript(t *Template, in *input) []*ParameterError {
	var idle idleParameters
	made := map[*step]*Template{}
	for _, e := range t.options.script.entries {
		if made[e.step] == nil {
			sub := t.withStep(e.step)
			idleHere, errs := p.complete(sub, in)
			if errs != nil {
				return errs
			}
			idle.add(idleHere)
			made[e.step] = sub
		}
		t.attempts = append(t.attempts, attempt{e.last, made[e.step]})
	}
	t.large = len(made) > maxCachedSteps
	return idle.errs
}

// withStep returns a copy of t, which is not ready, with what differs in a step.
func (t *Template) withStep(s *step) *Template {
	o := *t.options
	o.script, o.status, o.fault = nil, s.status, s.fault
	c := &Template{
		Ignored: t.Ignored, planner: t.planner, delay: t.delay, content: t.content, options: &o, trusted: t.trusted,
		seed: t.seed,
	}
	if s.delay != nil {
		c.delay, c.flashText = *s.delay, ""
	}
	return c
}

// idleParameters are the parameters without effect on any attempt of a script.
type idleParameters struct {
	errs []*ParameterError
	some bool // add was called
}

// add adds an attempt, on which the parameters of errs have no effect.
func (i *idleParameters) add(errs []*ParameterError) {
	if !i.some {
		i.errs, i.some = errs, true
		return
	}
	i.errs = slices.DeleteFunc(i.errs, func(a *ParameterError) bool {
		return !slices.ContainsFunc(errs, func(b *ParameterError) bool { return a.Name == b.Name })
	})
}

// attempt is the template of the attempts up to number last.
type attempt struct {
	last     int
	template *Template
}

// attempt returns the template of the attempt with the number.
func (t *Template) attempt(number int) *Template {
	last := len(t.attempts) - 1
	return t.attempts[sort.Search(last, func(i int) bool { return number <= t.attempts[i].last })].template
}
