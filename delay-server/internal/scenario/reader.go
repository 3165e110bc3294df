package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/problem"
	"flash.test/delay-server/spelling"
)

// reader collects all that is wrong with a file.
type reader struct {
	file   string
	faults []fault
}

// fault is one error at its place, each counted from 1.
type fault struct {
	line, column int
	text         string
}

func (r *reader) fail(at *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, fault{at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// err joins the errors in the order of their places, each as file:line:column: text.
func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b fault) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	errs := make([]error, len(r.faults))
	for i, f := range r.faults {
		errs[i] = fmt.Errorf("%s:%d:%d: %s", r.file, f.line, f.column, f.text)
	}
	return errors.Join(errs...)
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// document parses text, which is one YAML document.
func (r *reader) document(text []byte) *yaml.Node {
	var first, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&first)
	if err == nil {
		if err = d.Decode(&second); err == nil {
			r.fail(&second, "a second document begins here; accepted: one")
			return nil
		}
	}
	switch {
	case errors.Is(err, io.EOF) && len(first.Content) > 0:
		asWritten(first.Content[0])
		return first.Content[0]
	case errors.Is(err, io.EOF):
		r.fail(&yaml.Node{Line: 1, Column: 1}, "the file is empty; accepted: routes: and a list of them")
	default:
		at := &yaml.Node{Line: 1, Column: 1}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
		}
		r.fail(at, "this is no YAML: %s", strings.TrimPrefix(yamlLine.ReplaceAllString(err.Error(), ""), "yaml: "))
	}
	return nil
}

// entry is one key of a mapping, and its value.
type entry struct{ key, value *yaml.Node }

// mapping reads the keys of what n is, of those that are known; nil for any.
func (r *reader) mapping(n *yaml.Node, what string, known []string) []entry {
	n = target(n)
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s is %s; accepted: a mapping, key: value", what, kind(n))
		return nil
	}
	var entries []entry
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(key, "a key of %s is %s; accepted: a word", what, kind(key))
		case lines[name] > 0:
			r.fail(key, "key %s is given twice, first in line %d; accepted: once", problem.Quote(name), lines[name])
		case known != nil && !slices.Contains(known, name):
			r.fail(key, "%s", unknown(name, what, known))
		default:
			entries = append(entries, entry{key, value})
		}
		lines[name] = key.Line
	}
	return entries
}

func unknown(name, what string, known []string) string {
	if s := spelling.Suggest(name, known); s != "" {
		return fmt.Sprintf("%s has no key %s: did you mean %s?", what, problem.Quote(name), s)
	}
	return fmt.Sprintf("%s has no key %s; accepted: %s", what, problem.Quote(name), strings.Join(known, ", "))
}

// list reads the items of what n is.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	n = target(n)
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "%s is %s; accepted: a list", what, kind(n))
		return nil
	}
	return n.Content
}

// scalar reads one value, as it is written.
func (r *reader) scalar(n *yaml.Node, what string) (text string, ok bool) {
	value := target(n)
	if value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null" {
		r.fail(n, "%s is %s; accepted: one value", what, kind(value))
		return "", false
	}
	return value.Value, true
}

// json writes any value as JSON, the keys of objects sorted.
func (r *reader) json(n *yaml.Node) (text string, ok bool) {
	if !r.checkNumbers(n) {
		return "", false
	}
	var value any
	var b bytes.Buffer
	err := n.Decode(&value)
	if err == nil {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err = e.Encode(value)
	}
	if err != nil {
		r.fail(n, "json cannot be written as JSON: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return strings.TrimSuffix(b.String(), "\n"), err == nil
}

// digitsKept is how many digits of a number any float64 keeps.
const digitsKept = 15

// checkNumbers refuses those numbers of n that would be answered as others than
// are written: 01234, which YAML has for 668, or one of twenty digits.
func (r *reader) checkNumbers(n *yaml.Node) (ok bool) {
	ok = true
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float") {
		mantissa, _, _ := strings.Cut(strings.ToLower(n.Value), "e")
		digits := len(strings.Replace(strings.TrimLeft(mantissa, "-0."), ".", "", 1))
		if ok = json.Valid([]byte(n.Value)) && (tag == "!!int" || digits <= digitsKept); !ok {
			r.fail(n, "json has the number %s, which would not be answered as it is written; accepted: one as JSON has them, of up to %d digits, or a string in quotes", n.Value, digitsKept)
		}
	}
	for _, child := range n.Content {
		ok = r.checkNumbers(child) && ok
	}
	return ok
}

// asWritten makes strings of what YAML takes for a time: JSON has none.
func asWritten(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		asWritten(child)
	}
}

// target returns what an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kind says in words what n is.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.ShortTag() == "!!null":
		return "empty"
	default:
		return "one value"
	}
}
