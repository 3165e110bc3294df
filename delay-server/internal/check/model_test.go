package check_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// request is a request of a random schedule. Its times are whole milliseconds.
type request struct {
	start, end int
	body       int    // the part of the time after the answer began
	word       string // what the client got
	after      int    // Retry-After, 0 for none
	conn       int
	key        string // Idempotency-Key, "" for none
}

func (r request) String() string {
	return fmt.Sprintf("%d-%d %s body=%d after=%dms conn=%d key=%s",
		r.start, r.end, r.word, r.body, r.after, r.conn, r.key)
}

func (r request) left() bool     { return r.word == "client_closed" }
func (r request) answered() bool { return r.word != "client_closed" && r.word != "reset" }
func (r request) failed() bool   { return !r.answered() || r.word[0] == '5' }

// schedule draws one sequence of up to six requests, in the order of their starts. Often
// the next request comes after the one before, at the bounds of the checks below.
func schedule(rng *rand.Rand) []request {
	pick := func(ns ...int) int { return ns[rng.IntN(len(ns))] }
	if rng.IntN(4) == 0 {
		return append(call(pick, 0), call(pick, 300)...)
	}
	words := [][]string{
		{"503", "503", "503", "200"}, {"503", "reset", "client_closed", "200", "429", "500"},
	}[rng.IntN(2)]
	onlyGaps := rng.IntN(2) == 0
	var all []request
	start, oneConn, oneKey := 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	for range 1 + rng.IntN(6) {
		r := request{
			start: start, end: start + pick(1, 10, 40, 50, 60, 70, 100), word: words[rng.IntN(len(words))],
			body: pick(0, 1), after: pick(0, 0, 100, 150), conn: pick(1, 2, 3),
			key: []string{"", "a", "b"}[rng.IntN(3)],
		}
		if oneConn {
			r.conn = 1
		}
		if oneKey {
			r.key = "a"
		}
		all = append(all, r)
		if onlyGaps || rng.IntN(3) > 0 {
			start = r.end + pick(0, 50, 99, 100, 100, 110, 111, 150, 200, 200, 210, 211, 400)
		} else {
			start += pick(5, 40, 49, 50, 50, 60, 61)
		}
	}
	return all
}

// call draws a call that may be hedged, at the bounds of hedged_after below.
func call(pick func(...int) int, start int) []request {
	all := []request{{start: start, end: start + pick(60, 100, 120), body: pick(0, 0, 5), word: "200", conn: 1}}
	for range pick(0, 1, 1, 2) {
		start += pick(39, 40, 50, 60, 61)
		all = append(all, request{start: start, end: start + pick(70, 100), word: "client_closed", conn: 1})
	}
	if pick(0, 1) == 0 { // cancel the losers after the answer
		for i := range all[1:] {
			all[i+1].end = all[0].end + pick(0, 1, 1, 10, 10, 11)
			all[i+1].start = min(all[i+1].start, all[i+1].end-1)
		}
	}
	slices.SortStableFunc(all, func(a, b request) int { return a.start - b.start })
	return all
}

// models are simple definitions of checks, written without the package.
var models = map[string]func([]request) bool{
	"attempts=3": func(all []request) bool { return len(all) == 3 },
	"statuses=503,503,200": func(all []request) bool {
		var got []string
		for _, r := range all {
			got = append(got, r.word)
		}
		return strings.Join(got, ",") == "503,503,200"
	},
	"backoff=100ms,2&cap=200ms&within=10ms":     gapsWithin([]int{100, 200, 200, 200, 200}, 0, 10),
	"backoff=100ms,1&within=100ms&jitter=50%25": gapsWithin([]int{100, 100, 100, 100, 100}, 50, 150),
	"backoff=100ms,1&within=10ms&jitter=equal":  gapsWithin([]int{100, 100, 100, 100, 100}, 50, 10),
	"retry_after=honoured":                      honoured,
	"peak=1":                                    func(all []request) bool { return peak(all) == 1 && len(all) > 1 },
	"peak=2":                                    func(all []request) bool { return peak(all) == 2 },
	"peak_at_most=2":                            func(all []request) bool { return peak(all) <= 2 && len(all) > 2 },
	"peak_at_least=2":                           func(all []request) bool { return peak(all) >= 2 },
	"order=sequential&within=10ms":              func(all []request) bool { return len(all) > 1 && !overlap(all, 10) },
	"order=concurrent&within=0":                 func(all []request) bool { return overlap(all, 0) },
	"hedged_after=50ms&within=10ms":             hedged,
	"gave_up_after=50ms&within=10ms":            gaveUp,
	"breaker=2,100ms&within=0":                  broken,
	"connections_at_most=1":                     sameConnection,
	"same_header=Idempotency-Key":               sameKey,
}

