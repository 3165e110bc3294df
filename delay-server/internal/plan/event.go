package plan

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

// barrierTimeout is how long a request stands at a barrier that says nothing
// else: long for a machine, short for a person.
const barrierTimeout = 10 * time.Second

// Parameters that the endpoints of events have beside those of every endpoint
// that waits.
var (
	ofBarrier = []string{"delay", "parties", "timeout"}
	ofHold    = []string{"delay", "timeout"}
)

// barrier parses /barrier/{name...}: a wait until so many stand there as parties
// says, then that of delay, then an answer that names the barrier.
func (p *Planner) barrier(a args) (*Template, error) {
	return p.event(a, "barrier", func(o *options, status int) any {
		return struct {
			Status  int    `json:"status"`
			Barrier string `json:"barrier"`
			Parties int    `json:"parties"`
		}{status, o.barrier.Name, o.barrier.Parties}
	})
}

// hold parses /hold/{name...}: a wait until the hold is released, then that of
// delay, then an answer that names the hold.
func (p *Planner) hold(a args) (*Template, error) {
	return p.event(a, "hold", func(o *options, status int) any {
		return struct {
			Status int    `json:"status"`
			Hold   string `json:"hold"`
		}{status, o.hold.Name}
	})
}

// event parses the wait for an event, be it barrier or hold, whose name is in the
// path, then that of delay, then the JSON of body. A slash behind the name is not
// part of it.
func (p *Planner) event(a args, event string, body func(o *options, status int) any) (*Template, error) {
	params, err := readParameters(a.query, a.known)
	if err != nil {
		return nil, err
	}
	if params.values == nil {
		params.values = url.Values{}
	}
	params.values.Set(event, unescaped(strings.TrimSuffix(a.param, "/"))) // as an operator gives it
	var after delay.Delay
	if params.has("delay") {
		if after, err = p.time(params, "delay", params.get("delay")); err != nil {
			return nil, err
		}
	}
	write := func(o *options, status int) []byte {
		text, _ := json.Marshal(body(o, status)) // of strings and numbers: never an error
		return text
	}
	t := &Template{planner: p, delay: after, content: content{
		body: func(t *Template, a *answer.Answer, _ rng, _ time.Duration) {
			a.ContentType, a.Body.Whole = answer.JSON, write(t.options, a.Status)
		},
		measure: func(o *options) extent { return extent{length: int64(len(write(o, http.StatusOK)))} },
	}}
	if err := p.parseOptions(t, params); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// readBarrier reads barrier, a name, and parties and timeout.
func (p *Planner) readBarrier(params parameters) (*gate.BarrierSpec, error) {
	name := params.get("barrier")
	if err := checkName("the barrier's name", name); err != nil {
		return nil, err
	}
	highest := int64(math.MaxInt32)
	if p.limits.MaxInFlight > 0 {
		highest = int64(p.limits.MaxInFlight) // more could never stand there
	}
	if !params.has("parties") {
		return nil, badRequest("a barrier needs parties; accepted: /barrier/%s?parties=N, with N from 1 to %d", name, highest)
	}
	parties, err := params.parseInt("parties", 1, highest)
	if err != nil {
		return nil, err
	}
	timeout, err := p.timeout(params, min(barrierTimeout, p.limits.MaxDelay))
	return &gate.BarrierSpec{Name: name, Parties: int(parties), Timeout: timeout}, err
}

// readHold reads hold, a name, and timeout.
func (p *Planner) readHold(params parameters) (*gate.HoldSpec, error) {
	if params.has("barrier") {
		return nil, badRequest("barrier and hold contradict each other: one event ends a wait; accepted: one of the two")
	}
	name := params.get("hold")
	if err := checkName("the hold's name", name); err != nil {
		return nil, err
	}
	timeout, err := p.timeout(params, p.limits.MaxDelay)
	return &gate.HoldSpec{Name: name, Timeout: timeout}, err
}

// CheckHold returns a *problem.Problem for what cannot be the name of a hold.
func CheckHold(name string) error { return checkName("the hold's name", name) }

// CheckRun returns a *problem.Problem for what cannot be the name of a run.
func CheckRun(name string) error { return checkName("the run's name", name) }

// timeout reads timeout, a fixed time.
func (p *Planner) timeout(params parameters, otherwise time.Duration) (time.Duration, error) {
	if !params.has("timeout") {
		return otherwise, nil
	}
	timeout, err := ReadTimeout(params.get("timeout"), p.limits.MaxDelay)
	if err != nil {
		return 0, &ParameterError{"timeout", 0, err}
	}
	return timeout, nil
}

// ReadTimeout reads the parameter timeout, a fixed time above 0 and up to longest.
// The error is a *problem.Problem.
func ReadTimeout(text string, longest time.Duration) (time.Duration, error) {
	d, err := delay.Parse(text)
	timeout, fixed := d.Fixed()
	if err != nil || !fixed || timeout <= 0 || timeout > longest {
		return 0, badRequest("timeout %s is not accepted; accepted: a fixed time above 0 and up to %v, such as 5s or 250ms", problem.Quote(text), longest)
	}
	return timeout, nil
}
