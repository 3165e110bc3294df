package check

import (
	"sort"
	"time"
)

var _ = register(Check{
	Name:  "retry_after",
	Usage: "`honoured`",
	Meaning: "The next request of the sequence waits at least as long as `Retry-After` says, from the start of the " +
		"answer. Requests that came before the answer began are not judged. At least one answer with `Retry-After` " +
		"must be followed by a request.",
	Example: "honoured", Schema: `{ type: string, enum: [honoured] }`,
	parse: parseRetryAfter,
})

func parseRetryAfter(in *input) (rule, error) {
	if text := in.get("retry_after"); text != "honoured" {
		return rule{}, invalid("retry_after", text, "the answer's header has the time", "honoured")
	}
	return rule{want: "honoured", attempts: atLeast(2), judge: eachSequence(judgeRetryAfter)}, nil
}

func judgeRetryAfter(q sequence) finding {
	var gaps []string
	var wrong finding
	for _, before := range q.waits {
		if before.RetryAfter <= 0 || !before.answered() {
			continue
		}
		next := q.from(before.began(), before)
		if next == len(q.waits) {
			continue
		}
		w := q.waits[next]
		gap := w.Start - before.began()
		gaps = append(gaps, ms(gap)+" for "+ms(before.RetryAfter))
		if gap >= before.RetryAfter {
			continue
		}
		q.mark(w, "gap %s, Retry-After %s", ms(gap), ms(before.RetryAfter))
		if wrong.state == holds {
			wrong = fail("", "attempt %d came %s after an answer whose Retry-After said %s; wait as long as it says",
				next+1, ms(gap), ms(before.RetryAfter))
		}
	}
	if gaps == nil {
		return tooFew("no Retry-After",
			"no request follows an answer with Retry-After; ask for one, as with retry_after=1s")
	}
	wrong.got = listed(gaps, ", ")
	return wrong
}

// from returns the position of the first request after before that starts at a time or
// later: the client sent earlier ones without an answer that began then.
func (q sequence) from(start time.Duration, before wait) int {
	return sort.Search(len(q.waits), func(i int) bool {
		return q.waits[i].Start >= start && q.waits[i].index > before.index
	})
}

// began returns when the answer began. A client may act on its header before it has read
// the body, and a date in Retry-After counts from then.
func (w wait) began() time.Duration { return min(w.Start+w.Queued+w.Waited, w.End) }
