package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/problem"
	"flash.test/delay-server/spelling"
)

// pattern is what requests a route answers.
type pattern struct {
	at      *yaml.Node
	methods []string
	path    string
}

// String returns the pattern as "GET /products/{id}".
func (p pattern) String() string { return strings.Join(p.methods, ",") + " " + p.path }

// forMux returns the path as http.ServeMux has it, where one that ends in /
// would match all below it.
func (p pattern) forMux() string {
	if strings.HasSuffix(p.path, "/") {
		return p.path + "{$}"
	}
	return p.path
}

var parameterName = regexp.MustCompile(`\{\w*`)

// likeness is the path without the names of its parameters.
func (p pattern) likeness() string { return parameterName.ReplaceAllString(p.path, "{") }

// readMethods reads the method of a route; nil for one that is not accepted.
func (l *loader) readMethods(e entry) []string {
	text, ok := l.scalar(e.value, "method")
	switch {
	case !ok:
		return nil
	case slices.Contains(Methods, text):
		return []string{text}
	}
	guess := strings.ToUpper(text)
	if !slices.Contains(Methods, guess) {
		guess = spelling.Suggest(guess, Methods)
	}
	if guess != "" {
		l.fail(e.key, "method %s is not accepted: did you mean %s?", problem.Quote(text), guess)
	} else {
		l.fail(e.key, "method %s is not accepted; accepted: %s, or no method for any but OPTIONS", problem.Quote(text), strings.Join(Methods, ", "))
	}
	return nil
}

var (
	parameter    = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*\}$`)
	rest         = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*\.\.\.\}$`)
	notInLiteral = regexp.MustCompile(`[\x00-\x20\x7f{}?#\\]|^:|^\*+$`)
)

const acceptedPath = "/ and segments with / between them, each literal, {name} for any one, or at the end {name...} for all that follow"

// readPath reads the path of a route; "" for one that is not accepted.
func (l *loader) readPath(e entry) string {
	text, ok := l.scalar(e.value, "path")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(text); err == nil && isReserved(plain) {
		l.fail(e.key, "path %s would hide what is the server's own; accepted: any but %s and what is below them", problem.Quote(text), strings.Join(reservedPaths, ", "))
		return ""
	}
	if reason := wrongPath(text); reason != "" {
		l.fail(e.key, "path %s %s; accepted: %s", problem.Quote(text), reason, acceptedPath)
		return ""
	}
	return text
}

// wrongPath says what is wrong with a path, or "".
func wrongPath(text string) string {
	if !strings.HasPrefix(text, "/") {
		return "does not begin with /"
	}
	if _, err := url.PathUnescape(text); err != nil {
		return "has a % that begins no escape"
	}
	segments := strings.Split(text[1:], "/")
	last := len(segments) - 1
	for i, s := range segments {
		switch {
		case parameter.MatchString(s) || i == last && rest.MatchString(s):
			if slices.Contains(segments[:i], s) {
				return "has " + s + " twice"
			}
		case notInLiteral.MatchString(s):
			return "is not understood at " + problem.Quote(s)
		case s == "" && i < last, s == ".", s == "..":
			return "has the segment " + problem.Quote(s) + ", which no client sends as it is"
		}
	}
	return ""
}

// add gives the route to the mux, or refuses it: the mux knows which of two
// patterns is the more specific, and panics where neither is.
func (l *loader) add(p pattern, route *Route) {
	for _, method := range p.methods {
		reason := handle(l.mux, method, p, route)
		if reason == "" {
			continue
		}
		for _, other := range l.added {
			if !conflict(p, other) {
				continue
			}
			if p.likeness() == other.likeness() {
				l.fail(p.at, "%s %s is answered by the route in line %d already; accepted: one route for a method and a path", method, p.path, other.at.Line)
			} else {
				l.fail(p.at, "%s %s and %s of line %d match the same requests, and neither is the more specific; accepted: paths of which one is", method, p.path, other.path, other.at.Line)
			}
			return
		}
		l.fail(p.at, "path %s is not accepted: %s", problem.Quote(p.path), reason)
		return
	}
	l.added = append(l.added, p)
}

// firstSegments returns those of all paths, unescaped; nil where one is a parameter.
func firstSegments(patterns []pattern) map[string]bool {
	firsts := make(map[string]bool, len(patterns))
	for _, p := range patterns {
		first := firstSegment(p.path)
		if parameterName.MatchString(first) {
			return nil
		}
		first, _ = url.PathUnescape(first) // wrongPath has seen to its escapes
		firsts[first] = true
	}
	return firsts
}

// conflict reports whether one mux cannot have both.
func conflict(a, b pattern) bool {
	mux := http.NewServeMux()
	for _, p := range []pattern{a, b} {
		for _, method := range p.methods {
			if handle(mux, method, p, &Route{}) != "" {
				return true
			}
		}
	}
	return false
}

// handle returns the reason for which mux does not take p, or "".
func handle(mux *http.ServeMux, method string, p pattern, route *Route) (reason string) {
	defer func() {
		if r := recover(); r != nil {
			reason = fmt.Sprint(r)
		}
	}()
	mux.Handle(method+" "+p.forMux(), route)
	return ""
}
