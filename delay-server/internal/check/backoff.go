package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Check{
	Name:  "backoff",
	Usage: "a time, a comma and a factor from 1 to 1000",
	Meaning: "The client waits for the time before its first retry, and each time the factor longer; `100ms,1` is a " +
		"constant wait. A gap lasts from the end of a request until the next one of its sequence. A shorter gap " +
		"always fails, and a longer one beyond `within`. Requests that were not retried are not judged, but at least " +
		"one must be.",
	Example: "100ms,2", Schema: `{ type: string, pattern: '^[^,]+,\d+(\.\d+)?$' }`,
	parse: parseBackoff,
})

var _ = register(Check{
	Name:    "cap",
	Usage:   "a time above 0, at least the first of `backoff`",
	Meaning: "No gap is expected to be longer.",
	Example: "1s", Schema: timeSchema,
	Modifies: []string{"backoff"},
})

var _ = register(Check{
	Name:  "jitter",
	Usage: "`none`, `full`, `equal` or a share such as `20%`",
	Meaning: "How a gap is drawn: `full` from 0 to the expected gap, `equal` from half of it, `20%` from 20% less to " +
		"20% more. `full` is also judged by its [distribution](/doc#jitter), and over several runs `equal` and " +
		"shares are too. With the default of `within`, that takes 117 retries.",
	Example: "equal", Schema: `{ type: string, pattern: '^(none|full|equal|([1-9]\d?|100)%)$', default: none }`,
	Modifies: []string{"backoff"},
})

// backoff is the rule of the check backoff.
type backoff struct {
	base, cap time.Duration
	factor    float64
	jitter    jitter
	within    time.Duration
	given     bool // within is given
}

// jitter is the range of a gap, as shares of the expected gap.
type jitter struct {
	name      string
	low, high float64
}

func parseBackoff(in *input) (rule, error) {
	b, err := in.backoff()
	if err != nil {
		return rule{}, err
	}
	if in.has("hedged_after") {
		return rule{}, problem.ConflictingParameters.New("backoff and hedged_after conflict: " +
			"a retry waits for the answer, and a hedge does not")
	}
	return rule{want: b.String(), attempts: atLeast(2), judge: b.judge}, nil
}

func (in *input) backoff() (b backoff, err error) {
	text := in.get("backoff")
	base, factor, _ := strings.Cut(text, ",")
	if b.base, err = parseTime("backoff", text, base, 1); err != nil {
		return b, err
	}
	var ok bool
	if b.factor, ok = parseFactor(factor); !ok {
		return b, invalid("backoff", text, "the factor must be from 1 to 1000", "a time and a factor such as 100ms,2")
	}
	b.cap = maxTime
	if in.has("cap") {
		if b.cap, err = in.time("cap", 1); err != nil {
			return b, err
		}
		if b.cap < b.base {
			return b, problem.ConflictingParameters.New("%s and %s conflict: the first gap is longer than the cap",
				in.quote("backoff"), in.quote("cap"))
		}
	}
	if b.within, b.given, err = in.within(); err != nil {
		return b, err
	}
	b.jitter, err = in.jitter()
	return b, err
}

func (in *input) jitter() (jitter, error) {
	switch name := in.get("jitter"); {
	case name == "none" || !in.has("jitter"):
		return jitter{"none", 1, 1}, nil
	case name == "full":
		return jitter{name, 0, 1}, nil
	case name == "equal":
		return jitter{name, 0.5, 1}, nil
	default:
		text, isShare := strings.CutSuffix(name, "%")
		percent, err := strconv.Atoi(text)
		if !isShare || err != nil || strconv.Itoa(percent) != text || percent < 1 || percent > 100 {
			return jitter{},
				invalid("jitter", name, "unknown value", "none, full, equal or a share from 1% to 100%")
		}
		share := float64(percent) / 100
		return jitter{name, 1 - share, 1 + share}, nil
	}
}

// String describes the expected gaps.
func (b backoff) String() string {
	text := fmt.Sprintf("%s, then × %v", ms(b.base), b.factor)
	if b.factor == 1 {
		text = "always " + ms(b.base)
	}
	if b.cap < maxTime {
		text += ", up to " + ms(b.cap)
	}
	if b.jitter.name != "none" {
		text += ", jitter " + b.jitter.name
	}
	return text
}

// gap returns the range of the gap after attempt n, from 1, on a machine that is never
// late. It rounds outwards.
func (b backoff) gap(n int) (low, high time.Duration) {
	expected := min(float64(b.base)*math.Pow(b.factor, float64(n-1)), float64(b.cap))
	low = time.Duration(math.Floor(expected * b.jitter.low))
	high = time.Duration(math.Ceil(expected * b.jitter.high))
	return low, high
}

// judge judges each gap, then random gaps all together if there are many runs. Only those
// say something about full jitter.
func (b backoff) judge(subjects []*subject) finding {
	f := eachSequence(b.bounds)(subjects)
	random, many := b.jitter.name != "none", len(subjects) > 1
	switch {
	case f.state == fails:
		return f
	case random && many, b.jitter.name == "full":
		return b.distribution(subjects)
	case f.state == holds && many:
		f.got += "; " + b.herd(subjects)
	}
	return f
}

// bounds judges each gap of a sequence by its range.
func (b backoff) bounds(q sequence) finding {
	if len(q.waits) < 2 {
		return tooFew("1 request", "no request was retried, so there is no gap to judge; make the first attempt fail")
	}
	var gaps []string
	var wrong finding
	for i, w := range q.waits[1:] {
		before := q.waits[i]
		gap := w.Start - before.End
		gaps = append(gaps, ms(gap))
		if f := b.bound(i+1, before, gap); f.state != holds {
			q.mark(w, "%s", f.got)
			if wrong.state == holds {
				wrong = f
			}
		}
	}
	wrong.got = listed(gaps, ", ")
	return wrong
}

// bound judges the gap after attempt n, which is before. What it got is a remark.
func (b backoff) bound(n int, before wait, gap time.Duration) finding {
	low, high := b.gap(n)
	early := earlyAfter(before, low, b.within)
	if low == 0 && before.Outcome == journal.ClientClosed { // the client may retry at once, before its end is known
		early = b.within
	}
	switch {
	case gap < low-early && gap < 0:
		wait := ms(low) + " after the end"
		if low == 0 {
			wait = "for the end"
		}
		return fail("began before attempt "+strconv.Itoa(n)+" had ended",
			"attempt %d came %s before attempt %d had ended; it must wait %s", n+1, ms(-gap), n, wait)
	case gap < low-early:
		return fail(fmt.Sprintf("gap %s, want %s or more", ms(gap), ms(low)),
			"attempt %d came %s after attempt %d had ended; it must wait %s or more", n+1, ms(gap), n, ms(low))
	case gap > high+b.within:
		return fail(fmt.Sprintf("gap %s, want up to %s", ms(gap), ms(high+b.within)),
			"attempt %d came %s after attempt %d had ended; it must wait up to %s, or up to %s on a late machine "+
				"(within=%s)",
			n+1, ms(gap), n, ms(high), ms(high+b.within), b.within)
	}
	return hold("")
}
