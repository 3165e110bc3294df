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

// RunOf returns the run that a request belongs to, or "", as if its endpoint knew the
// parameter run. The result may share memory with r. The error is a *problem.Problem.
func RunOf(r *Request) (string, error) {
	param, err := runParam(r)
	if err != nil {
		return "", err
	}
	return runID(r, param)
}

// runParam returns the parameter run of r's query, or "". It does not read the query if
// X-Run-Id names the run. The error is a *problem.Problem.
func runParam(r *Request) (param string, err error) {
	if r.RunID != "" {
		return "", nil
	}
	found := false
	query := r.Query
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := unescapedQuery(name); err != nil || plain != "run" {
			continue
		}
		if found {
			return "", problem.RepeatedParameter.New("parameter run is given more than once: give it once")
		}
		found = true
		if param, err = unescapedQuery(value); err != nil {
			return "", problem.MalformedQuery.New("run %s is malformed (%v): encode it as a query",
				problem.Quote(value), err)
		}
	}
	return param, nil
}

// unescapedQuery decodes a name or a value of a query.
func unescapedQuery(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
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
func (p *Planner) Forget(run string) (forgotten bool) {
	hash := p.counts.hash(run)
	forgotten = p.counts.forget(hash)
	return p.rateLimits.Forget(hash) || forgotten
}

// ForgetAll forgets all counts, also of requests without a run, and of rate limits.
func (p *Planner) ForgetAll() {
	p.counts.forgetAll()
	p.rateLimits.ForgetAll()
}
