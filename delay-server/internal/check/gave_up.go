package check

import (
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Check{
	Name:  "gave_up_after",
	Usage: "a time above 0",
	Meaning: "The client closes each request that has waited this long, and none sooner. At least one must have been " +
		"given up.",
	Example: "2s", Schema: timeSchema,
	parse: parseGaveUp,
})

func parseGaveUp(in *input) (rule, error) {
	after, err := in.time("gave_up_after", 1)
	if err != nil {
		return rule{}, err
	}
	if in.has("statuses") && !in.hasStatus(string(journal.ClientClosed)) {
		return rule{}, problem.ConflictingParameters.New("gave_up_after and %s conflict: no attempt is client_closed",
			in.quote("statuses"))
	}
	within, _, err := in.within()
	return rule{want: "after " + ms(after), judge: eachRun(func(s *subject) finding {
		return judgeGaveUp(s, after, within)
	})}, err
}

func judgeGaveUp(s *subject, after, within time.Duration) finding {
	gaveUp := 0
	var wrong finding
	note := func(w wait, mark string, f finding) {
		s.mark(w, "%s", mark)
		if wrong.state == holds {
			wrong = f
		}
	}
	var got time.Duration
	for _, w := range s.waits {
		took := w.End - w.Start
		left := w.Outcome == journal.ClientClosed
		if left {
			if gaveUp++; gaveUp == 1 {
				got = took
			}
		}
		switch {
		case left && took < after-early(after, within):
			note(w, "gave up after "+ms(took)+", want "+ms(after), fail("after "+ms(took),
				"the client gave up after %s; it must wait %s", ms(took), ms(after)))
		case left && took > after+within:
			note(w, "gave up after "+ms(took)+", want up to "+ms(after+within), fail("after "+ms(took),
				"the client gave up after %s; it must give up after %s, or up to %s on a late machine (within=%s)",
				ms(took), ms(after), ms(after+within), within))
		case took > after+within:
			note(w, "waited "+ms(took)+", want up to "+ms(after+within), fail("waited "+ms(took),
				"the client waited %s for a request that ended as %s; it must give up after %s", ms(took), w.word(),
				ms(after)))
		}
	}
	switch {
	case wrong.state != holds:
		return wrong
	case gaveUp == 0:
		return tooFew("no request given up", "the client gave up no request; let one wait longer than %s", ms(after))
	}
	return hold("after %s", ms(got))
}
