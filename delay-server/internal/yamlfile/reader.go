// Package yamlfile reads YAML files by hand, so that each mistake has its line and column.
package yamlfile

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

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

// Reader reads YAML and collects the errors. Errors name its File.
type Reader struct {
	File      string
	MaxFaults int // 0 for no limit
	faults    []fault
	more      bool
}

// Faults returns the number of errors so far.
func (r *Reader) Faults() int { return len(r.faults) }

// More reports whether there were more errors than MaxFaults.
func (r *Reader) More() bool { return r.more }

// fault is an error at a line and a column, counted from 1.
type fault struct {
	line, column int
	text         string
}

// Fail adds an error at a node.
func (r *Reader) Fail(at *yaml.Node, format string, args ...any) {
	if r.MaxFaults > 0 && len(r.faults) == r.MaxFaults {
		r.more = true
		return
	}
	r.faults = append(r.faults, fault{at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// Err joins the errors in the order of the file, each as file:line:column: text. It is
// nil if there are none.
func (r *Reader) Err() error {
	slices.SortStableFunc(r.faults, func(a, b fault) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	errs := make([]error, len(r.faults))
	for i, f := range r.faults {
		errs[i] = fmt.Errorf("%s:%d:%d: %s", r.File, f.line, f.column, f.text)
	}
	if r.more {
		errs = append(errs, errors.New("too many errors"))
	}
	return errors.Join(errs...)
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// Document parses text, which must be a single YAML document. empty is the error if it is
// empty. It returns nil after an error.
func (r *Reader) Document(text []byte, empty string) *yaml.Node {
	var first, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&first)
	if err == nil {
		if err = d.Decode(&second); err == nil {
			r.Fail(&second, "a second document begins here: use one")
			return nil
		}
	}
	switch {
	case errors.Is(err, io.EOF) && len(first.Content) > 0:
		asWritten(first.Content[0])
		return first.Content[0]
	case errors.Is(err, io.EOF):
		r.Fail(&yaml.Node{Line: 1, Column: 1}, "%s", empty)
	default:
		at := &yaml.Node{Line: 1, Column: 1}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
		}
		r.Fail(at, "not YAML: %s", strings.TrimPrefix(yamlLine.ReplaceAllString(err.Error(), ""), "yaml: "))
	}
	return nil
}

// Entry is one key of a mapping, and its value.
type Entry struct{ Key, Value *yaml.Node }

// Mapping reads the mapping n. Its keys must be known, unless known is nil. Errors use
// what as its name.
func (r *Reader) Mapping(n *yaml.Node, what string, known []string) []Entry {
	n = Target(n)
	if n.Kind != yaml.MappingNode {
		r.Fail(n, "%s is %s: use a mapping", what, kind(n))
		return nil
	}
	var entries []Entry
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		switch {
		case key.Kind != yaml.ScalarNode:
			r.Fail(key, "a key of %s is %s: use a word", what, kind(key))
		case lines[name] > 0:
			r.Fail(key, "key %s repeats the one in line %d", problem.Quote(name), lines[name])
		case known != nil && !slices.Contains(known, name):
			r.Fail(key, "%s", unknown(name, what, known))
		default:
			entries = append(entries, Entry{key, value})
		}
		lines[name] = key.Line
	}
	return entries
}

func unknown(name, what string, known []string) string {
	if s := spelling.Suggest(name, known); s != "" {
		return fmt.Sprintf("unknown key %s of %s; did you mean %q?", problem.Quote(name), what, s)
	}
	return fmt.Sprintf("unknown key %s of %s: use %s", problem.Quote(name), what, strings.Join(known, ", "))
}

// List reads the list n. Errors use what as its name.
func (r *Reader) List(n *yaml.Node, what string) []*yaml.Node {
	n = Target(n)
	if n.Kind != yaml.SequenceNode {
		r.Fail(n, "%s is %s: use a list", what, kind(n))
		return nil
	}
	return n.Content
}

// Scalar reads one value as text. Errors use what as its name.
func (r *Reader) Scalar(n *yaml.Node, what string) (text string, ok bool) {
	value := Target(n)
	if value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null" {
		r.Fail(n, "%s is %s: use one value", what, kind(value))
		return "", false
	}
	return value.Value, true
}

// JSON returns the value n as JSON. Keys are in the order of the file.
func (r *Reader) JSON(n *yaml.Node) (text string, ok bool) {
	before := len(r.faults)
	var value any
	if err := n.Decode(&value); err != nil { // Decode also rejects cycles and excessive aliasing
		r.failJSON(n, strings.TrimPrefix(err.Error(), "yaml: "))
		return "", false
	}
	var b strings.Builder
	r.writeJSON(&b, n, n)
	return b.String(), len(r.faults) == before
}

func (r *Reader) failJSON(at *yaml.Node, reason string) {
	r.Fail(at, "json is invalid: %s", reason)
}

// writeJSON writes n. Errors have the position of at: the alias, if n is in one.
func (r *Reader) writeJSON(b *strings.Builder, n, at *yaml.Node) {
	n = Target(n)
	switch n.Kind {
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			r.writeJSON(b, item, position(item, n, at))
		}
		b.WriteByte(']')
	case yaml.MappingNode:
		b.WriteByte('{')
		for i, e := range r.members(n, at) {
			if i > 0 {
				b.WriteByte(',')
			}
			r.writeScalar(b, e.Key, at)
			b.WriteByte(':')
			r.writeJSON(b, e.Value, position(e.Value, n, at))
		}
		b.WriteByte('}')
	default:
		r.writeScalar(b, n, at)
	}
}

