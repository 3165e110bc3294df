package scenario

import (
	"net/http"
	"slices"
	"strings"

	"flash.test/delay-server/internal/plan"
)

// node is a node of the tree of paths. Each level is a segment. Inserting and finding a
// route visit each node at most once.
type node struct {
	literals map[string]*node // the next segment, unescaped
	order    []*node          // of literals, as added
	any      *node            // the next segment is a {name}
	here     []*entryPoint    // routes that end here
	rest     []*entryPoint    // routes that end in {name...}
	wild     bool             // there is a {name} or {name...} below this node
}

// entryPoint is a route in the tree.
type entryPoint struct {
	pattern  pattern
	template *plan.Template
}

// insert adds the route, or returns the pattern of a route that conflicts with it: both
// match the same request, and neither is more specific.
func (n *node) insert(p pattern, template *plan.Template) (conflict *pattern) {
	segments := p.segments()
	if other := n.conflict(segments, p.method, 0); other != nil {
		return other
	}
	point := &entryPoint{p, template}
	for _, s := range segments {
		if s.kind != literal {
			n.wild = true
		}
		if s.kind == following {
			n.rest = append(n.rest, point)
			return nil
		}
		if s.kind != literal {
			if n.any == nil {
				n.any = new(node)
			}
			n = n.any
			continue
		}
		next := n.literals[s.text]
		if next == nil {
			if n.literals == nil {
				n.literals = map[string]*node{}
			}
			next = new(node)
			n.literals[s.text], n.order = next, append(n.order, next)
		}
		n = next
	}
	n.here = append(n.here, point)
	return nil
}

// Which of two patterns is more specific in the segments compared so far.
const (
	newer = 1 << iota // the pattern to insert
	older             // the pattern in the tree
	both  = newer | older
)

// conflict returns a pattern at or below n that conflicts with a route of the method and
// the remaining segments. specific has the flags above.
func (n *node) conflict(segments []segment, method string, specific int) *pattern {
	if len(segments) == 0 {
		return clash(n.here, method, specific)
	}
	s, next := segments[0], segments[1:]
	if s.kind == following {
		if p := clash(n.rest, method, specific); p != nil || specific&newer == 0 {
			return p
		}
		return n.clashBelow(method)
	}
	if s.kind == literal {
		if child := n.literals[s.text]; child != nil {
			if p := child.conflict(next, method, specific); p != nil {
				return p
			}
		}
		if s.text != "" && n.any != nil {
			if p := n.any.conflict(next, method, specific|newer); p != nil {
				return p
			}
		}
		return clash(n.rest, method, specific|newer)
	}
	for _, child := range n.order {
		if specific&newer == 0 && !child.wild {
			continue // all patterns below it are more specific
		}
		if child == n.literals[""] {
			continue
		}
		if p := child.conflict(next, method, specific|older); p != nil {
			return p
		}
	}
	if n.any != nil {
		if p := n.any.conflict(next, method, specific); p != nil {
			return p
		}
	}
	return clash(n.rest, method, specific|newer)
}

// clashBelow returns a pattern below n that answers requests of the method too.
func (n *node) clashBelow(method string) *pattern {
	children := n.order
	if n.any != nil {
		children = append(slices.Clip(children), n.any)
	}
	for _, child := range children {
		for _, points := range [][]*entryPoint{child.here, child.rest} {
			if p := clash(points, method, both); p != nil {
				return p
			}
		}
		if p := child.clashBelow(method); p != nil {
			return p
		}
	}
	return nil
}

// clash returns the pattern of a point that conflicts with a route of the method. If the
// paths are equal, an exact method takes precedence, so that HEAD does not conflict with
// GET.
func clash(points []*entryPoint, method string, specific int) *pattern {
	for _, p := range points {
		other := p.pattern.method
		if specific == both && share(method, other) || specific == 0 &&
			(method == other || share(method, other) && method != http.MethodHead && other != http.MethodHead) {
			return &p.pattern
		}
	}
	return nil
}

// share reports whether routes of both methods answer the same request.
func share(a, b string) bool {
	return a == b || answers(a, b) || answers(b, a) || answers(a, http.MethodHead) && answers(b, http.MethodHead)
}

// answers reports whether a route of the method answers requests of the method asked.
// GET answers HEAD too. AnyMethod does not answer OPTIONS, which is for preflights, and
// CONNECT and TRACE, which are about the connection.
func answers(method, asked string) bool {
	switch method {
	case asked:
		return true
	case http.MethodGet:
		return asked == http.MethodHead
	case AnyMethod:
		return asked != http.MethodOptions && asked != http.MethodConnect && asked != http.MethodTrace
	default:
		return false
	}
}

// find returns the template of the most specific route for the method and path. The path
// has no leading slash.
func (n *node) find(path, method string) *plan.Template {
	segment, next, more := strings.Cut(path, "/")
	text := unescaped(segment)
	if child := n.literals[text]; child != nil {
		if template := child.findNext(next, more, method); template != nil {
			return template
		}
	}
	if n.any != nil && isName(text) {
		if template := n.any.findNext(next, more, method); template != nil {
			return template
		}
	}
	return pick(n.rest, method)
}

func (n *node) findNext(path string, more bool, method string) *plan.Template {
	if more {
		return n.find(path, method)
	}
	return pick(n.here, method)
}

// pick returns the template of the route with the method, else of one that answers it.
func pick(points []*entryPoint, method string) (template *plan.Template) {
	for _, p := range points {
		if p.pattern.method == method {
			return p.template
		}
		if answers(p.pattern.method, method) {
			template = p.template
		}
	}
	return template
}

// isName reports whether {name} matches the segment. It does not match segments that
// clients remove from a path.
func isName(segment string) bool { return segment != "" && segment != "." && segment != ".." }

// methods calls yield with the method of each route that matches the path.
func (n *node) methods(path string, yield func(method string)) {
	segment, next, more := strings.Cut(path, "/")
	text := unescaped(segment)
	children := [2]*node{n.literals[text]}
	if isName(text) {
		children[1] = n.any
	}
	for _, child := range children {
		switch {
		case child == nil:
		case more:
			child.methods(next, yield)
		default:
			for _, p := range child.here {
				yield(p.pattern.method)
			}
		}
	}
	for _, p := range n.rest {
		yield(p.pattern.method)
	}
}

// allowed returns the methods of the routes at the path, sorted and separated by commas,
// or "".
func (n *node) allowed(path string) string {
	var methods []string
	n.methods(path, func(method string) {
		switch method {
		case AnyMethod:
			methods = append(methods, Methods...)
		case http.MethodGet:
			methods = append(methods, method, http.MethodHead)
		default:
			methods = append(methods, method)
		}
	})
	if methods == nil {
		return ""
	}
	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}
