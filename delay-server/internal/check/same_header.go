package check

import (
	"net/http"
	"slices"
	"strings"

	"flash.test/delay-server/kit/problem"
)

var _ = register(Check{
	Name:  "same_header",
	Usage: "a header field that `JOURNAL_HEADERS` names",
	Meaning: "All requests of a sequence have the same value of the field, which is not empty. Values are compared " +
		"by their first 200 bytes. Requests that were not retried are not judged, but at least one must be.",
	Example: "Idempotency-Key", Schema: `{ type: string, minLength: 1 }`,
	parse: parseSameHeader,
})

func parseSameHeader(in *input) (rule, error) {
	text := in.get("same_header")
	name := http.CanonicalHeaderKey(text)
	if !slices.Contains(in.headers, name) {
		use := "a server whose JOURNAL_HEADERS names it"
		if in.headers != nil {
			use = strings.Join(in.headers, ", ") + ", or add it to JOURNAL_HEADERS"
		}
		return rule{}, invalid("same_header", text, "the journal does not record it", use)
	}
	return rule{want: "the same " + name, attempts: atLeast(2), judge: eachSequence(func(q sequence) finding {
		return judgeSameHeader(q, name)
	})}, nil
}

func judgeSameHeader(q sequence, name string) finding {
	if len(q.waits) < 2 {
		return tooFew("1 request",
			"no request was retried, so there is nothing to compare; make the first attempt fail")
	}
	first := q.waits[0].Headers[name]
	if first == "" {
		q.mark(q.waits[0], "no %s", name)
		return fail("none", "attempt 1 has no %s; send one with each attempt", name)
	}
	for i, w := range q.waits[1:] {
		switch value := w.Headers[name]; value {
		case first:
		case "":
			q.mark(w, "no %s", name)
			return fail(problem.Quote(first)+", none", "attempt %d has no %s; send the value of attempt 1", i+2, name)
		default:
			q.mark(w, "another %s", name)
			return fail(problem.Quote(first)+", "+problem.Quote(value),
				"attempt %d has another %s than attempt 1; choose the value once for all attempts", i+2, name)
		}
	}
	return hold("%s", problem.Quote(first))
}
