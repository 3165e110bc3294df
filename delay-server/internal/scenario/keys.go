package scenario

import (
	"slices"
	"strings"
	"sync"

	"flash.test/delay-server/internal/plan"
)

// key is a key of a route, or of a mapping within a route such as pool.
type key struct {
	name      string
	parameter plan.Parameter // set by the key, unless it has parts
	required  bool
	parts     []key // keys of the mapping, the name first; nil for a key with one value
}

// isAny reports whether the key takes any YAML value.
func (k key) isAny() bool { return k.parameter.Schema == "{}" }

// keys returns the keys of a route: method, path, and one for each of plan's
// parameters.
var keys = sync.OnceValue(func() []key {
	all := []key{{name: "method"}, {name: "path", required: true}}
	for _, p := range plan.RouteParameters() {
		name, part, isPart := strings.Cut(p.Route, ".")
		if !isPart {
			all = append(all, key{name: name, parameter: p})
			continue
		}
		i := slices.IndexFunc(all, func(k key) bool { return k.name == name })
		if i < 0 {
			i = len(all)
			all = append(all, key{name: name})
		}
		// The parameter with the mapping's name comes first and is required.
		own := p.Name == name
		added := key{name: part, parameter: p, required: own || p.Required || requires(name, p.Name)}
		if own {
			all[i].parts = append([]key{added}, all[i].parts...)
		} else {
			all[i].parts = append(all[i].parts, added)
		}
	}
	return all
})

// requires reports whether the parameter requires the other one.
func requires(parameter, other string) bool {
	return slices.ContainsFunc(plan.Parameters(), func(p plan.Parameter) bool {
		return p.Name == parameter && p.Requires == other
	})
}

// attemptKeys returns the keys of an attempt in a route's script: keys of a route, except
// method, path and what counts attempts.
func attemptKeys() []key {
	return slices.DeleteFunc(slices.Clone(keys()), func(k key) bool {
		return k.name == "method" || k.name == "path" || k.parameter.Counts
	})
}

// names returns the names of the keys.
func names(keys []key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.name)
	}
	return all
}

// findKey returns the key with the name, which must be known.
func findKey(name string) key {
	return keys()[slices.IndexFunc(keys(), func(k key) bool { return k.name == name })]
}
