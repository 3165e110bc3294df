package check_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/journal"
)

var recorded = []string{"Idempotency-Key", "User-Agent"}

// played returns a run of requests such as "0-10 503 after=1s": start and end in
// milliseconds, what the client got, and more: method, path, body (the time after the
// answer began), after (Retry-After), conn and key. A rejected request was never in
// flight.
func played(requests ...string) journal.Run {
	run := journal.Run{Summary: journal.Summary{ID: "r"}}
	for _, text := range requests {
		run.Waits = append(run.Waits, parseEntry(text))
	}
	return complete(run)
}

func parseEntry(text string) journal.Entry {
	words := strings.Fields(text)
	start, end, _ := strings.Cut(words[0], "-")
	e := journal.Entry{
		Method: "GET", Path: "/a", Start: parseMS(start), End: parseMS(end), Outcome: journal.Answered, Connection: 1,
		Begun: true,
	}
	e.Waited = e.End - e.Start
	if status, err := strconv.Atoi(words[1]); err == nil {
		e.Status = status
	} else if slices.Contains(answer.Faults, answer.Fault(words[1])) {
		e.Outcome, e.Fault = journal.Faulted, words[1]
	} else {
		e.Outcome = journal.Outcome(words[1])
		e.Begun = e.Outcome != journal.Rejected
	}
	for _, word := range words[2:] {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "method":
			e.Method = value
		case "path":
			e.Path = value
		case "body":
			e.Waited -= parseMS(value)
		case "after":
			e.RetryAfter, _ = time.ParseDuration(value)
		case "conn":
			e.Connection, _ = strconv.Atoi(value)
		case "key":
			e.Headers = map[string]string{"Idempotency-Key": value}
		default:
			panic("unknown word " + word)
		}
	}
	return e
}

func parseMS(text string) time.Duration {
	d, err := time.ParseDuration(text + "ms")
	if err != nil {
		panic(err)
	}
	return d
}

// complete sorts the waits of a run and sets its figures.
func complete(run journal.Run) journal.Run {
	slices.SortStableFunc(run.Waits, func(a, b journal.Entry) int { return int(a.Start - b.Start) })
	run.Requests = len(run.Waits)
	for i, e := range run.Waits {
		if !e.Begun {
			continue
		}
		flying := 1
		for _, before := range run.Waits[:i] {
			if before.Begun && before.End > e.Start {
				flying++
			}
		}
		run.PeakInFlight = max(run.PeakInFlight, flying)
	}
	return run
}

// judge judges runs by a query such as "attempts=4&within=0".
func judge(t testing.TB, query string, runs ...journal.Run) check.Verdict {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	list, err := check.Parse(values, recorded)
	if err != nil {
		t.Fatalf("Parse(%s): %v", query, err)
	}
	return list.Judge(runs...)
}
