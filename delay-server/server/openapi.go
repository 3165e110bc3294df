package server

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// openAPIDocument returns pages/openapi.yaml with the waiting endpoints and their
// parameters from package plan, the checks from package check, and the problem types from
// package problem. The result must not be changed.
var openAPIDocument = sync.OnceValue(func() []byte {
	text, err := pages.ReadFile("pages/openapi.yaml")
	if err != nil {
		panic(err)
	}
	var document yaml.Node
	decode(string(text), &document)
	root := document.Content[0]
	components := member(root, "components")
	for _, p := range plan.Parameters() {
		if p.In == plan.InQuery {
			add(member(components, "parameters"), p.Name, describe(p))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Schemas)) {
		var schema yaml.Node
		decode(plan.Schemas[name], &schema)
		add(member(components, "schemas"), name, schema.Content[0])
	}
	var types []string
	for _, info := range problem.Types {
		types = append(types, string(info.Type))
	}
	problemType := member(member(member(member(components, "schemas"), "Problem"), "properties"), "type")
	add(problemType, "enum", types)
	paths := member(root, "paths")
	describeChecks(member(member(member(paths, "/admin/runs/{id}/check"), "get"), "parameters"))
	others := paths.Content
	paths.Content = nil
	for _, e := range plan.Endpoints() {
		for _, path := range e.Paths() {
			add(paths, path, pathItem(e))
		}
	}
	paths.Content = append(paths.Content, others...)
	var complete bytes.Buffer
	encoder := yaml.NewEncoder(&complete)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		panic(err)
	}
	return complete.Bytes()
})

// decode parses YAML that is part of the program.
func decode(text string, into any) {
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		panic(err)
	}
}

// member returns the value of a mapping's key.
func member(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	panic("openapi.yaml has no " + key)
}

// add adds a key to a mapping.
func add(mapping *yaml.Node, key string, value any) {
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		panic(err)
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Tag: "!!str"}, &node)
}

// reference is a reference to one of the document's components.
type reference struct {
	Ref string `yaml:"$ref"`
}

// describeChecks adds the checks to the parameters of an operation.
func describeChecks(parameters *yaml.Node) {
	for _, c := range check.Checks() {
		var node yaml.Node
		err := node.Encode(describe(plan.Parameter{
			Name: c.Name, In: plan.InQuery, Meaning: c.Meaning, Details: " Value: " + c.Usage + ".",
			Example: c.Example, Schema: c.Schema,
		}))
		if err != nil {
			panic(err)
		}
		parameters.Content = append(parameters.Content, &node)
	}
}

// parameter is OpenAPI's Parameter Object.
type parameter struct {
	Name        string
	In          plan.Place
	Required    bool `yaml:",omitempty"`
	Description string
	Schema      map[string]any
	Example     any `yaml:",omitempty"`
}

func describe(p plan.Parameter) parameter {
	described := parameter{Name: p.Name, In: p.In, Required: p.Required, Description: p.Meaning + p.Details,
		Example: p.Example}
	decode(p.Schema, &described.Schema)
	switch described.Schema["type"] {
	case "integer", "number":
		decode(p.Example, &described.Example)
	case "array":
		described.Example = []string{p.Example}
	}
	return described
}

// operation is OpenAPI's Operation Object.
type operation struct {
	Tags        []string `yaml:",flow"`
	Summary     string
	RequestBody *reference     `yaml:"requestBody,omitempty"`
	Responses   map[string]any // by status
}

// item is OpenAPI's Path Item Object of an endpoint that waits.
type item struct {
	Description string
	Parameters  []any
	Get         operation
	Post        operation
	Put         operation
	Patch       operation
	Delete      operation
	Head        operation
	Options     operation
}

func pathItem(e plan.Endpoint) item {
	item := item{Description: e.Meaning}
	for _, p := range e.Parameters {
		item.Parameters = append(item.Parameters, describe(p))
	}
	for _, p := range e.Accepts()[len(e.Parameters):] {
		item.Parameters = append(item.Parameters, reference{"#/components/parameters/" + p.Name})
	}
	for _, header := range []string{"X-Run-Id", "traceparent"} {
		item.Parameters = append(item.Parameters, reference{"#/components/parameters/" + header})
	}
	tags := []string{e.Group}
	item.Get = operation{Tags: tags, Summary: e.Summary, Responses: responses(e)}
	withBody := item.Get
	withBody.Summary = "The same, with a body that is ignored"
	withBody.RequestBody = &reference{"#/components/requestBodies/Any"}
	if e.Forwards {
		withBody.Summary = "The same, with a body that is forwarded"
	}
	item.Post, item.Put, item.Patch, item.Delete = withBody, withBody, withBody, withBody
	item.Head = operation{Tags: tags, Summary: "The same, without a body", Responses: map[string]any{
		"2XX": response("WaitedHead"), "3XX": response("WaitedHead"), "default": response("Head"),
	}}
	item.Options = operation{Tags: tags, Summary: "Answer a browser's preflight, at once", Responses: map[string]any{
		"204": response("Preflight"), "414": response("URITooLong"),
	}}
	return item
}

func response(component string) reference { return reference{"#/components/responses/" + component} }

// responses returns the responses of an endpoint that waits, by status: the shared
// ones, except those it replaces or, by null, removes.
func responses(e plan.Endpoint) map[string]any {
	all := map[string]any{
		"400": response("BadRequest"), "408": response("RequestTimeout"), "413": response("ContentTooLarge"),
		"414": response("URITooLong"), "503": response("ServiceUnavailable"),
	}
	if !e.TargetQuery {
		all["409"], all["429"], all["default"] = response("Conflict"), response("TooManyRequests"), response("AsAsked")
	}
	own := map[string]any{}
	decode(e.Responses, &own)
	maps.Copy(all, own)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// echoPath returns a pattern in Echo's form. {name...} after another parameter becomes
// *, which may be empty. Otherwise it becomes :name, which may not.
func echoPath(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		name, isParameter := strings.CutPrefix(s, "{")
		if !isParameter {
			continue
		}
		segments[i] = ":" + strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")
		if strings.HasSuffix(s, "...}") && strings.Count(pattern, "{") > 1 {
			segments[i] = "*"
		}
	}
	return cmp.Or(strings.Join(segments, "/"), "/")
}
