package scenario

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// Load reads the routes of a file of that name. The error joins all that is
// wrong with it, each as file:line:column: what was read, what is accepted.
//
//	routes:
//	  - method: GET                  # any but OPTIONS, CONNECT and TRACE, without it
//	    path: /products/{id}         # {id} is one segment, {rest...} all that follow
//	    delay: lognormal:40ms,300ms  # from here to pool, as everywhere
//	    body_delay: 10ms
//	    status: 503:2
//	    rate: 100
//	    fault: truncate
//	    fail_first: 2
//	    pool: {name: db, workers: 4, queue: 16}
//	    barrier: {name: checkout, parties: 3, timeout: 5s} # or hold: {name: checkout, timeout: 5s}
//	    json: {name: kettle}         # any value; or body: text, or size: 1000
//	    headers: {Cache-Control: max-age=60, Set-Cookie: [a=1, b=2]}
//	    limit: {rate: 10/s, burst: 5} # what is over it is answered 429
func Load(file string, text []byte, planner *plan.Planner) (*Scenario, error) {
	l := loader{
		reader:  reader{file: file},
		planner: planner,
		shared:  map[string]shared{},
	}
	if root := l.document(text); root != nil {
		l.routes(root)
	}
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	return &Scenario{root: l.root, added: l.added}, nil
}

// loader reads one file.
type loader struct {
	reader
	planner *plan.Planner
	root    node
	added   []pattern
	shared  map[string]shared // by kind and name
}

// shared is how a pool or a barrier was defined first.
type shared struct {
	line int
	as   string
}

func (l *loader) routes(root *yaml.Node) {
	before := len(l.faults)
	entries := l.mapping(root, "the file", []string{"routes"})
	if len(entries) == 0 && len(l.faults) == before {
		l.fail(root, "the file has no routes; accepted: routes: and a list of them")
	}
	for _, e := range entries {
		items := l.list(e.value, "routes")
		if len(items) == 0 && len(l.faults) == before {
			l.fail(e.key, "routes is empty; accepted: one route or more")
		}
		for _, item := range items {
			l.route(item)
		}
	}
}

// Keys are those of a route.
var Keys = []string{
	"method", "path", "delay", "body_delay", "status", "headers", "body", "json", "size",
	"rate", "fault", "fail_first", "pool", "barrier", "hold", "limit",
}

// definition is what a file says of one route: its parameters, and where each
// of their values was read.
type definition struct {
	values url.Values
	at     map[string][]*yaml.Node
}

func (d definition) add(name, value string, at *yaml.Node) {
	d.values.Add(name, value)
	d.at[name] = append(d.at[name], at)
}

func (l *loader) route(n *yaml.Node) {
	before := len(l.faults)
	entries := l.mapping(n, "a route", Keys)
	if len(entries) == 0 && len(l.faults) > before {
		return
	}
	p, ok := pattern{method: AnyMethod}, true
	d := definition{values: url.Values{}, at: map[string][]*yaml.Node{}}
	for _, e := range entries {
		switch name := e.key.Value; name {
		case "method":
			p.method, ok = l.readMethod(e)
		case "path":
			p.path, p.at = l.readPath(e), e.key
		case "headers":
			l.headers(e, d)
		case "json":
			if text, ok := l.json(e.value); ok {
				d.add(name, text, e.key)
			}
		case "pool":
			if l.parts(e, d, []part{{"name", "pool", true}, {"workers", "workers", true}, {"queue", "queue", false}}) {
				l.share(e, d, "workers", "queue")
			}
		case "barrier":
			if l.parts(e, d, []part{{"name", "barrier", true}, {"parties", "parties", true}, {"timeout", "timeout", false}}) {
				l.share(e, d, "parties")
			}
		case "hold":
			l.parts(e, d, []part{{"name", "hold", true}, {"timeout", "timeout", false}})
		case "limit":
			l.parts(e, d, []part{{"rate", "limit", true}, {"burst", "burst", false}})
		default:
			if text, ok := l.scalar(e.value, name); ok {
				d.add(name, text, e.key)
			}
		}
	}
	if p.at == nil {
		l.fail(n, "the route has no path; accepted: path: /products/{id}")
	}
	template, errs := l.planner.Prepare(p.String(), d.values)
	for _, err := range errs {
		l.fail(d.at[err.Name][err.Index], "%v", err)
	}
	if ok && p.path != "" {
		l.add(p, template)
	}
}

func (l *loader) headers(e entry, d definition) {
	for _, h := range l.mapping(e.value, "headers", nil) {
		name := h.key.Value
		if strings.Contains(name, ":") {
			l.fail(h.key, "header %s has a colon in its name; accepted: Name: value", problem.Quote(name))
			continue
		}
		values := []*yaml.Node{h.value}
		if list := target(h.value); list.Kind == yaml.SequenceNode {
			values = list.Content
		}
		for _, v := range values {
			if text, ok := l.scalar(v, "header "+name); ok {
				d.add("header", name+":"+text, h.key)
			}
		}
	}
}

// part is a key within pool, barrier, hold or limit, and the parameter that it is.
type part struct {
	key, parameter string
	required       bool
}

// parts reads them all, or reports false.
func (l *loader) parts(e entry, d definition, parts []part) bool {
	what, before := e.key.Value, len(l.faults)
	keys := make([]string, len(parts))
	for i, p := range parts {
		keys[i] = p.key
	}
	entries := l.mapping(e.value, what, keys)
	read := definition{values: url.Values{}, at: map[string][]*yaml.Node{}}
	for _, p := range parts {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.key.Value == p.key })
		if i >= 0 {
			if text, ok := l.scalar(entries[i].value, what+"."+p.key); ok {
				read.add(p.parameter, text, entries[i].key)
			}
		} else if p.required && len(l.faults) == before {
			l.fail(e.key, "%s has no %s; accepted: %s", what, p.key, strings.Join(keys, ", "))
		}
	}
	if len(l.faults) > before {
		return false
	}
	maps.Copy(d.values, read.values)
	maps.Copy(d.at, read.at)
	return true
}

// share has all routes that name a pool or a barrier define it alike, by the
// parameters.
func (l *loader) share(e entry, d definition, parameters ...string) {
	kind := e.key.Value
	name, mine := d.values.Get(kind), shared{line: e.key.Line}
	for _, parameter := range parameters {
		mine.as += " " + d.values.Get(parameter)
	}
	first, known := l.shared[kind+" "+name]
	switch {
	case !known:
		l.shared[kind+" "+name] = mine
	case first.as != mine.as:
		l.fail(e.key, "%s %s is defined otherwise in line %d; accepted: the same %s wherever it is named",
			kind, problem.Quote(name), first.line, strings.Join(parameters, " and "))
	}
}
