package plan

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/problem"
)

// barrierTimeout is the default timeout of a barrier: long enough for a slow machine,
// and short enough for a person who waits.
const barrierTimeout = 10 * time.Second

var _ = registerEndpoint(Endpoint{
	Pattern: "/barrier/{name...}", Group: "events",
	Summary: "Wait until enough requests are at the barrier, then answer all of them",
	Meaning: "Answers when `parties` requests [have arrived](/doc#events).",
	Example: "/barrier/checkout?parties=1",
	Parameters: []Parameter{pathName("checkout"), afterEvent, {
		Name: "parties", In: InQuery, Route: "barrier.parties", Same: true, Required: true,
		Usage:   "1 to MAX_IN_FLIGHT",
		Meaning: "The number of requests that pass the barrier together. It must be the same for all of them.",
		Example: "3", Schema: `{ type: integer, minimum: 1, maximum: 2147483647 }`,
	}, {
		Name: "timeout", In: InQuery, Route: "barrier.timeout",
		Usage:   "up to MAX_DELAY",
		Meaning: "The maximum wait at the barrier. The first request that exceeds it breaks the barrier for all.",
		Example: "5s", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Timeout" }], default: 10s }`,
	}},
	Responses: eventResponses,
	parse:     (*Planner).barrier,
})

var _ = registerEndpoint(Endpoint{
	Pattern: "/hold/{name...}", Group: "events",
	Summary: "Wait until the hold is released",
	Meaning: "Answers when the hold [is released](/doc#events).",
	Example: "/hold/checkout?timeout=1ms",
	Parameters: []Parameter{pathName("checkout"), afterEvent, {
		Name: "timeout", In: InQuery, Route: "hold.timeout",
		Usage:   "up to MAX_DELAY",
		Meaning: "The maximum wait in the hold; by default `MAX_DELAY`.",
		Example: "5s", Schema: `{ $ref: "#/components/schemas/Timeout" }`,
	}},
	Responses: eventResponses,
	parse:     (*Planner).hold,
})

const eventResponses = `
"200": { $ref: "#/components/responses/Event" }
"504": { $ref: "#/components/responses/EventTimeout" }
`

func pathName(example string) Parameter {
	return Parameter{
		Name: "name", In: InPath, Required: true,
		Usage: "1 to 200 visible ASCII characters", Meaning: "A name. " + nameOfRun,
		Example: example, Schema: `{ $ref: "#/components/schemas/Name" }`,
	}
}

