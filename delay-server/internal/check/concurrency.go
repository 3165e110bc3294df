package check

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/spelling"
)

const countSchema = `{ type: integer, minimum: 1, maximum: 1000000 }`

var _ = register(Check{
	Name:    "peak",
	Usage:   "1 to 1000000",
	Meaning: "The highest number of requests in flight at once is this. For 1, two or more must have been in flight.",
	Example: "3", Schema: countSchema,
	parse: func(in *input) (rule, error) { return parsePeak(in, "peak", 1, exactly) },
})

var _ = register(Check{
	Name:  "peak_at_most",
	Usage: "1 to 1000000",
	Meaning: "There are never more requests in flight at once. More than that must have been in flight: else it " +
		"could not fail.",
	Example: "10", Schema: countSchema,
	parse: func(in *input) (rule, error) { return parsePeak(in, "peak_at_most", 1, atMost) },
})

var _ = register(Check{
	Name:    "peak_at_least",
	Usage:   "2 to 1000000",
	Meaning: "At some time there are this many requests in flight at once, or more.",
	Example: "2", Schema: `{ type: integer, minimum: 2, maximum: 1000000 }`,
	parse: func(in *input) (rule, error) { return parsePeak(in, "peak_at_least", 2, atLeast) },
})

func parsePeak(in *input, name string, lowest int, allows func(int) span) (rule, error) {
	n, err := in.number(name, lowest)
	if err != nil {
		return rule{}, err
	}
	allowed := allows(n)
	return rule{want: strconv.Itoa(n), peak: allowed, judge: eachRun(func(s *subject) finding {
		return judgePeak(s, n, allowed)
	})}, nil
}

// judgePeak judges whether the peak of a run is allowed, that is n, up to n or from n on.
func judgePeak(s *subject, n int, allowed span) finding {
	peak, begun := s.run.PeakInFlight, s.begun()
	got := strconv.Itoa(peak)
	switch {
	case peak > allowed.max:
		s.markPeak()
		return fail(got, "%d requests were in flight at once, want %d; lower the client's concurrency", peak, n)
	case begun <= allowed.max && allowed.min <= 1:
		return tooFew(got+" of "+s.requests(), "%s cannot be more than %d at once, whatever the client does; "+
			"send more than %d", spelling.Count(begun, "request"), n, n)
	case peak < allowed.min:
		return fail(got, "never more than %s in flight at once, want %d; the client waits for answers, "+
			"or the answers are too quick to overlap", spelling.Count(peak, "request"), n)
	}
	return hold("%s", got)
}

// begun returns the number of requests that were in flight.
func (s *subject) begun() int {
	n := 0
	for _, w := range s.waits {
		if w.Begun {
			n++
		}
	}
	return n
}

// requests writes the number of requests that were in flight, and of the others.
func (s *subject) requests() string {
	text := spelling.Count(s.begun(), "request")
	if others := len(s.waits) - s.begun(); others > 0 {
		text += fmt.Sprintf(", %d never in flight", others)
	}
	return text
}

// markPeak marks the first request that arrives while the highest number of others is in
// flight.
func (s *subject) markPeak() {
	waits := slices.DeleteFunc(slices.Clone(s.waits), func(w wait) bool { return !w.Begun })
	flying := newFlight(waits)
	peak, at := 0, -1
	for i, w := range waits {
		flying.end(w.Start)
		if flying.start(i); flying.count > peak {
			peak, at = flying.count, i
		}
	}
	if at >= 0 {
		s.mark(waits[at], "%d in flight", peak)
	}
}

var _ = register(Check{
	Name:  "order",
	Usage: "`sequential` or `concurrent`",
	Meaning: "`sequential`: no two requests overlap. `concurrent`: at least two do. A request that the client gave " +
		"up may overlap the next by `within`; that does not count.",
	Example: "sequential", Schema: `{ type: string, enum: [sequential, concurrent] }`,
	parse: parseOrder,
})

func parseOrder(in *input) (rule, error) {
	text := in.get("order")
	if text != "sequential" && text != "concurrent" {
		return rule{}, invalid("order", text, "unknown value", "sequential or concurrent")
	}
	within, _, err := in.within()
	if err != nil {
		return rule{}, err
	}
	peak := atLeast(2)
	if text == "sequential" {
		peak = atMost(1)
	}
	return rule{want: text, peak: peak, judge: eachRun(func(s *subject) finding {
		return judgeOrder(s, text, within)
	})}, nil
}

// judgeOrder judges the order of a run. A request that the client gave up may have ended
// earlier than the server learned, by up to within.
func judgeOrder(s *subject, want string, within time.Duration) finding {
	if n := s.begun(); n < 2 {
		return tooFew(s.requests(), "the order of %s is nothing to judge; send two or more",
			spelling.Count(n, "request"))
	}
	overlaps, excused, first := false, false, wait{}
	var before, left wait // the request before, and of the given up ones the one with the latest end
	for _, w := range s.waits {
		switch {
		case before.End > w.Start || left.End > w.Start+within:
			if !overlaps {
				overlaps, first = true, w
			}
		case left.End > w.Start:
			excused = true
		}
		if w.Outcome != journal.ClientClosed {
			before = w
		} else if w.End > left.End {
			left = w
		}
	}
	got := "sequential"
	if overlaps || s.run.PeakInFlight > 1 && !excused { // on a frozen clock, an overlap may take no time
		got = "concurrent"
	}
	switch {
	case got == want:
		return hold("%s", got)
	case want == "concurrent":
		return fail(got, "no request began before another had ended; send them without waiting for answers")
	}
	if overlaps {
		s.mark(first, "began before another had ended")
	}
	return fail(got, "up to %d requests were in flight at once; wait for each answer before the next request",
		s.run.PeakInFlight)
}

var _ = register(Check{
	Name:    "connections_at_most",
	Usage:   "1 to 1000000",
	Meaning: "The client used no more connections. There must be more requests than that: else it could not fail.",
	Example: "4", Schema: countSchema,
	parse: parseConnections,
})

func parseConnections(in *input) (rule, error) {
	n, err := in.number("connections_at_most", 1)
	if err != nil {
		return rule{}, err
	}
	return rule{want: strconv.Itoa(n), judge: eachRun(func(s *subject) finding {
		seen := map[int]bool{}
		for _, w := range s.waits {
			if w.Connection == 0 {
				s.mark(w, "unknown connection")
				return fail("unknown", "the connection of a request is not known, so the check cannot judge")
			}
			if !seen[w.Connection] && len(seen) == n {
				s.mark(w, "connection %d, want %d", n+1, n)
			}
			seen[w.Connection] = true
		}
		got := strconv.Itoa(len(seen))
		switch {
		case len(seen) > n:
			return fail(got, "the client opened %s for %s; reuse them: read each body to its end, and share one client",
				spelling.Count(len(seen), "connection"), spelling.Count(len(s.waits), "request"))
		case len(s.waits) <= n:
			return tooFew(got+" for "+spelling.Count(len(s.waits), "request"),
				"%s cannot use more than %s; send more than %d", spelling.Count(len(s.waits), "request"),
				spelling.Count(n, "connection"),
				n)
		}
		return hold("%s", got)
	})}, nil
}
