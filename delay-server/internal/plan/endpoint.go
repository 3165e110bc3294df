package plan

import (
	"net/url"
	"slices"
	"strings"
)

// endpoints are all endpoints that wait. Their paths have no match in common.
var endpoints = []*endpoint{
	newEndpoint("/delay/{delay}", (*Planner).delay, known),
	newEndpoint("/delay/{delay}/url/{target...}", (*Planner).redirect, nil),
	newEndpoint("/delay/{delay}/proxy/{target...}", (*Planner).proxy, nil),
	newEndpoint("/drip", (*Planner).drip, known, ofHTTPBin, ofDrip),
	newEndpoint("/sse", (*Planner).sse, known, ofHTTPBin, ofSSE),
	newEndpoint("/status/{codes...}", (*Planner).status, known, ofHTTPBin),
	newEndpoint("/bytes/{n...}", (*Planner).bytes, known, ofHTTPBin),
	newEndpoint("/barrier/{name...}", (*Planner).barrier, known, ofBarrier),
	newEndpoint("/hold/{name...}", (*Planner).hold, known, ofHold),
}

// endpoint is an endpoint that waits.
type endpoint struct {
	pattern
	parse func(*Planner, args) (*Template, error)
	known []string // query parameters; nil where the query is not the endpoint's own
}

func newEndpoint(pattern string, parse func(*Planner, args) (*Template, error), known ...[]string) *endpoint {
	return &endpoint{newPattern(pattern), parse, slices.Concat(known...)}
}

// args are what a request gives to an endpoint.
type args struct {
	path  string   // percent-encoded
	param string   // {name} or {name...} of the pattern, percent-encoded; "" for none
	rest  string   // what {name...} matches behind {name}, percent-encoded
	query string   // percent-encoded
	known []string // query parameters
}

// name returns what fail_first counts a template's requests by.
func (a args) name() string { return unescaped(a.path) }

// unescaped returns a part of a path without its escapes.
func unescaped(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// Find returns the template of the request's path and query, or nil where no
// endpoint that waits is at the path. Any goroutine may call it. The error is a
// *DelayError or a *problem.Problem.
func (p *Planner) Find(r Request) (*Template, error) {
	e := find(r.Path)
	if e == nil {
		return nil, nil
	}
	if len(r.Path)+len(r.Query) > maxCached {
		return p.parse(e, r)
	}
	if r.Query == "" {
		if t := p.cache.get(r.Path, nil); t != nil {
			return t, nil
		}
	}
	return p.findByKey(e, r)
}

//go:noinline
func (p *Planner) findByKey(e *endpoint, r Request) (*Template, error) { // inlined, its room would be on the stack of each wait
	var room [192]byte
	key := e.appendKey(room[:0], r.Query)
	if t := p.cache.get(r.Path, key); t != nil {
		return t, nil
	}
	t, err := p.parse(e, r)
	if err == nil {
		p.cache.put(strings.Clone(r.Path), string(key), t)
	}
	return t, err
}

// find returns the endpoint at the path, or nil.
func find(path string) *endpoint {
	for _, e := range endpoints {
		if _, _, ok := e.match(path); ok {
			return e
		}
	}
	return nil
}

// parse makes the template of a request to e, of copies of the request's strings.
//
//go:noinline
func (p *Planner) parse(e *endpoint, r Request) (*Template, error) {
	a := args{path: strings.Clone(r.Path), query: strings.Clone(r.Query), known: e.known}
	a.param, a.rest, _ = e.match(a.path)
	return e.parse(p, a)
}

// appendKey appends to b the part of the query that tells templates of e apart:
// all but the values of run, which Template.Plan reads, and of parameters that e
// does not know. A value with escapes stays, since it may be malformed.
func (e *endpoint) appendKey(b []byte, query string) []byte {
	if e.known == nil {
		return append(b, query...)
	}
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		b = append(b, '&')
		equals := strings.IndexByte(pair, '=')
		if equals >= 0 && isPlain(pair) {
			if name := pair[:equals]; name == "run" || !slices.Contains(e.known, name) {
				pair = pair[:equals+1]
			}
		}
		b = append(b, pair...)
	}
	return b
}

// isPlain reports whether a part of a query stands for itself.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '%' || c == '+' || c == ';' || c >= 0x80 {
			return false
		}
	}
	return true
}

// pattern matches paths as Echo does: {name} matches one segment, and {name...}
// all that follows. Either can be empty, but not at the end of a path. Where a path
// ends in {name}, a slash may follow.
type pattern struct {
	prefix string // up to the first parameter
	kind   paramKind
	suffix string // between {name} and {name...}; "" where a path ends in {name}
}

type paramKind int

const (
	noParam  paramKind = iota
	segment            // {name}
	wildcard           // {name...}
)

func newPattern(text string) pattern {
	prefix, param, has := strings.Cut(text, "{")
	if !has {
		return pattern{prefix: prefix}
	}
	name, suffix, _ := strings.Cut(param, "}")
	if strings.HasSuffix(name, "...") {
		return pattern{prefix: prefix, kind: wildcard}
	}
	suffix, _, _ = strings.Cut(suffix, "{")
	return pattern{prefix, segment, suffix}
}

// match returns the parameter of a path that p matches, and what follows p's suffix.
func (p *pattern) match(path string) (param, rest string, ok bool) {
	if !strings.HasPrefix(path, p.prefix) {
		return "", "", false
	}
	path = path[len(p.prefix):]
	switch p.kind {
	case noParam:
		return "", "", path == ""
	case wildcard:
		return path, "", path != ""
	}
	slash := strings.IndexByte(path, '/')
	if slash < 0 {
		return path, "", p.suffix == "" && path != ""
	}
	param, path = path[:slash], path[slash:]
	if p.suffix == "" {
		return param, "", path == "/"
	}
	rest, ok = strings.CutPrefix(path, p.suffix)
	return param, rest, ok
}
