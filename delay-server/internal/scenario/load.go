package scenario

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/yamlfile"
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
		Reader:  yamlfile.Reader{File: file, MaxFaults: within.faults},
		planner: planner,
		limits:  within,
		shared:  map[string]shared{},
	}
	if root := l.Document(text, "the scenario is empty: use routes: and a list"); root != nil {
		l.routes(root)
	}
	if l.Faults() > 0 {
		return nil, l.Err()
	}
	return &Scenario{text: string(text), values: l.values, root: l.root, added: l.added}, nil
}

// loader loads one file.
type loader struct {
	yamlfile.Reader
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
	before := l.Faults()
	entries := l.Mapping(root, "the scenario", []string{"routes"})
	if len(entries) == 0 && l.Faults() == before {
		l.Fail(root, "the scenario has no routes: use routes: and a list")
	}
	for _, e := range entries {
		items := l.List(e.Value, "routes")
		if len(items) == 0 && l.Faults() == before {
			l.Fail(e.Key, "routes is empty: use one route or more")
		}
		if max := l.limits.routes; max > 0 && len(items) > max {
			l.Fail(e.Key, "%d routes are too many: use up to %d", len(items), max)
			return
		}
		for _, item := range items {
			l.route(item)
			if l.tooLarge() {
				l.Fail(item, "the routes have more than %d bytes with each alias expanded"+
					": use fewer aliases, or fewer attempts (%d bytes each)", l.limits.values, attemptSize)
				return
			}
			if l.More() {
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
	before := l.Faults()
	entries := l.Mapping(n, "a route", names(keys()))
	if len(entries) == 0 && l.Faults() > before {
		return
	}
	p, ok := pattern{method: AnyMethod}, true
	d := newDefinition(n)
	var attempts []definition
	for _, e := range entries {
		switch k := findKey(e.Key.Value); k.name {
		case "method":
			p.method, ok = l.readMethod(e)
		case "path":
			p.path, p.at = l.readPath(e), e.Key
		case "attempts":
			if attempts = l.attempts(e); attempts != nil {
				d.add(k.parameter.Name, "", e.Key)
			}
		default:
			l.parameter(e, d, k)
		}
	}
	if p.at == nil {
		l.Fail(n, "the route has no path: use path: /products/{id}")
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
		l.Fail(of.position(err), "%v", err)
	}
	if ok && p.path != "" {
		l.add(p, template)
	}
}

// parameter reads a key of a route or of an attempt.
func (l *loader) parameter(e yamlfile.Entry, d definition, k key) {
	switch {
	case k.parts != nil:
		l.parts(e, d, k)
	case k.parameter.Repeated:
		l.headers(e, d)
	case k.isAny():
		if text, ok := l.JSON(e.Value); ok {
			d.add(k.parameter.Name, text, e.Key)
		}
	default:
		if text, ok := l.Scalar(e.Value, k.name); ok {
			d.add(k.parameter.Name, text, e.Key)
		}
	}
}

// attempts reads a list of attempts: mappings, and words such as 503@2s.
func (l *loader) attempts(e yamlfile.Entry) []definition {
	before := l.Faults()
	items := l.List(e.Value, "attempts")
	switch {
	case len(items) == 0 && l.Faults() == before:
		l.Fail(e.Key, "attempts is empty: use one entry or more")
	case len(items) > plan.MaxAttempts:
		l.Fail(e.Key, "%v", plan.TooManyAttempts(len(items)))
		return nil
	}
	var all []definition
	for _, item := range items {
		d := newDefinition(item)
		if yamlfile.Target(item).Kind == yaml.MappingNode {
			for _, e := range l.Mapping(item, "an attempt", names(attemptKeys())) {
				l.parameter(e, d, findKey(e.Key.Value))
			}
		} else if text, ok := l.Scalar(item, "an attempt"); ok {
			values, err := l.planner.Attempt(text)
			if err != nil {
				l.Fail(item, "%v", err)
			}
			for name := range values {
				d.add(name, values.Get(name), item)
			}
		}
		all = append(all, d)
	}
	return all
}

func (l *loader) headers(e yamlfile.Entry, d definition) {
	for _, h := range l.Mapping(e.Value, "headers", nil) {
		name := h.Key.Value
		if strings.Contains(name, ":") {
			l.Fail(h.Key, "header %s has a colon in its name: use Name: value", problem.Quote(name))
			continue
		}
		values := []*yaml.Node{h.Value}
		if list := yamlfile.Target(h.Value); list.Kind == yaml.SequenceNode {
			values = list.Content
		}
		for _, v := range values {
			if text, ok := l.Scalar(v, "header "+name); ok {
				d.add("header", name+":"+text, h.Key)
			}
		}
	}
}

// parts reads the keys of a mapping such as pool.
func (l *loader) parts(e yamlfile.Entry, d definition, k key) {
	before := l.Faults()
	var names []string
	for _, part := range k.parts {
		names = append(names, part.name)
	}
	entries := l.Mapping(e.Value, k.name, names)
	read := newDefinition(e.Value)
	for _, part := range k.parts {
		i := slices.IndexFunc(entries, func(e yamlfile.Entry) bool { return e.Key.Value == part.name })
		if i >= 0 {
			if text, ok := l.Scalar(entries[i].Value, k.name+"."+part.name); ok {
				read.add(part.parameter.Name, text, entries[i].Key)
			}
		} else if part.required && l.Faults() == before {
			l.Fail(e.Key, "%s needs %s", k.name, part.name)
		}
	}
	if l.Faults() > before {
		return
	}
	maps.Copy(d.values, read.values)
	maps.Copy(d.at, read.at)
	l.share(e, d, k)
}

// share returns an error if another route defines the same pool or barrier differently.
func (l *loader) share(e yamlfile.Entry, d definition, k key) {
	var same []string
	mine := shared{line: e.Key.Line}
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
		l.Fail(e.Key, "%s %s is defined differently in line %d: use the same %s",
			k.name, problem.Quote(name), first.line, strings.Join(same, " and "))
	}
}
