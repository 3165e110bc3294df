package plan

import (
	"cmp"
	"hash/maphash"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

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

// maxCounts is the maximum number of counts within runs. The least recently used one
// is forgotten first.
const maxCounts = 10_000

// runs counts requests within runs, for seed and fail_first.
type runs struct {
	mu     sync.Mutex
	seed   maphash.Seed // of the keys
	counts *simplelru.LRU[countKey, int64]
}

// countKey has hashes instead of strings, which may be as long as a request's header.
// The probability that any two of maxCounts strings have the same hash is 3 in 10¹².
type countKey struct{ run, what uint64 }

func newRuns() runs {
	counts, err := simplelru.NewLRU[countKey, int64](maxCounts, nil)
	if err != nil {
		panic(err) // maxCounts is not positive
	}
	return runs{seed: maphash.MakeSeed(), counts: counts}
}

// seedKey and failKey return keys to count requests by.
func (r *runs) seedKey(seed uint64) uint64 { return r.hash("seed " + strconv.FormatUint(seed, 10)) }
func (r *runs) failKey(name string) uint64 { return r.hash("fail_first " + name) }

// next counts a request of the run by what, and returns the count before it.
func (r *runs) next(run string, what uint64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := countKey{r.hash(run), what}
	n, _ := r.counts.Peek(key)
	r.counts.Add(key, n+1) // also marks it as the most recently used
	return n
}

func (r *runs) hash(text string) uint64 { return maphash.String(r.seed, text) }

// Forget forgets the counts of the run and reports whether there were any.
func (p *Planner) Forget(run string) (forgotten bool) {
	r := &p.runs
	r.mu.Lock()
	defer r.mu.Unlock()
	hash := r.hash(run)
	for _, key := range r.counts.Keys() {
		if key.run == hash {
			r.counts.Remove(key)
			forgotten = true
		}
	}
	return forgotten
}

// ForgetAll forgets the counts of all runs, and of the requests without a run.
func (p *Planner) ForgetAll() {
	p.runs.mu.Lock()
	defer p.runs.mu.Unlock()
	p.runs.counts.Purge()
}