var afterEvent = Parameter{
	Name: "delay", In: InQuery,
	Usage: "a [delay](/doc#delay)", Meaning: "The wait after the event.",
	Example: "250ms", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: "0" }`,
}

var _ = register(Parameter{
	Name: "barrier", Route: "barrier.name", Requires: "parties",
	Usage:   "a name of up to 200 visible ASCII characters",
	Meaning: "A barrier at which a request waits before its delay, as at `/barrier/{name}`. " + nameOfRun,
	Example: "checkout", Schema: `{ $ref: "#/components/schemas/Name" }`,
	parse: parseBarrier,
})

var _ = register(Parameter{
	Name: "hold", Route: "hold.name",
	Usage:   "a name of up to 200 visible ASCII characters",
	Meaning: "A hold in which a request waits before its delay, as at `/hold/{name}`. " + nameOfRun,
	Example: "checkout", Schema: `{ $ref: "#/components/schemas/Name" }`,
	excludes: []exclusion{{"barrier", "a request waits for one event"}},
	parse:    parseHold,
})

// barrier parses /barrier/{name...}: the wait at the barrier, then the parameter delay,
// then an answer with the barrier's name.
func (p *Planner) barrier(a args) (*Template, error) {
	return p.event(a, "barrier", func(o *options, status int) any {
		return struct {
			Status  int    `json:"status"`
			Barrier string `json:"barrier"`
			Parties int    `json:"parties"`
		}{status, o.barrier.Name, o.barrier.Parties}
	})
}

// hold parses /hold/{name...}: the wait in the hold, then the parameter delay, then an
// answer with the hold's name.
func (p *Planner) hold(a args) (*Template, error) {
	return p.event(a, "hold", func(o *options, status int) any {
		return struct {
			Status int    `json:"status"`
			Hold   string `json:"hold"`
		}{status, o.hold.Name}
	})
}

// event parses the endpoint of an event, "barrier" or "hold". The path has the name of
// the barrier or hold; a trailing slash is not part of it. The answer is body as JSON.
func (p *Planner) event(a args, event string, body func(o *options, status int) any) (*Template, error) {
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	if in.values == nil {
		in.values = url.Values{}
	}
	in.values.Set(event, unescaped(strings.TrimSuffix(a.param, "/"))) // like a scenario's route
	in.rows = append(slices.Clip(in.rows), p.routeRow(event))
	var after delay.Delay
	if in.has("delay") {
		if after, err = in.parseDelay("delay", in.get("delay")); err != nil {
			return nil, err
		}
	}
	write := func(o *options, status int) []byte {
		text, _ := json.Marshal(body(o, status)) // strings and numbers never fail
		return text
	}
	t := &Template{planner: p, delay: after, content: content{
		body: func(t *Template, a *answer.Answer, _ rng, _ time.Duration) {
			a.ContentType, a.Body.Whole = answer.JSON, write(t.options, a.Status)
		},
		measure: func(t *Template) extent { return extent{length: int64(len(write(t.options, http.StatusOK)))} },
	}}
	if err := p.parseOptions(t, in); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// parseBarrier parses barrier, parties and timeout.
func parseBarrier(in *input, o *options) error {
	name := in.get("barrier")
	if err := o.setName("barrier", name); err != nil {
		return err
	}
	maxParties := int64(math.MaxInt32)
	if in.limits.MaxInFlight > 0 {
		maxParties = int64(in.limits.MaxInFlight) // no more requests can wait at once
	}
	parties, err := in.parseInt("parties", 1, maxParties)
	if err != nil {
		return err
	}
	timeout, err := in.timeout(min(barrierTimeout, in.limits.MaxDelay))
	o.barrier = &gate.BarrierSpec{Name: name, Parties: int(parties), Timeout: timeout}
	return err
}

// parseHold parses hold and timeout.
func parseHold(in *input, o *options) error {
	name := in.get("hold")
	if err := o.setName("hold", name); err != nil {
		return err
	}
	timeout, err := in.timeout(in.limits.MaxDelay)
	o.hold = &gate.HoldSpec{Name: name, Timeout: timeout}
	return err
}

// CheckHold returns a *problem.Problem unless name is the name of a hold.
func CheckHold(name string) error { return checkGateName("hold", name) }

// CheckRun returns a *problem.Problem unless name is the name of a run.
func CheckRun(name string) error { return checkName("run", name) }

// timeout parses timeout, a fixed time.
func (in *input) timeout(otherwise time.Duration) (time.Duration, error) {
	if !in.has("timeout") {
		return otherwise, nil
	}
	timeout, err := ReadTimeout(in.get("timeout"), in.limits.MaxDelay)
	if err != nil {
		return 0, &ParameterError{Name: "timeout", Index: 0, Err: err}
	}
	return timeout, nil
}

// ReadTimeout parses the parameter timeout, a fixed time above 0 and up to longest.
// The error is a *problem.Problem.
func ReadTimeout(text string, longest time.Duration) (time.Duration, error) {
	d, err := delay.Parse(text)
	timeout, fixed := d.Fixed()
	if err != nil || !fixed || timeout <= 0 || timeout > longest {
		return 0, problem.InvalidParameter.New("timeout %s is invalid"+
			": use a fixed time above 0 and up to %v, such as 5s or 250ms",
			problem.Quote(text), longest)
	}
	return timeout, nil
}
