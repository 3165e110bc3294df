package scenario

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/yamlfile"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

// pattern is the method and path of a route.
type pattern struct {
	at     *yaml.Node
	method string // one of Methods, or AnyMethod
	path   string
}

// String returns the pattern as "GET /products/{id}", or its path alone for any method.
func (p pattern) String() string { return strings.TrimPrefix(p.method+" "+p.path, " ") }

var parameterName = regexp.MustCompile(`\{\w*`)

// shape returns the path without the names of its parameters.
func (p pattern) shape() string { return parameterName.ReplaceAllString(p.path, "{") }

type segmentKind int

const (
	literal   segmentKind = iota
	single                // {name}: one segment
	following             // {name...}: the rest of the path
)

// segment is a part of a pattern's path between two slashes.
type segment struct {
	kind segmentKind
	text string // of a literal, unescaped
}

func (p pattern) segments() []segment {
	var segments []segment
	for text := range strings.SplitSeq(p.path[1:], "/") {
		s := segment{kind: kindOf(text)}
		if s.kind == literal {
			s.text, _ = url.PathUnescape(text) // invalidReason has checked the escapes
		}
		segments = append(segments, s)
	}
	return segments
}

func kindOf(text string) segmentKind {
	switch {
	case parameter.MatchString(text):
		return single
	case rest.MatchString(text):
		return following
	default:
		return literal
	}
}

// example returns a path that the pattern matches, percent-encoded.
func (p pattern) example() string {
	var b strings.Builder
	for _, s := range p.segments() {
		b.WriteByte('/')
		if s.kind == literal {
			b.WriteString(url.PathEscape(s.text))
		} else {
			b.WriteByte('1')
		}
	}
	return b.String()
}

// readMethod reads the method of a route. It returns false for an unknown one.
func (l *loader) readMethod(e yamlfile.Entry) (method string, ok bool) {
	text, ok := l.Scalar(e.Value, "method")
	switch {
	case !ok:
		return "", false
	case slices.Contains(Methods, text):
		return text, true
	}
	guess := strings.ToUpper(text)
	if !slices.Contains(Methods, guess) {
		guess = spelling.Suggest(guess, Methods)
	}
	if guess != "" {
		l.Fail(e.Key, "unknown method %s; did you mean %s?", problem.Quote(text), guess)
	} else {
		l.Fail(e.Key, "unknown method %s: use %s, or leave method out", problem.Quote(text),
			strings.Join(Methods, ", "))
	}
	return "", false
}

var (
	parameter    = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*\}$`)
	rest         = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*\.\.\.\}$`)
	notInLiteral = regexp.MustCompile(`[\x00-\x20\x7f{}?#\\]|^:|^\*+$`)
)

const validPath = "segments after /: literal, {name}, or {name...} at the end"

// readPath reads the path of a route. It returns "" for an invalid one.
func (l *loader) readPath(e yamlfile.Entry) string {
	text, ok := l.Scalar(e.Value, "path")
	if !ok {
		return ""
	}
	if isReserved(strings.TrimPrefix(text, "/")) {
		l.Fail(e.Key, "path %s is reserved: use a path outside /%s", problem.Quote(text), strings.Join(reserved, ", /"))
		return ""
	}
	if reason := invalidReason(text); reason != "" {
		l.Fail(e.Key, "path %s is invalid (%s): use %s", problem.Quote(text), reason, validPath)
		return ""
	}
	return text
}

// invalidReason returns the reason why a path is invalid, or "".
func invalidReason(text string) string {
	if !strings.HasPrefix(text, "/") {
		return "no / at its beginning"
	}
	if _, err := url.PathUnescape(text); err != nil {
		return "an invalid % escape"
	}
	segments := strings.Split(text[1:], "/")
	last := len(segments) - 1
	names := map[string]bool{}
	for i, s := range segments {
		switch {
		case parameter.MatchString(s) || i == last && rest.MatchString(s):
			name := strings.Trim(s, "{.}")
			if names[name] {
				return "the name " + name + " twice"
			}
			names[name] = true
		case notInLiteral.MatchString(s):
			return "at " + problem.Quote(s)
		case s == "" && i < last, s == ".", s == "..":
			return "clients remove the segment " + problem.Quote(s)
		}
	}
	return ""
}

// add adds the route unless it conflicts with another one.
func (l *loader) add(p pattern, template *plan.Template) {
	switch other := l.root.insert(p, template); {
	case other == nil:
		l.added = append(l.added, p)
	case p.shape() == other.shape():
		l.Fail(p.at, "%s repeats the route in line %d", p, other.at.Line)
	default:
		l.Fail(p.at, "%s and %s in line %d match the same requests, and neither is more specific", p, other.path,
			other.at.Line)
	}
}
