package plan

import (
	"cmp"
	"net/url"
	"strings"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

var _ = register(Parameter{
	Name: "run", In: InQuery,
	Usage:   "1 to 200 visible ASCII characters",
	Meaning: "The [run](/doc#runs) that the request belongs to, unless the header `X-Run-Id` names one.",
	Example: "monday", Schema: `{ $ref: "#/components/schemas/RunName" }`,
}) // Template.Plan parses it

// runID returns the run that a request belongs to: X-Run-Id, else the parameter
// run, else the trace id of traceparent, else "".
func runID(r *Request, param string) (string, error) {
	if r.RunID != "" {
		return r.RunID, query.CheckName(problem.InvalidHeader, "header X-Run-Id", r.RunID, query.MaxName)
	}
	if param != "" {
		return param, checkName("run", param)
	}
	return traceID(r.Traceparent), nil
}

// runParam returns the parameter run of a well-formed query, or "".
func runParam(query string) string {
	for more := true; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if unescapedQuery(name) == "run" {
			return unescapedQuery(value)
		}
	}
	return ""
}

func unescapedQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	plain, _ := url.QueryUnescape(s)
	return plain
}

// streamID returns the run whose random numbers a request draws: X-Run-Id, else the
// parameter run, else "". A trace does not count: a client may start a trace for each
// request, and then each request would draw the same numbers.
func streamID(r *Request, param string) string { return cmp.Or(r.RunID, param) }

// traceID returns the trace ID of a W3C traceparent header, or "" if it is malformed.
// A malformed header is no error: the W3C recommendation says to ignore it.
func traceID(traceparent string) string {
	_, rest, _ := strings.Cut(traceparent, "-")
	id, rest, _ := strings.Cut(rest, "-")
	if len(id) != 32 || strings.IndexByte(rest, '-') < 0 {
		return ""
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return id
}

// Forget forgets the counts of the run and reports whether there were any.
func (p *Planner) Forget(run string) (forgotten bool) { return p.counts.forget(p.counts.hash(run)) }

// ForgetAll forgets all counts, also of requests without a run.
func (p *Planner) ForgetAll() { p.counts.forgetAll() }
