package plan

import (
	"net/url"
	"slices"
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

// Prepare returns the template of a scenario's route with the values of its
// parameters. The template serves any path, and reads only run from a query. fail_first
// counts by name. Prepare returns all errors in the values.
func (p *Planner) Prepare(name string, values url.Values) (*Template, []*ParameterError) {
	t := &Template{planner: p, trusted: true, hasRun: true, content: content{
		body: func(t *Template, a *answer.Answer, _ rng, _ time.Duration) {
			a.ContentType, a.Body.Whole = t.options.contentType, t.options.body
		},
		measure: func(o *options) extent { return extent{length: int64(len(o.body))} },
	}}
	in := &input{Planner: p, rows: p.routeRows, values: values, trusted: true}
	if errs := p.readOptions(t, in); errs != nil {
		return nil, errs
	}
	if o := t.options; o.size >= 0 {
		o.contentType = answer.Bytes
	}
	return t.ready(name), nil
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
