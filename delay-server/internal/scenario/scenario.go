// Package scenario loads routes from a YAML file and finds the route of a request. So
// one server can stand in for a whole set of slow services. Package plan parses the
// parameters of the routes.
package scenario

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"flash.test/delay-server/internal/plan"
)

// A Scenario has the routes of one file. It is immutable: a reload does not change
// requests that have begun.
type Scenario struct {
	text   string
	values int // length of all values of the routes
	root   node
	added  []pattern // in the order of the file
}

// Text returns the text that the scenario was loaded from.
func (s *Scenario) Text() string { return s.text }

// Routes returns the number of routes.
func (s *Scenario) Routes() int { return len(s.added) }

// Methods are the methods that a route may name, sorted.
var Methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// AnyMethod is the method of a route without one. The route answers requests of any
// method except OPTIONS, CONNECT and TRACE.
const AnyMethod = ""

// reserved are first segments of a path that no route may use.
var reserved = []string{"admin", "ca.pem", "healthz", "metrics", "openapi.yaml", "readyz", "scenario.schema.json",
	"version"}

// Find returns the template of the route for the method and path. If there is none, it
// returns the methods of other routes at the path and OPTIONS, separated by commas, or
// "". The path is percent-encoded. Find compares decoded segments, so %2F does not split
// a segment.
func (s *Scenario) Find(method, path string) (template *plan.Template, allowed string) {
	path, ok := strings.CutPrefix(path, "/")
	if !ok || isReserved(path) {
		return nil, ""
	}
	if template = s.root.find(path, method); template != nil {
		return template, ""
	}
	return nil, s.root.allowed(path)
}

func isReserved(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return slices.Contains(reserved, unescaped(first))
}

// unescaped decodes a segment.
func unescaped(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	text, _ := url.PathUnescape(segment)
	return text
}

// Example returns the method and path of a request that a route answers, such as GET
// and /products/1. It prefers the first route that answers GET.
func (s *Scenario) Example() (method, path string) {
	for _, p := range s.added {
		if answers(p.method, http.MethodGet) {
			return http.MethodGet, p.example()
		}
	}
	first := s.added[0] // its method is not AnyMethod, which answers GET
	return first.method, first.example()
}
