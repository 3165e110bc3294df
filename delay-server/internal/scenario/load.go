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

// Load parses the text of a scenario file. It joins all errors, each in the form
// file:line:column: text.
//
//	routes:
//	  - method: GET                  # by default any except OPTIONS, CONNECT and TRACE
//	    path: /products/{id}         # {id} is one segment, {rest...} the rest of the path
//	    delay: lognormal:40ms,300ms
//	    pool: {name: db, workers: 4, queue: 16}
//	    json: {name: kettle}
//
// Besides method and path, the keys are plan.RouteParameters; Schema describes
// all keys.
func Load(file string, text []byte, planner *plan.Planner) (*Scenario, error) {
	return loadWithin(file, text, planner, limits{})
}

// limits bound a scenario; zero stands for none.
type limits struct {
	routes int
	values int // total length of the routes' values, with each alias expanded, plus attemptSize for each attempt
	faults int // errors to report
}

// attemptSize is about what the template of an attempt takes without its values.
const attemptSize = 1000

func loadWithin(file string, text []byte, planner *plan.Planner, within limits) (*Scenario, error) {
	l := loader{
		reader:  reader{file: file, maxFaults: within.faults},
		planner: planner,
		limits:  within,
		shared:  map[string]shared{},
	}
	if root := l.document(text); root != nil {
		l.routes(root)
	}
	if len(l.faults) > 0 {
		return nil, l.err()
	}
	return &Scenario{text: string(text), values: l.values, root: l.root, added: l.added}, nil
}

// loader loads one file.
type loader struct {
	reader
	planner *plan.Planner
	limits  limits
	values  int // as in limits
	root    node
	added   []pattern
	shared  map[string]shared // by key and name
}

// shared is the first definition of a pool or a barrier.
type shared struct {
	line   int
	values string
}

func (l *loader) routes(root *yaml.Node) {
	before := len(l.faults)
	entries := l.mapping(root, "the scenario", []string{"routes"})
	if len(entries) == 0 && len(l.faults) == before {
		l.fail(root, "the scenario has no routes: use routes: and a list")
	}
	for _, e := range entries {
		items := l.list(e.value, "routes")
		if len(items) == 0 && len(l.faults) == before {
			l.fail(e.key, "routes is empty: use one route or more")
		}
		if max := l.limits.routes; max > 0 && len(items) > max {
			l.fail(e.key, "%d routes are too many: use up to %d", len(items), max)
			return
		}
		for _, item := range items {
			l.route(item)
			if l.tooLarge() {
				l.fail(item, "the routes have more than %d bytes with each alias expanded"+
					": use fewer aliases, or fewer attempts (%d bytes each)", l.limits.values, attemptSize)
				return
			}
			if l.more {
				return
			}
		}
	}
}

// tooLarge reports whether the routes so far exceed limits.values.
func (l *loader) tooLarge() bool { return l.limits.values > 0 && l.values > l.limits.values }

// definition has the parameters of a route or of an attempt, and the position of each
// value.
type definition struct {
	node   *yaml.Node
	values url.Values
	at     map[string][]*yaml.Node
}

func newDefinition(n *yaml.Node) definition {
	return definition{n, url.Values{}, map[string][]*yaml.Node{}}
}

// size returns the length of all values.
func (d definition) size() (n int) {
	for _, values := range d.values {
		for _, value := range values {
			n += len(value)
		}
	}
	return n
}

func (d definition) add(name, value string, at *yaml.Node) {
	d.values.Add(name, value)
	d.at[name] = append(d.at[name], at)
}

// position returns the node with the error.
func (d definition) position(err *plan.ParameterError) *yaml.Node {
	if nodes := d.at[err.Name]; err.Index < len(nodes) {
		return nodes[err.Index]
	}
	return d.node // of an attempt, with which a key of the route conflicts
}

