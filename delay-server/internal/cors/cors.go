// Package cors sets the headers that let the pages of CORS_ORIGINS read responses.
package cors

import (
	"net/http"
	"slices"
	"strings"

	"flash.test/delay-server/kit/httpkit"
)

// AnyMethod is the Allow of a path that takes any method: the usual ones.
const AnyMethod = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

// Methods are the methods that every response except a preflight's allows, as in Flash.
const Methods = "GET, POST"

// Header values that all responses share. Header.Set would allocate a slice for each
// response: that was 4 of 31 allocations and 5 to 12 % of BenchmarkHandler's time.
var (
	anyOrigin  = []string{"*"}
	methods    = []string{Methods}
	exposed    = []string{"Retry-After, Server-Timing, X-Ignored-Parameters"}
	varyOrigin = []string{"Origin"}
)

// Policy decides which origins may read responses. Use New.
type Policy struct {
	any     bool
	allowed map[string]bool // in lower case
}

// New returns the policy of a list of origins, or of "*" or "none".
func New(origins []string) Policy {
	p := Policy{allowed: map[string]bool{}}
	for _, origin := range origins {
		p.any = p.any || origin == "*"
		p.allowed[strings.ToLower(origin)] = origin != "none"
	}
	return p
}

// SetHeaders lets the pages of origin read the response if the policy allows it.
func (p Policy) SetHeaders(h http.Header, origin string) {
	allowed := anyOrigin
	if !p.any {
		h["Vary"] = varyOrigin
		if !p.allowed[strings.ToLower(origin)] {
			return
		}
		allowed = []string{origin}
	}
	h["Access-Control-Allow-Origin"] = allowed
	h["Access-Control-Allow-Methods"] = methods
	h["Access-Control-Expose-Headers"] = exposed
	h["Timing-Allow-Origin"] = allowed
}

// SetPreflight lets the pages of r's origin send the methods if the policy allows it.
func (p Policy) SetPreflight(h http.Header, r *http.Request, methods string) {
	p.SetHeaders(h, r.Header.Get("Origin"))
	if h.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	if m := r.Header.Get("Access-Control-Request-Method"); methods == AnyMethod && isUnusual(m) {
		methods += ", " + m
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Max-Age", "600")
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
}

// isUnusual reports whether a path that takes any method takes m although AnyMethod
// does not list it.
func isUnusual(m string) bool {
	return httpkit.Method.MatchString(m) && m != http.MethodConnect && m != http.MethodTrace &&
		!slices.Contains(strings.Split(AnyMethod, ", "), m)
}

// Varies returns a function that returns an origin if SetHeaders treats it
// specially, or "". It is nil if SetHeaders treats all origins the same.
func (p Policy) Varies() func(origin string) string {
	if p.any {
		return nil
	}
	return func(origin string) string {
		if p.allowed[strings.ToLower(origin)] {
			return origin
		}
		return ""
	}
}