// Random schedules are judged by each check and by its model.
func TestModels(t *testing.T) {
	const schedules = 1500
	for query, model := range models {
		t.Run(query, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			held := 0
			for range schedules {
				all := schedule(rng)
				var requests []string
				for _, r := range all {
					requests = append(requests, r.String())
				}
				v, want := judge(t, query, played(requests...)), model(all)
				if v.OK != want {
					t.Fatalf("%s of\n%s: got %+v, want %v", query, strings.Join(requests, "\n"), v.Results, want)
				}
				if want {
					held++
				}
			}
			if held < schedules/200 || held > schedules*199/200 {
				t.Errorf("%d of %d schedules are right, want some of both", held, schedules)
			}
		})
	}
}

// gapsWithin returns a model of backoff: each gap is at least the expected one less low,
// and at most the expected one and late. After a request that the client gave up, another
// min(within, half) may be missing.
func gapsWithin(expected []int, low, late int) func([]request) bool {
	within := late
	if low > 0 && late > low { // jitter upwards
		within = late - low
	}
	return func(all []request) bool {
		for i := 1; i < len(all); i++ {
			gap, lowest := all[i].start-all[i-1].end, expected[i-1]-low
			if all[i-1].left() {
				lowest -= min(within, lowest/2)
			}
			if gap < lowest || gap > expected[i-1]+late {
				return false
			}
		}
		return len(all) > 1
	}
}

// honoured is a model of retry_after=honoured: no request starts after an answer began
// and before its time is over. One must start later.
func honoured(all []request) bool {
	judged := false
	for i, r := range all {
		if r.after == 0 || !r.answered() {
			continue
		}
		for _, next := range all[i+1:] {
			since := next.start - (r.end - r.body)
			if since >= 0 && since < r.after {
				return false
			}
			judged = judged || since >= 0
		}
	}
	return judged
}

// ticks calls end and start with the index of each request that ends or starts, one
// millisecond after the other.
func ticks(all []request, end, start func(int)) {
	last := 0
	for _, r := range all {
		last = max(last, r.end)
	}
	for now := range last + 1 {
		for i, r := range all {
			if r.end == now {
				end(i)
			}
		}
		for i, r := range all {
			if r.start == now {
				start(i)
			}
		}
	}
}

func peak(all []request) int {
	flying, highest := 0, 0
	ticks(all, func(int) { flying-- }, func(int) { flying++; highest = max(highest, flying) })
	return highest
}

// overlap reports whether two requests overlap. One that the client gave up may end late.
func overlap(all []request, late int) bool {
	for i, a := range all {
		for _, b := range all[i+1:] {
			end := a.end
			if a.left() {
				end -= late
			}
			if b.start < end {
				return true
			}
		}
	}
	return false
}

// hedged is a model of hedged_after=50ms&within=10ms. If requests were in flight together,
// the end of one at the start of the next is no proof that they were not.
func hedged(all []request) bool {
	any, together := false, peak(all) > 1
	for len(all) > 0 {
		winner := -1
		n := 1
		for ; ; n++ { // the call has the requests until its first answer
			for i, r := range all[:n] {
				if r.answered() && (winner < 0 || r.end < all[winner].end) {
					winner = i
				}
			}
			if n == len(all) || winner >= 0 && all[n].start >= all[winner].end {
				break
			}
		}
		call := all[:n]
		all = all[n:]
		if n == 1 {
			if call[0].end-call[0].start > 60 {
				return false
			}
			continue
		}
		any = true
		for i := 1; i < n; i++ {
			after := call[i].start - call[i-1].start
			if after < 40 || after > 60 || call[i-1].end < call[i].start ||
				call[i-1].end == call[i].start && !together {
				return false
			}
		}
		if winner < 0 {
			return false
		}
		for i, r := range call {
			if i != winner && (!r.left() || r.end < call[winner].end-call[winner].body || r.end > call[winner].end+10) {
				return false
			}
		}
	}
	return any
}

// gaveUp is a model of gave_up_after=50ms&within=10ms.
func gaveUp(all []request) bool {
	any := false
	for _, r := range all {
		took := r.end - r.start
		if took > 60 || r.left() && took < 40 {
			return false
		}
		any = any || r.left()
	}
	return any
}

// broken is a model of breaker=2,100ms&within=0.
func broken(all []request) bool {
	failures, probes, ok := 0, 0, true
	state, until, probe := "closed", 0, -1
	ticks(all,
		func(i int) {
			switch {
			case state == "closed" && all[i].failed():
				if failures++; failures == 2 {
					state, until = "open", all[i].end+100
				}
			case state == "closed":
				failures = 0
			case state == "half-open" && i == probe && all[i].failed():
				state, until = "open", all[i].end+100
			case state == "half-open" && i == probe:
				state, failures = "closed", 0
			}
		},
		func(i int) {
			switch {
			case state == "open" && all[i].start < until, state == "half-open":
				ok = false
			case state == "open":
				state, probe = "half-open", i
				probes++
			}
		})
	return ok && probes > 0
}

func sameConnection(all []request) bool {
	for _, r := range all {
		if r.conn != all[0].conn {
			return false
		}
	}
	return len(all) > 1
}

func sameKey(all []request) bool {
	for _, r := range all {
		if r.key == "" || r.key != all[0].key {
			return false
		}
	}
	return len(all) > 1
}
