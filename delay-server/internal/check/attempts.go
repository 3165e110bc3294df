package check

import (
	"slices"
	"strconv"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/spelling"
)

var _ = register(Check{
	Name:    "attempts",
	Usage:   "1 to 1000000",
	Meaning: "Each sequence has this number of requests.",
	Example: "4", Schema: `{ type: integer, minimum: 1, maximum: 1000000 }`,
	parse: parseAttempts,
})

func parseAttempts(in *input) (rule, error) {
	n, err := in.number("attempts", 1)
	if err != nil {
		return rule{}, err
	}
	return rule{want: strconv.Itoa(n), attempts: exactly(n), judge: eachSequence(func(q sequence) finding {
		got := strconv.Itoa(len(q.waits))
		switch last := q.waits[len(q.waits)-1]; {
		case len(q.waits) < n:
			q.mark(last, "%s, want %d", spelling.Count(len(q.waits), "attempt"), n)
			return fail(got, "the client stopped after %s, which got %s; it must retry until attempt %d",
				spelling.Count(len(q.waits), "attempt"), last.word(), n)
		case len(q.waits) > n:
			q.mark(q.waits[n], "attempt %d, want %d", n+1, n)
			return fail(got, "the client went on after attempt %d, which got %s; it must stop there",
				n, q.waits[n-1].word())
		}
		return hold("%s", got)
	})}, nil
}

// maxStatuses is the maximum number of entries of statuses.
const maxStatuses = 1000

var _ = register(Check{
	Name:  "statuses",
	Usage: "up to 1000 words, separated by commas",
	Meaning: "The requests of each sequence got these, in order of arrival: a status, the [fault](/doc#faults) that " +
		"failed the answer, or `client_closed` if the client gave up.",
	Example: "503,503,200", Schema: `{ type: string, minLength: 1 }`,
	parse: parseStatuses,
})

func parseStatuses(in *input) (rule, error) {
	text := in.get("statuses")
	want := strings.Split(text, ",")
	if len(want) > maxStatuses {
		return rule{}, invalid("statuses", text, "it has "+strconv.Itoa(len(want))+" entries",
			"up to "+strconv.Itoa(maxStatuses))
	}
	for _, word := range want {
		if !isStatus(word) && !slices.Contains(words, word) {
			return rule{}, invalid("statuses", text, "unknown entry "+problem.Quote(word),
				"statuses from 100 to 599 or "+strings.Join(words, ", "))
		}
	}
	return rule{want: listed(want, ","), attempts: exactly(len(want)), judge: eachSequence(func(q sequence) finding {
		return judgeStatuses(q, want)
	})}, nil
}

// words are the entries of statuses that are no status.
var words = func() []string {
	var words []string
	for _, f := range answer.Faults {
		words = append(words, string(f))
	}
	return append(words, string(journal.ClientClosed))
}()

// hasStatus reports whether the parameter statuses has the word.
func (in *input) hasStatus(word string) bool {
	return slices.Contains(strings.Split(in.get("statuses"), ","), word)
}

func isStatus(word string) bool {
	n, err := strconv.Atoi(word)
	return err == nil && len(word) == 3 && n >= 100 && n <= 599
}

func judgeStatuses(q sequence, want []string) finding {
	got := make([]string, len(q.waits))
	var wrong finding
	for i, w := range q.waits {
		got[i] = w.word()
		switch {
		case i >= len(want):
			q.mark(w, "attempt %d, want %d", i+1, len(want))
		case got[i] != want[i]:
			q.mark(w, "%s, want %s", got[i], want[i])
			if wrong.state == holds {
				wrong = fail("", "attempt %d got %s instead of %s; see what the server was asked to answer, and "+
					"when the client gives up", i+1, got[i], want[i])
			}
		}
	}
	text := listed(got, ",")
	switch n := len(got); {
	case wrong.state != holds:
		wrong.got = text
		return wrong
	case n > len(want):
		return fail(text, "the client went on after attempt %d, which got %s; it must stop there",
			len(want), want[len(want)-1])
	case n < len(want):
		q.mark(q.waits[n-1], "%s, want %d", spelling.Count(n, "attempt"), len(want))
		return fail(text, "the client stopped after %s; it must retry until attempt %d", spelling.Count(n, "attempt"),
			len(want))
	}
	return hold("%s", text)
}
