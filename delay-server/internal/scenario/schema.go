package scenario

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/plan"
)

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON Schema of a scenario file, for editors. Load checks more. The
// result must not be changed.
var Schema = sync.OnceValue(func() []byte {
	route := mapping(keys())
	properties := route["properties"].(object)
	properties["method"] = object{
		"enum":        Methods,
		"description": "By default any method except OPTIONS, CONNECT and TRACE. GET answers HEAD too.",
	}
	properties["path"] = object{
		"type": "string", "pattern": "^/",
		"description": "{name} is one segment, {name...} the rest of the path.",
	}
	attempt := value(plan.Parameter{Schema: plan.AttemptSchema, Meaning: "A status or a fault, and a fixed delay."})
	properties["attempts"] = object{
		"type": "array", "minItems": 1, "maxItems": plan.MaxAttempts,
		"items":       object{"anyOf": []any{attempt, mapping(attemptKeys())}},
		"description": findKey("attempts").parameter.Meaning,
	}
	text, err := json.MarshalIndent(object{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "Scenario of delay-server",
		"type":                 "object",
		"required":             []string{"routes"},
		"additionalProperties": false,
		"properties":           object{"routes": object{"type": "array", "minItems": 1, "items": route}},
	}, "", "  ")
	if err != nil {
		panic(err) // impossible: it has only strings, numbers and lists
	}
	return append(text, '\n')
})

// mapping returns the schema of a mapping of the keys.
func mapping(keys []key) object {
	properties, required := object{}, []string{}
	for _, k := range keys {
		switch {
		case k.parts != nil:
			parts := mapping(k.parts)
			parts["description"] = k.parts[0].parameter.Meaning
			properties[k.name] = parts
		case k.parameter.Repeated:
			properties[k.name] = object{
				"type":                 "object",
				"additionalProperties": object{"anyOf": []any{scalar, object{"type": "array", "items": scalar}}},
				"description":          k.parameter.Meaning,
			}
		default:
			properties[k.name] = value(k.parameter)
		}
		if k.required {
			required = append(required, k.name)
		}
	}
	schema := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

var scalar = object{"type": []string{"string", "number", "boolean"}}

// value returns the schema of a parameter's value. YAML may also have a number for a
// string.
func value(p plan.Parameter) object {
	schema := resolve(p.Schema)
	if schema["type"] == "string" && schema["enum"] == nil {
		schema["type"] = []string{"string", "number"}
	}
	schema["description"] = p.Meaning
	return schema
}

// resolve parses a schema and replaces its references to plan.Schemas.
func resolve(text string) object {
	var schema object
	if err := yaml.Unmarshal([]byte(text), &schema); err != nil {
		panic(err) // a schema in package plan is invalid
	}
	if schema == nil {
		schema = object{}
	}
	if all, ok := schema["allOf"].([]any); ok {
		delete(schema, "allOf")
		for _, part := range all {
			maps.Copy(schema, reference(part.(object)))
		}
	}
	return reference(schema)
}

// reference returns the schema that a "$ref" names, or the schema itself.
func reference(schema object) object {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	return resolve(plan.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")])
}
