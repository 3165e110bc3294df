package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/internal/plan"
)

// schemaOf has the parts of a schema that the test checks.
type schemaOf struct {
	Type        any
	Description string
	Enum        []string
	Required    []string
	Properties  map[string]schemaOf
	Items       *schemaOf
	AnyOf       []schemaOf
	MaxItems    int
	Pattern     string
}

// The schema has the keys that Load reads, and no others.
func TestSchemaHasTheKeys(t *testing.T) {
	var file struct {
		Properties struct{ Routes struct{ Items schemaOf } }
	}
	if err := json.Unmarshal(Schema(), &file); err != nil {
		t.Fatal(err)
	}
	route := file.Properties.Routes.Items
	if !slices.Equal(route.Properties["method"].Enum, Methods) || !slices.Equal(route.Required, []string{"path"}) {
		t.Errorf("methods %v, required %v", route.Properties["method"].Enum, route.Required)
	}
	compare := func(what string, s schemaOf, err error) {
		_, valid, _ := strings.Cut(err.Error(), ": use ")
		got, want := slices.Sorted(maps.Keys(s.Properties)), strings.Split(valid, ", ")
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema has the keys %v, Load accepts %v", what, got, want)
		}
	}
	_, err := Load("f.yaml", []byte("routes: [{path: /a, zzz: 1}]"), planner())
	compare("a route", route, err)
	attempts := route.Properties["attempts"]
	word, attempt := attempts.Items.AnyOf[0], attempts.Items.AnyOf[1]
	_, err = Load("f.yaml", []byte("routes: [{path: /a, attempts: [{zzz: 1}]}]"), planner())
	compare("an attempt", attempt, err)
	pattern := regexp.MustCompile(word.Pattern)
	for text, want := range map[string]bool{"503": true, "reset@1.5s": true, "503@20": true, "100": false,
		"503@": false, "rest": false, "503,200": false, "503@soon": false} {
		_, err := planner().Attempt(text)
		if matches := pattern.MatchString(text); matches != want || (err == nil) != want {
			t.Errorf("attempt %s: the schema matches %v, Load says %v, want valid: %v", text, matches, err, want)
		}
	}
	if attempts.MaxItems != plan.MaxAttempts || len(attempt.Required) > 0 {
		t.Errorf("got up to %d attempts that require %v", attempts.MaxItems, attempt.Required)
	}
	for name, s := range route.Properties {
		if s.Description == "" {
			t.Errorf("%s has no description", name)
		}
		if s.Properties == nil {
			continue
		}
		_, err := Load("f.yaml", []byte("routes: [{path: /a, "+name+": {'': 1}}]"), planner())
		compare(name, s, err)
		_, err = Load("f.yaml", []byte("routes: [{path: /a, "+name+": {}}]"), planner())
		if want := name + " needs " + s.Required[0]; !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the schema requires %v, Load says %v", name, s.Required, err)
		}
	}
}

// A string may be a number in YAML. Patterns are the same as in a query.
func TestSchemaOfValues(t *testing.T) {
	for name, want := range map[string]string{
		"delay": "[string number]", "status": "[string number]", "size": "integer", "rate": "number", "fault": "string",
	} {
		if got := fmt.Sprint(value(findKey(name).parameter)["type"]); got != want {
			t.Errorf("%s: got the type %s, want %s", name, got, want)
		}
	}
	if value(findKey("delay").parameter)["pattern"] == nil {
		t.Error("delay has no pattern")
	}
}
