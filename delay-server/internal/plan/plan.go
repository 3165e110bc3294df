// Package plan turns one request into what is to be done about it: a wait,
// then an answer. It is the only reader of path and query parameters.
package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
	"flash.test/delay-server/spelling"
)

// Plan is what is to be done about one request.
type Plan struct {
	Run     string        // the run that the request belongs to, or ""
	Wait    time.Duration // from the arrival of the request to the answer
	Answer  answer.Answer
	Ignored []string // query parameters that are nobody's business, sorted
}

// Request is what a plan is made of: the request and its path's parameters.
type Request struct {
	*http.Request
	Param func(name string) string // unescaped; "" for one that the path has not
}

// Planner makes plans within limits.
type Planner struct {
	MaxDelay      time.Duration // a longer fixed delay is a DelayError
	RedirectHosts HostList      // where Redirect may lead
}

// DelayError is an error in the delay itself, the one error that Flash has too.
type DelayError struct{ Err error }

// Error says what was read and what is accepted.
func (e *DelayError) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *DelayError) Unwrap() error { return e.Err }

// Delay plans /delay/{delay}: the wait, then Flash's answer. The error is a
// *DelayError or a *problem.Problem.
func (p *Planner) Delay(r Request) (Plan, error) {
	wait, err := p.wait(r)
	if err != nil {
		return Plan{}, err
	}
	query, err := readQuery(r.URL)
	if err != nil {
		return Plan{}, err
	}
	run, err := run(r.Header, query.values.Get("run"))
	if err != nil {
		return Plan{}, err
	}
	return Plan{Run: run, Wait: wait, Answer: answer.Flash(wait), Ignored: query.ignored}, nil
}

// Redirect plans /delay/{delay}/url/{url}: the wait, then a redirect to the
// URL. The query is the target's, so no parameter is read from it. The error
// is a *DelayError or a *problem.Problem.
func (p *Planner) Redirect(r Request) (Plan, error) {
	wait, err := p.wait(r)
	if err != nil {
		return Plan{}, err
	}
	target, err := p.RedirectHosts.target(r.URL)
	if err != nil {
		return Plan{}, err
	}
	run, err := run(r.Header, "")
	if err != nil {
		return Plan{}, err
	}
	return Plan{Run: run, Wait: wait, Answer: answer.Redirect(target)}, nil
}

// wait reads and samples the path's delay.
func (p *Planner) wait(r Request) (time.Duration, error) {
	text := r.Param("delay")
	d, err := delay.Parse(text)
	if err != nil {
		return 0, &DelayError{err}
	}
	if fixed, ok := d.Fixed(); ok && fixed > p.MaxDelay {
		return 0, &DelayError{fmt.Errorf("delay %s is longer than this server waits: accepted: up to %v (%s ms), its MAX_DELAY",
			problem.Quote(text), p.MaxDelay, delay.Milliseconds(p.MaxDelay))}
	}
	return p.sample(d), nil
}

// sample draws from d again, up to ten times in all, while it is above
// MaxDelay, and then cuts it.
func (p *Planner) sample(d delay.Delay) time.Duration {
	for range 10 {
		if wait := d.Sample(chance); wait <= p.MaxDelay {
			return wait
		}
	}
	return p.MaxDelay
}

// chance is the runtime's own generator, which any goroutine may draw from.
var chance = rand.New(runtimeSource{})

type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// parameters are the query parameters of every endpoint that waits.
var parameters = []string{"run"}

type query struct {
	values  url.Values
	ignored []string
}

// readQuery splits a query into known parameters and those to ignore. One that
// is repeated, or one slip away from a known one, is a problem.
func readQuery(u *url.URL) (query, error) {
	if u.RawQuery == "" {
		return query{}, nil
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return query{}, problem.New(http.StatusBadRequest, "query %s is malformed (%v); accepted: name=value, joined by &", problem.Quote(u.RawQuery), err)
	}
	q := query{values: values}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch s := spelling.Suggest(name, parameters); {
		case s != "":
			return query{}, problem.New(http.StatusBadRequest, "no such parameter: %s: did you mean %s?", problem.Quote(name), s)
		case !slices.Contains(parameters, name):
			q.ignored = append(q.ignored, name)
		case len(values[name]) > 1:
			return query{}, problem.New(http.StatusBadRequest, "parameter %s is given %d times; accepted: once", name, len(values[name]))
		}
	}
	return q, nil
}

// longestRun is the most bytes that a run's name may have.
const longestRun = 200

// run returns the run that a request belongs to: X-Run-Id, else the parameter
// run, else the trace id of traceparent, else "".
func run(h http.Header, param string) (string, error) {
	for _, id := range []struct{ from, name string }{{"header X-Run-Id", h.Get("X-Run-Id")}, {"parameter run", param}} {
		if id.name == "" {
			continue
		}
		if len(id.name) > longestRun || strings.ContainsFunc(id.name, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return "", problem.New(http.StatusBadRequest, "%s: %s is no name of a run; accepted: 1 to %d visible ASCII characters",
				id.from, problem.Quote(id.name), longestRun)
		}
		return id.name, nil
	}
	return traceID(h.Get("traceparent")), nil
}

// traceID returns the trace id of a W3C traceparent header, "" for one that is
// malformed: the header is written by tracing libraries, not by the client's
// author, and the recommendation has a receiver start afresh then.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}
