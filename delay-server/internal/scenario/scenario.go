// Package scenario turns a YAML file of routes into plans, so that the server
// stands in for a whole set of slow services.
package scenario

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"flash.test/delay-server/internal/plan"
)

// Scenario is the routes of one file. It does not change: requests that have
// begun with it end with it.
type Scenario struct {
	mux    *http.ServeMux
	firsts map[string]bool // first segments of all paths; nil where one is a parameter
	routes int
}

// Route is one route of a file.
type Route struct{ *plan.Route }

// ServeHTTP makes a Route what http.ServeMux finds. Nobody calls it.
func (*Route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Routes returns how many routes there are.
func (s *Scenario) Routes() int { return s.routes }

// Methods are those that a route may have, sorted.
var Methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// anyMethod are those of a route that names none: OPTIONS is a browser's
// question about the others, and GET has HEAD with it.
var anyMethod = []string{"DELETE", "GET", "PATCH", "POST", "PUT"}

// reservedPaths and all below them are the server's own, whatever the file says.
var reservedPaths = []string{"/admin", "/ca.pem", "/healthz", "/metrics", "/openapi.yaml", "/readyz", "/version"}

func isReserved(path string) bool {
	return slices.ContainsFunc(reservedPaths, func(own string) bool {
		return path == own || strings.HasPrefix(path, own+"/")
	})
}

// Find returns the route of a request. Where there is none, it returns the
// methods that are answered at the request's path, by comma, if any is: OPTIONS
// is among them then. A path is taken as it came: neither cleaned nor redirected.
func (s *Scenario) Find(r *http.Request) (route *Route, allowed string) {
	if isReserved(r.URL.Path) || !s.begins(r.URL) {
		return nil, ""
	}
	handler, _ := s.mux.Handler(r)
	if route, ok := handler.(*Route); ok {
		return route, ""
	}
	refused := refusal{header: http.Header{}}
	handler.ServeHTTP(&refused, r)
	if refused.status != http.StatusMethodNotAllowed {
		return nil, ""
	}
	allowed = refused.header.Get("Allow")
	if !strings.Contains(allowed, http.MethodOptions) {
		allowed += ", " + http.MethodOptions
	}
	return nil, allowed
}

// begins reports whether any route's path may begin as that of u. It spares the
// server's own paths the mux, which is slow in finding nothing.
func (s *Scenario) begins(u *url.URL) bool {
	return s.firsts == nil || u.RawPath != "" || s.firsts[firstSegment(u.Path)]
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// refusal is what the mux would answer where it has no route: not found, a
// redirect to a clean path, or which methods there are.
type refusal struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (r *refusal) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *refusal) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *refusal) Write(p []byte) (int, error) { return len(p), nil }
