package plan

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// RouteParameters returns the parameters that a scenario's route may set, one for each
// key.
func RouteParameters() []Parameter {
	all := Parameters()
	for _, e := range Endpoints() {
		all = append(all, e.Parameters...)
	}
	return slices.DeleteFunc(all, func(p Parameter) bool { return p.Route == "" })
}

// Prepare returns the template of a scenario's route with the values of its parameters.
// The template serves any path, and reads only run from a query. Requests without a run are
// counted by name.
//
// Each of attempts has the values of an entry of a script, which are laid over values; a
// key of the entry replaces the route's, and keys that conflict with it. Then values has
// the parameter attempts, whatever its value. Prepare returns all errors in the values.
func (p *Planner) Prepare(name string, values url.Values, attempts ...url.Values) (*Template, []*ParameterError) {
	t := p.route()
	in := &input{Planner: p, rows: p.routeRows, values: values, trusted: true, scripted: attempts != nil}
	var errs []*ParameterError
	if attempts == nil {
		errs = p.readOptions(t, in)
	} else if errs = p.parseInto(t, in); errs == nil {
		errs = p.prepareAttempts(t, in, attempts)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	t.routeKey = p.counts.hash("route", name)
	return t.ready(name), nil
}

// route returns the template of a scenario's route, without options.
func (p *Planner) route() *Template {
	return &Template{planner: p, trusted: true, hasRun: true, content: content{
		body: func(t *Template, a *answer.Answer, _ rng, _ time.Duration) {
			a.ContentType, a.Body.Whole = t.options.contentType, t.options.body
			if t.options.size >= 0 {
				a.ContentType = answer.Bytes
			}
		},
		measure: func(t *Template) extent { return extent{length: int64(len(t.options.body))} },
	}}
}

// prepareAttempts makes the template of each attempt of a route t. A parameter of the
// route is an error if it has no effect on any attempt.
func (p *Planner) prepareAttempts(t *Template, in *input, attempts []url.Values) (errs []*ParameterError) {
	var idle idleParameters
	for i, values := range attempts {
		sub, subInput := p.route(), *in
		subInput.values = p.overlay(in.values, values)
		found := p.parseInto(sub, &subInput)
		if found == nil {
			if !values.Has("limit") {
				sub.options.limit = t.options.limit // they count together
			}
			var idleHere []*ParameterError
			idleHere, found = p.complete(sub, &subInput)
			idle.add(slices.DeleteFunc(idleHere, func(err *ParameterError) bool {
				own := values.Has(err.Name)
				if own {
					found = append(found, err)
				}
				return own
			}))
		}
		for _, err := range found {
			err.Attempt = i + 1
			errs = append(errs, err)
		}
		t.attempts = append(t.attempts, attempt{i + 1, sub})
	}
	return append(errs, idle.errs...)
}

// overlay returns the values of a route with the values of an attempt laid over them.
func (p *Planner) overlay(route, attempt url.Values) url.Values {
	keys := map[string]string{} // of the route, by parameter
	for _, row := range p.routeRows {
		keys[row.Name] = row.key()
	}
	replaced := map[string]bool{"attempts": true}
	for _, row := range p.routeRows {
		if attempt.Has(row.Name) {
			replaced[row.key()] = true
		}
		for _, e := range row.excludes {
			if attempt.Has(row.Name) {
				replaced[keys[e.name]] = true
			}
			if attempt.Has(e.name) {
				replaced[row.key()] = true
			}
		}
	}
	merged := url.Values{}
	for _, row := range p.routeRows {
		if values := route[row.Name]; values != nil && !replaced[row.key()] {
			merged[row.Name] = values
		}
	}
	maps.Copy(merged, attempt)
	return merged
}

// key returns the key of a route that sets p: pool for pool.workers.
func (p *Parameter) key() string {
	key, _, _ := strings.Cut(p.Route, ".")
	return key
}

// routeRow returns the row of a route's parameter.
func (p *Planner) routeRow(name string) *Parameter {
	return p.routeRows[slices.IndexFunc(p.routeRows, func(row *Parameter) bool { return row.Name == name })]
}

const oneBody = "a response has one body"

var _ = register(Parameter{
	Name: "delay", Route: "delay",
	Usage:   "a delay",
	Meaning: "The wait, after a barrier or a hold if the route has one.",
	Example: "250ms", Schema: `{ $ref: "#/components/schemas/Delay" }`,
	parse: func(in *input, o *options) (err error) {
		o.delay, err = in.parseDelay("delay", in.get("delay"))
		return err
	},
})

var _ = register(Parameter{
	Name: "body", Route: "body",
	Usage:   "text",
	Meaning: "The body.",
	Example: "hello", Schema: `{ type: [string, number, boolean] }`,
	shapes: shapesResponse | shapesBody,
	parse:  func(in *input, o *options) error { return in.setBody(o, in.get("body"), answer.Text) },
})

var _ = register(Parameter{
	Name: "json", Route: "json",
	Usage:   "any value",
	Meaning: "The body, as JSON.",
	Example: "{name: kettle}", Schema: `{}`,
	shapes:   shapesResponse | shapesBody,
	excludes: []exclusion{{"body", oneBody}},
	parse:    func(in *input, o *options) error { return in.setBody(o, in.get("json"), answer.JSON) },
})

func (in *input) setBody(o *options, text, contentType string) error {
	if int64(len(text)) > in.limits.MaxBody {
		return problem.InvalidParameter.New("a body of %d bytes is invalid: use up to MAX_BODY_SIZE=%d", len(text),
			in.limits.MaxBody)
	}
	o.body, o.contentType = []byte(text), contentType
	return nil
}