func (l *loader) route(n *yaml.Node) {
	before := len(l.faults)
	entries := l.mapping(n, "a route", names(keys()))
	if len(entries) == 0 && len(l.faults) > before {
		return
	}
	p, ok := pattern{method: AnyMethod}, true
	d := newDefinition(n)
	var attempts []definition
	for _, e := range entries {
		switch k := findKey(e.key.Value); k.name {
		case "method":
			p.method, ok = l.readMethod(e)
		case "path":
			p.path, p.at = l.readPath(e), e.key
		case "attempts":
			if attempts = l.attempts(e); attempts != nil {
				d.add(k.parameter.Name, "", e.key)
			}
		default:
			l.parameter(e, d, k)
		}
	}
	if p.at == nil {
		l.fail(n, "the route has no path: use path: /products/{id}")
	}
	l.values += d.size()
	var values []url.Values
	for _, a := range attempts {
		l.values += attemptSize + d.size() + a.size()
		values = append(values, a.values)
	}
	if l.tooLarge() {
		return
	}
	template, errs := l.planner.Prepare(p.String(), d.values, values...)
	for _, err := range errs {
		of := d
		if err.Attempt > 0 {
			of = attempts[err.Attempt-1]
		}
		l.fail(of.position(err), "%v", err)
	}
	if ok && p.path != "" {
		l.add(p, template)
	}
}

// parameter reads a key of a route or of an attempt.
func (l *loader) parameter(e entry, d definition, k key) {
	switch {
	case k.parts != nil:
		l.parts(e, d, k)
	case k.parameter.Repeated:
		l.headers(e, d)
	case k.isAny():
		if text, ok := l.json(e.value); ok {
			d.add(k.parameter.Name, text, e.key)
		}
	default:
		if text, ok := l.scalar(e.value, k.name); ok {
			d.add(k.parameter.Name, text, e.key)
		}
	}
}

// attempts reads a list of attempts: mappings, and words such as 503@2s.
func (l *loader) attempts(e entry) []definition {
	before := len(l.faults)
	items := l.list(e.value, "attempts")
	switch {
	case len(items) == 0 && len(l.faults) == before:
		l.fail(e.key, "attempts is empty: use one entry or more")
	case len(items) > plan.MaxAttempts:
		l.fail(e.key, "%v", plan.TooManyAttempts(len(items)))
		return nil
	}
	var all []definition
	for _, item := range items {
		d := newDefinition(item)
		if target(item).Kind == yaml.MappingNode {
			for _, e := range l.mapping(item, "an attempt", names(attemptKeys())) {
				l.parameter(e, d, findKey(e.key.Value))
			}
		} else if text, ok := l.scalar(item, "an attempt"); ok {
			values, err := l.planner.Attempt(text)
			if err != nil {
				l.fail(item, "%v", err)
			}
			for name := range values {
				d.add(name, values.Get(name), item)
			}
		}
		all = append(all, d)
	}
	return all
}

func (l *loader) headers(e entry, d definition) {
	for _, h := range l.mapping(e.value, "headers", nil) {
		name := h.key.Value
		if strings.Contains(name, ":") {
			l.fail(h.key, "header %s has a colon in its name: use Name: value", problem.Quote(name))
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

// parts reads the keys of a mapping such as pool.
func (l *loader) parts(e entry, d definition, k key) {
	before := len(l.faults)
	var names []string
	for _, part := range k.parts {
		names = append(names, part.name)
	}
	entries := l.mapping(e.value, k.name, names)
	read := newDefinition(e.value)
	for _, part := range k.parts {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.key.Value == part.name })
		if i >= 0 {
			if text, ok := l.scalar(entries[i].value, k.name+"."+part.name); ok {
				read.add(part.parameter.Name, text, entries[i].key)
			}
		} else if part.required && len(l.faults) == before {
			l.fail(e.key, "%s needs %s", k.name, part.name)
		}
	}
	if len(l.faults) > before {
		return
	}
	maps.Copy(d.values, read.values)
	maps.Copy(d.at, read.at)
	l.share(e, d, k)
}

// share returns an error if another route defines the same pool or barrier differently.
func (l *loader) share(e entry, d definition, k key) {
	var same []string
	mine := shared{line: e.key.Line}
	for _, part := range k.parts {
		if part.parameter.Same {
			same = append(same, part.name)
			mine.values += " " + d.values.Get(part.parameter.Name)
		}
	}
	if same == nil {
		return
	}
	name := d.values.Get(k.parts[0].parameter.Name)
	first, known := l.shared[k.name+" "+name]
	switch {
	case !known:
		l.shared[k.name+" "+name] = mine
	case first.values != mine.values:
		l.fail(e.key, "%s %s is defined differently in line %d: use the same %s",
			k.name, problem.Quote(name), first.line, strings.Join(same, " and "))
	}
}
