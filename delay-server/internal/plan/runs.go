package plan

import (
	"cmp"
	"container/list"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
)

// maxName is the most bytes that a name of a run, a pool, a barrier or a hold may have.
const maxName = 200

func checkName(from, name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return badRequest("%s: %s is no name; accepted: 1 to %d visible ASCII characters", from, problem.Quote(name), maxName)
	}
	return nil
}

// runID returns the run that a request belongs to: X-Run-Id, else the parameter
// run, else the trace id of traceparent, else "".
func runID(r *Request, param string) (string, error) {
	if r.RunID != "" {
		return r.RunID, checkName("header X-Run-Id", r.RunID)
	}
	if param != "" {
		return param, checkName("parameter run", param)
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

// streamID returns the run whose stream of samples a request draws from: one
// that its client has named, else "". A trace is no such run: a traced client
// has a new one for each request, and each would be the first of its run.
func streamID(r *Request, param string) string { return cmp.Or(r.RunID, param) }

// traceID returns the trace id of a W3C traceparent header, "" for one that is
// malformed: the header is written by tracing libraries, not by the client's
// author, and the recommendation has a receiver start afresh then.
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

// maxCounts is how many counts within runs are remembered; the one that was
// used the longest ago is forgotten first.
const maxCounts = 10_000

// runs counts requests within runs, for seeds and fail_first.
type runs struct {
	mu     sync.Mutex
	seed   maphash.Seed               // of the keys
	counts map[countKey]*list.Element // of *count
	recent list.List                  // the most recently used in front
}

// countKey has hashes in place of texts, since a text may be as long as a request's
// header, and keeps all of it in memory. The chance that any two of maxCounts
// texts have the same hash is 3 in 10¹².
type countKey struct{ run, what uint64 }

type count struct {
	key countKey
	n   int64
}

func newRuns() runs { return runs{seed: maphash.MakeSeed(), counts: map[countKey]*list.Element{}} }

// seedKey and failKey return what requests are counted by.
func (r *runs) seedKey(seed uint64) uint64 { return r.hash("seed " + strconv.FormatUint(seed, 10)) }
func (r *runs) failKey(name string) uint64 { return r.hash("fail_first " + name) }

// next returns how many requests of the run came for the same before: 0 for the first.
func (r *runs) next(run string, what uint64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := countKey{r.hash(run), what}
	e, known := r.counts[key]
	if !known {
		e = r.recent.PushFront(&count{key: key})
		r.counts[key] = e
		if r.recent.Len() > maxCounts {
			delete(r.counts, r.recent.Remove(r.recent.Back()).(*count).key)
		}
	}
	r.recent.MoveToFront(e)
	c := e.Value.(*count)
	c.n++
	return c.n - 1
}

func (r *runs) hash(text string) uint64 { return maphash.String(r.seed, text) }

// Forget forgets the counts of the run, for seeds and fail_first, and reports whether there were any.
func (p *Planner) Forget(run string) bool {
	r := &p.runs
	r.mu.Lock()
	defer r.mu.Unlock()
	before, gone := len(r.counts), r.hash(run)
	for key, e := range r.counts {
		if key.run == gone {
			delete(r.counts, key)
			r.recent.Remove(e)
		}
	}
	return len(r.counts) < before
}

// ForgetAll forgets the counts of every run, and of the requests that belong to none.
func (p *Planner) ForgetAll() {
	p.runs.mu.Lock()
	defer p.runs.mu.Unlock()
	clear(p.runs.counts)
	p.runs.recent.Init()
}

// rng is where samples are drawn from.
type rng = *rand.Rand

var sharedRNG = delay.SharedRNG()

// seed returns the seed of parameters, else that of the limits, else nil.
func (p *Planner) seed(params parameters) (*uint64, error) {
	if !params.has("seed") {
		return p.limits.Seed, nil
	}
	text, lowest := params.get("seed"), int64(0)
	if params.seconds { // an endpoint of go-httpbin, which takes an int64
		lowest = math.MinInt64
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			seed := uint64(n)
			return &seed, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, badRequest("seed %s is not accepted; accepted: a whole number from %d to %d", problem.Quote(text), lowest, uint64(math.MaxUint64))
	}
	return &n, nil
}

// newRNG returns the generator of one request: that of its place within its run, so
// that what one request draws does not move the next one's.
func newRNG(seed uint64, place int64) rng {
	var one struct { // allocation
		source rand.PCG
		rng    rand.Rand
	}
	one.source.Seed(seed, uint64(place))
	one.rng = *rand.New(&one.source)
	return &one.rng
}

// failing returns the status of a request with fail_first: the first so many of
// the run at this path fail, with status where one is given, else 503. At an
// operator's route, those that belong to no run are counted together.
func (t *Template) failing(run string, status int) (int, error) {
	first := t.options.failFirst
	if run == "" && !t.trusted {
		return 0, badRequest("fail_first=%d counts within a run, and this request belongs to none; accepted: run=NAME or the header X-Run-Id", first)
	}
	if t.planner.runs.next(run, t.failKey) >= first {
		return http.StatusOK, nil
	}
	if status == http.StatusOK {
		return http.StatusServiceUnavailable, nil
	}
	return status, nil
}
