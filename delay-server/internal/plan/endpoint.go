package plan

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// Endpoint describes an endpoint that waits. It is a row of the only table of these
// endpoints: the server's routes, OpenAPI and /doc are derived from it.
type Endpoint struct {
	Pattern    string            // such as "/delay/{delay}/url/{url...}"
	Group      string            // one of groups
	Summary    string            // in the imperative
	Meaning    string            // what it does, in Markdown
	Example    string            // path and query of a quick request
	Parameters []Parameter       // besides the shared ones
	Omits      map[string]string // rejected shared parameters, and what to use instead
	Responses  string            // OpenAPI's responses, as YAML, besides the shared ones

	TargetQuery bool // the query belongs to the target URL
	Redirects   bool
	Forwards    bool // another server answers

	seconds bool // a bare number in a time is seconds
	parse   func(*Planner, args) (*Template, error)
}

// registered are all endpoints, in no order. No path matches two of them.
var registered []Endpoint

// registerEndpoint adds a row to the table, as register does.
func registerEndpoint(e Endpoint) Endpoint {
	registered = append(registered, e)
	return e
}

// groups are the groups of endpoints, in the order of the documentation.
var groups = []string{"waits", "go-httpbin", "events"}

// Endpoints returns all endpoints that wait, by group and pattern.
func Endpoints() []Endpoint {
	return slices.SortedFunc(slices.Values(registered), func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(slices.Index(groups, a.Group), slices.Index(groups, b.Group)),
			cmp.Compare(a.Pattern, b.Pattern))
	})
}

// Accepts returns the parameters of e: its own, then the shared ones.
func (e Endpoint) Accepts() []Parameter {
	all := slices.Clone(e.Parameters)
	if e.TargetQuery {
		return all
	}
	for _, p := range Parameters() {
		if _, omitted := e.Omits[p.Name]; p.In == InQuery && !omitted {
			all = append(all, p)
		}
	}
	return all
}

// Patterns returns e's pattern, and a second one with a trailing slash if e matches
// it.
func (e Endpoint) Patterns() []string {
	if p := newPattern(e.Pattern); p.kind == segment && p.suffix == "" {
		return []string{e.Pattern, e.Pattern + "/"}
	}
	return []string{e.Pattern}
}

// Unit is what a bare number in a time counts.
type Unit string

// The units, as Go durations write them.
const (
	Milliseconds Unit = "ms"
	Seconds      Unit = "s"
)

// Unit returns the unit of e's times.
func (e Endpoint) Unit() Unit {
	if e.seconds {
		return Seconds
	}
	return Milliseconds
}

// Paths returns e's patterns in OpenAPI's form, {name} for {name...}.
func (e Endpoint) Paths() []string {
	paths := e.Patterns()
	for i, p := range paths {
		paths[i] = strings.Replace(p, "...", "", 1)
	}
	return paths
}

// endpoint is an Endpoint, prepared for requests.
type endpoint struct {
	Endpoint
	pattern
	rows     []*Parameter
	known    []string // query parameters, including omitted ones; nil if the query belongs to a target
	repeated []string // known parameters that may be repeated
}

func newEndpoints() []*endpoint {
	var all []*endpoint
	for _, e := range Endpoints() {
		prepared := &endpoint{Endpoint: e, pattern: newPattern(e.Pattern), rows: pointers(e.Accepts())}
		for _, p := range prepared.rows {
			if p.In != InQuery {
				continue
			}
			prepared.known = append(prepared.known, p.Name)
			if p.Repeated {
				prepared.repeated = append(prepared.repeated, p.Name)
			}
		}
		for name := range e.Omits {
			prepared.known = append(prepared.known, name)
		}
		slices.Sort(prepared.known)
		all = append(all, prepared)
	}
	return all
}

func pointers(rows []Parameter) []*Parameter {
	all := make([]*Parameter, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}

// args are the parts of a request's URL that an endpoint parses.
type args struct {
	*endpoint
	path  string // percent-encoded
	param string // {name} or {name...} of the pattern, percent-encoded; "" for none
	rest  string // {name...} after {name}, percent-encoded; "" for none
	query string // percent-encoded
}

// name returns the name by which limit counts a template's requests.
func (a args) name() string { return unescaped(a.path) }

// unescaped decodes a part of a path. It returns an invalid part unchanged.
func unescaped(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

// Find returns the template of the request's path and query, or nil if no waiting
// endpoint is at the path. It is safe for concurrent use. The error is a *DelayError
// or a *problem.Problem.
func (p *Planner) Find(r Request) (*Template, error) {
	e := p.find(r.Path)
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

// findByKey is not inlined: its buffer would be on the stack of each waiting request.
//
//go:noinline
func (p *Planner) findByKey(e *endpoint, r Request) (*Template, error) {
	var buf [192]byte
	key := e.appendKey(buf[:0], r.Query)
	if t := p.cache.get(r.Path, key); t != nil {
		return t, nil
	}
	t, err := p.parse(e, r)
	if err == nil && !t.large {
		p.cache.put(strings.Clone(r.Path), string(key), t)
	}
	return t, err
}

// find returns the endpoint at the path, or nil.
func (p *Planner) find(path string) *endpoint {
	for _, e := range p.endpoints {
		if _, _, ok := e.match(path); ok {
			return e
		}
	}
	return nil
}

// parse returns a new template for a request to e. It copies the request's strings.
//
//go:noinline
func (p *Planner) parse(e *endpoint, r Request) (*Template, error) {
	a := args{endpoint: e, path: strings.Clone(r.Path), query: strings.Clone(r.Query)}
	a.param, a.rest, _ = e.match(a.path)
	return e.Endpoint.parse(p, a)
}

// appendKey appends the query to b, without the values of unknown parameters and of run:
// they do not change the template. It keeps values with escapes, since they may be
// malformed.
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

// isPlain reports whether a part of a query is its own decoded form.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '%' || c == '+' || c == ';' || c >= 0x80 {
			return false
		}
	}
	return true
}

// pattern matches paths like Echo: {name} matches one segment, and {name...} the rest
// of the path. Either can be empty, but not at the end of a path. A slash may follow a
// {name} at the end of the pattern.
type pattern struct {
	prefix string // up to the first parameter
	kind   paramKind
	suffix string // between {name} and {name...}; "" if the pattern ends in {name}
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

// match reports whether p matches the path. It returns the parameter and what follows
// p's suffix.
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
