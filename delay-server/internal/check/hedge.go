package check

import (
	"fmt"
	"strings"
	"time"

	"flash.test/delay-server/internal/journal"
)

var _ = register(Check{
	Name:  "hedged_after",
	Usage: "a time above 0",
	Meaning: "If a request has waited this long, the client sends another; at the first answer it cancels the rest. " +
		"A request that comes after an answer is a new call. At least one call must be hedged.",
	Example: "50ms", Schema: timeSchema,
	parse: parseHedge,
})

// hedge is the rule of the check hedged_after.
type hedge struct{ after, within time.Duration }

func parseHedge(in *input) (rule, error) {
	after, err := in.time("hedged_after", 1)
	if err != nil {
		return rule{}, err
	}
	within, _, err := in.within()
	h := hedge{after, within}
	return rule{want: "after " + ms(after), attempts: atLeast(2), peak: atLeast(2), judge: eachSequence(h.judge)}, err
}

func (h hedge) judge(q sequence) finding {
	var findings []finding
	n := 0
	for _, call := range calls(q.waits) {
		f := h.call(q, n, call)
		n += len(call)
		if f.state == fails {
			return f
		}
		findings = append(findings, f)
	}
	return combine(findings)
}

// calls splits the requests of a sequence into calls: a request that begins after an
// answer to a call begins a new one.
func calls(waits []wait) [][]wait {
	var calls [][]wait
	from := 0
	var answered *wait // the first answer of the call
	for i := range waits {
		w := &waits[i]
		if answered != nil && w.Start >= answered.End && i > from {
			calls = append(calls, waits[from:i])
			from, answered = i, nil
		}
		if w.answered() && (answered == nil || w.End < answered.End) {
			answered = w
		}
	}
	return append(calls, waits[from:])
}

// call judges the requests of one call, which follows n requests of the sequence.
func (h hedge) call(q sequence, n int, call []wait) finding {
	first := call[0]
	if len(call) == 1 {
		if took := first.End - first.Start; took > h.after+h.within {
			q.mark(first, "waited %s, no hedge", ms(took))
			return fail("no hedge", "a request waited %s, and no second one came; send one after %s", ms(took),
				ms(h.after))
		}
		return tooFew("no hedge", "no request was hedged; make the first one wait longer than %s", ms(h.after))
	}
	var delays []string
	for i, w := range call[1:] {
		before := call[i]
		delay := w.Start - before.Start
		delays = append(delays, ms(delay))
		switch {
		case w.Start > before.End, w.Start == before.End && q.run.PeakInFlight < 2: // else a clock stands still
			q.mark(w, "no hedge: attempt before had ended")
			return fail("a retry",
				"attempt %d came %s after attempt %d had ended as %s: that is a retry; send it while attempt %d waits",
				n+i+2, ms(w.Start-before.End), n+i+1, before.word(), n+i+1)
		case delay < h.after-early(h.after, h.within):
			q.mark(w, "hedge after %s, want %s or more", ms(delay), ms(h.after))
			return fail("after "+ms(delay), "a hedge came %s after the request before it; it must wait %s", ms(delay),
				ms(h.after))
		case delay > h.after+h.within:
			q.mark(w, "hedge after %s, want up to %s", ms(delay), ms(h.after+h.within))
			return fail("after "+ms(delay),
				"a hedge came %s after the request before it; it must come after %s, or up to %s on "+
					"a late machine (within=%s)", ms(delay), ms(h.after), ms(h.after+h.within), h.within)
		}
	}
	return h.losers(q, call, "after "+strings.Join(delays[:min(len(delays), maxListed)], ", "))
}

// losers judges how the requests of a hedged call ended.
func (h hedge) losers(q sequence, call []wait, got string) finding {
	winner := -1
	for i, w := range call {
		if w.answered() && (winner < 0 || w.End < call[winner].End) {
			winner = i
		}
	}
	if winner < 0 {
		q.mark(call[0], "no answer")
		return fail(got+", no answer", "none of the %d requests was answered; one must be", len(call))
	}
	began, end := call[winner].began(), call[winner].End // the client may cancel once it has the header
	for i, w := range call {
		switch {
		case i == winner:
		case w.Outcome != journal.ClientClosed:
			q.mark(w, "%s, want client_closed", w.word())
			return fail(got+", not cancelled",
				"the other request got %s after the first answer; cancel it when the first "+
					"answer comes", w.word())
		case w.End < began:
			q.mark(w, "cancelled before the answer")
			return fail(got+", cancelled too early",
				"a request was cancelled %s before the answer to the other; let both wait",
				ms(began-w.End))
		case w.End > end+h.within:
			q.mark(w, "cancelled %s after the answer", ms(w.End-end))
			return fail(got+", cancelled too late",
				"a request was cancelled %s after the answer to the other; cancel it at "+
					"once (within=%s)", ms(w.End-end), h.within)
		}
	}
	return hold("%s, %s cancelled", got, fmt.Sprint(len(call)-1))
}
