package plan

import (
	"cmp"
	"slices"

	"flash.test/delay-server/kit/problem"
)

// Parameter describes one parameter. It is a row of the only table of parameters:
// parsing, conflicts, the keys of a scenario's route, OpenAPI, the JSON schema of a
// scenario and /doc are derived from it.
type Parameter struct {
	Name     string
	In       Place
	Usage    string // the values, such as "1 to 1000000", in Markdown
	Meaning  string // what it does, in Markdown
	Details  string // more about it, in Markdown, only for OpenAPI
	Example  string // a value
	Schema   string // the JSON Schema of a value, as YAML; it may refer to Schemas
	Required bool
	Repeated bool // may be given more than once

	// Route is the key of a scenario's route that sets the parameter, such as
	// "status" or "pool.workers". It is "" if no route can set it.
	Route string
	// Same means that routes that share a pool or a barrier must set the same value.
	Same bool
	// Counts means that it is about the count of attempts, so no attempt can set it.
	Counts bool
	// Requires names the parameter without which this one has no effect, or is "".
	Requires string

	shapes   shapes
	excludes []exclusion
	// parse parses the value into options. It is nil if the endpoint or another
	// parameter parses it.
	parse func(*input, *options) error
	// check returns an error if the parameter has no effect with the other options and
	// the endpoint's body. It is nil if the fields above are enough.
	check func(in *input, o *options, body extent) error
}

// Excludes returns the names of parameters that conflict with p. They may not name p.
func (p Parameter) Excludes() []string {
	names := make([]string, len(p.excludes))
	for i, e := range p.excludes {
		names[i] = e.name
	}
	return names
}

// Place is the place of a parameter in a request.
type Place string

// The places of parameters.
const (
	InPath  Place = "path"
	InQuery Place = "query"
	InRoute Place = "" // only a scenario's route has it
)

// shapes are the parts of an answer that a parameter changes.
type shapes uint8

const (
	shapesResponse shapes = 1 << iota // conflicts with a fault that sends no response
	shapesBody                        // conflicts with a status that has no body
	needsBody                         // conflicts with an empty body
)

// exclusion is a parameter that conflicts with another one for a reason.
type exclusion struct{ name, reason string }

// shared are the parameters of all endpoints that read their query, and of a
// scenario's route, in no order.
var shared []Parameter

// register adds a row to the table. Each parameter's file calls it to initialize a
// variable. So a new parameter needs one new file and no change to another.
func register(p Parameter) Parameter {
	shared = append(shared, p)
	return p
}

// Parameters returns the parameters that all endpoints with a query accept, and the
// parameters of a scenario's route, sorted by name. A parameter that another one parses
// follows it, such as workers after pool.
func Parameters() []Parameter {
	key := func(p Parameter) string {
		if p.parse == nil && p.Requires != "" {
			return p.Requires + " " + p.Name
		}
		return p.Name
	}
	return slices.SortedFunc(slices.Values(shared), func(a, b Parameter) int { return cmp.Compare(key(a), key(b)) })
}

// QueryParameters returns the parameters that all endpoints with a query accept.
func QueryParameters() []Parameter {
	return slices.DeleteFunc(Parameters(), func(p Parameter) bool { return p.In != InQuery })
}

// Schemas are the JSON Schemas, as YAML, that parameters refer to as
// "#/components/schemas/NAME".
var Schemas = map[string]string{
	"Delay": `
description: >-
  A time or a distribution of times: a number, in milliseconds except in go-httpbin's endpoints; a Go duration;
  Flash's "random", a whole number of seconds from 0 to 9; or a distribution, which /doc explains. At most MAX_DELAY.
type: string
pattern: '^(\d+(\.\d+)?|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|random|` +
		`(uniform|normal|lognormal|exponential|pareto|weighted|percentiles|recorded):.+)$'
`,
	"Timeout": `
description: A time above 0, a number of milliseconds or a Go duration.
type: string
pattern: '^(\d+(\.\d+)?|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$'
not: { pattern: "^[^1-9]*$" }
`,
	"Name":    `{ description: Visible ASCII characters., type: string, pattern: "^[!-~]{1,200}$" }`,
	"RunName": `{ description: Visible ASCII characters., type: string, pattern: "^[!-~]{0,200}$" }`,
}

// validate returns an error for each parameter that has no effect with the fault, the
// status or the body, in idle, and other errors in errs.
func (in *input) validate(o *options, body extent) (idle, errs []*ParameterError) {
	refuse := func(name, format string, args ...any) {
		idle = append(idle, &ParameterError{Name: name, Err: problem.ConflictingParameters.New(format, args...)})
	}
	for _, p := range in.rows {
		name := p.Name
		switch {
		case p.In == InPath:
			name = in.path
		case !in.has(name):
			continue
		}
		switch {
		case p.shapes&shapesResponse != 0 && o.fault.ReplacesResponse():
			refuse(p.Name, "%s=%s and %s conflict: this fault sends no response", in.source("fault"), o.fault, name)
		case p.shapes&shapesBody != 0 && o.status.bodiless():
			refuse(p.Name, "%s=%s and %s conflict: this status has no body", in.source("status"), o.status, name)
		}
	}
	if idle != nil {
		return idle, nil
	}
	if o.size >= 0 {
		body.length = o.size
	}
	for _, p := range in.given() {
		if p.shapes&needsBody != 0 && body.length == 0 {
			refuse(p.Name, "%s and an empty body conflict: there is nothing to slow", p.Name)
		}
		if p.check == nil {
			continue
		}
		if err := p.check(in, o, body); err != nil {
			errs = append(errs, paramError(p.Name, err))
		}
	}
	return idle, errs
}

// source returns the parameter that sets the status or the fault: attempts, or the given
// one.
func (in *input) source(name string) string {
	if in.has("attempts") {
		return "attempts"
	}
	return name
}

// parse parses the parameters into o and returns all errors.
func (in *input) parse(o *options) (errs []*ParameterError) {
	for _, p := range in.given() {
		if err := in.parseOne(p, o); err != nil {
			errs = append(errs, paramError(p.Name, err))
		}
	}
	return errs
}

func (in *input) parseOne(p *Parameter, o *options) error {
	if p.Requires != "" && !in.has(p.Requires) {
		return problem.ConflictingParameters.New("%s needs %s: add %s=%s", p.Name, p.Requires, p.Requires,
			in.example(p.Requires))
	}
	for _, e := range p.excludes {
		if in.has(e.name) {
			return problem.ConflictingParameters.New("%s and %s conflict: %s", e.name, p.Name, e.reason)
		}
	}
	if p.parse == nil {
		return nil
	}
	return p.parse(in, o)
}

// given returns the rows of the given parameters.
func (in *input) given() []*Parameter {
	var given []*Parameter
	for _, p := range in.rows {
		if in.has(p.Name) {
			given = append(given, p)
		}
	}
	return given
}

// example returns an example of the parameter's value.
func (in *input) example(name string) string {
	i := slices.IndexFunc(in.rows, func(p *Parameter) bool { return p.Name == name })
	return in.rows[i].Example
}
