package check

import (
	"slices"
	"strings"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

var pathRow = register(Check{
	Name:  "path",
	Usage: "a path, without its query",
	Meaning: "Judges only the requests with this path, compared by its first 200 bytes. Conflicts with `order` and " +
		"the peaks, which count all requests.",
	Example: "/delay/100", Schema: `{ type: string, pattern: "^/" }`,
	Modifies: []string{
		"attempts", "backoff", "breaker", "connections_at_most", "gave_up_after", "hedged_after", "retry_after",
		"same_header", "statuses",
	},
})

// path returns the path to judge, or "" for all.
func (in *input) path() (string, error) {
	if !in.has("path") {
		return "", nil
	}
	for _, name := range checks() {
		if in.has(name) && !slices.Contains(pathRow.Modifies, name) {
			return "", problem.ConflictingParameters.New("path and %s conflict: %s counts all requests of a run",
				name, name)
		}
	}
	path := in.get("path")
	if !strings.HasPrefix(path, "/") {
		return "", invalid("path", path, "it does not begin with /", "a path such as /delay/100")
	}
	if strings.ContainsRune(path, '?') {
		return "", invalid("path", path, "it has a query", "the path alone")
	}
	return journal.Clip(path), nil
}