// position returns the node with the position of errors in a child of n. at is the node
// for errors in n.
func position(child, n, at *yaml.Node) *yaml.Node {
	if at != n {
		return at
	}
	return child
}

// members returns the entries of a mapping, with merge keys (<<) expanded in place. The
// mapping's own keys override merged ones, and earlier merges override later ones.
func (r *Reader) members(n, at *yaml.Node) []Entry {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := Target(n.Content[i]); !isMerge(key) {
			if key.ShortTag() != "!!str" {
				r.failJSON(at, "key "+problem.Quote(key.Value)+" is not a string")
				return nil
			}
			seen[key.Value] = true
		}
	}
	var entries []Entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Target(n.Content[i]), n.Content[i+1]
		if !isMerge(key) {
			entries = append(entries, Entry{key, value})
			continue
		}
		sources := []*yaml.Node{value}
		if list := Target(value); list.Kind == yaml.SequenceNode {
			sources = list.Content
		}
		for _, source := range sources {
			for _, e := range r.members(Target(source), at) {
				if !seen[e.Key.Value] {
					seen[e.Key.Value] = true
					entries = append(entries, e)
				}
			}
		}
	}
	return entries
}

func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }

// writeScalar writes one value. Errors have the position of at.
func (r *Reader) writeScalar(b *strings.Builder, n, at *yaml.Node) {
	switch tag := n.ShortTag(); tag {
	case "!!int", "!!float":
		if !keepsNumber(n) {
			r.Fail(at, "json number %s is invalid: use a JSON number of up to %d digits, or quotes", n.Value,
				digitsKept)
			return
		}
	case "!!str", "!!bool", "!!null":
	default:
		r.failJSON(at, "JSON has no tag "+problem.Quote(tag))
		return
	}
	var value any
	var text bytes.Buffer
	err := n.Decode(&value)
	if err == nil {
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		err = e.Encode(value)
	}
	if err != nil {
		r.failJSON(at, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	b.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// digitsKept is the number of decimal digits that any float64 keeps.
const digitsKept = 15

// keepsNumber reports whether n is the same number in JSON. It is not for 01234, which
// YAML reads as 668, nor for a number of twenty digits.
func keepsNumber(n *yaml.Node) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(n.Value), "e")
	digits := len(strings.Replace(strings.TrimLeft(mantissa, "-0."), ".", "", 1))
	return json.Valid([]byte(n.Value)) && (n.ShortTag() == "!!int" || digits <= digitsKept)
}

// asWritten turns times into strings, since JSON has no times.
func asWritten(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		asWritten(child)
	}
}

// Target returns the node that an alias refers to, or n.
func Target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kind describes n in an error.
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
