package check_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/kit/problem"
)

func TestParseRejects(t *testing.T) {
	const (
		invalid, conflict = problem.InvalidParameter, problem.ConflictingParameters
		all               = "attempts, backoff, breaker, connections_at_most, gave_up_after, hedged_after, order, " +
			"peak, peak_at_least, peak_at_most, retry_after, same_header, statuses"
	)
	for _, tc := range []struct {
		name, query string
		kind        problem.Type
		detail      string
	}{
		{"no check", "", invalid, "no check is given: use one or more of " + all},

		{"no attempt", "attempts=0", invalid, `attempts "0" is invalid: use a whole number from 1 to 1000000`},
		{"a peak that every client reaches", "peak_at_least=1", invalid,
			`peak_at_least "1" is invalid: use a whole number from 2 to 1000000`},
		{"a sign", "peak=%2B1", invalid, `peak "+1" is invalid`},
		{"not a number", "peak_at_most=NaN", invalid, `peak_at_most "NaN" is invalid`},
		{"no status", "statuses=", invalid,
			`statuses "" is invalid (unknown entry ""): use statuses from 100 to 599 or reset, `},
		{"a status out of range", "statuses=503,600", invalid, `statuses "503,600" is invalid (unknown entry "600")`},
		{"an unknown fault", "statuses=503,rest", invalid, `statuses "503,rest" is invalid (unknown entry "rest")`},
		{"too many statuses", "statuses=200" + strings.Repeat(",200", 1000), invalid,
			"(it has 1001 entries): use up to 1000"},
		{"no factor", "backoff=100ms", invalid,
			`backoff "100ms" is invalid (the factor must be from 1 to 1000): use a time and`},
		{"a factor below 1", "backoff=100ms,0.5", invalid,
			`backoff "100ms,0.5" is invalid (the factor must be from 1 to 1000)`},
		{"no finite factor", "backoff=100ms,NaN", invalid, `backoff "100ms,NaN" is invalid`},
		{"an exponent", "backoff=100ms,1e2", invalid, `backoff "100ms,1e2" is invalid`},
		{"no base", "backoff=0,2", invalid,
			`backoff "0,2" is invalid (it must be above 0): use a time such as 50ms or 2s`},
		{"a random base", "backoff=random,2", invalid, `backoff "random,2" is invalid (it is no fixed time)`},
		{"a long base", "backoff=9000h,2", invalid,
			`backoff "9000h,2" is invalid (it is too long): use a time up to 8760h`},
		{"a cap below the base", "backoff=100ms,2&cap=50ms", conflict,
			"backoff=100ms,2 and cap=50ms conflict: the first gap is longer than the cap"},
		{"unknown jitter", "backoff=100ms,2&jitter=half", invalid,
			`jitter "half" is invalid (unknown value): use none, full,`},
		{"too much jitter", "backoff=100ms,2&jitter=101%25", invalid, `jitter "101%" is invalid`},
		{"negative", "backoff=100ms,2&within=-1ms", invalid, `within "-1ms" is invalid (negative)`},
		{"NaN", "backoff=100ms,2&within=NaN", invalid, `within "NaN" is invalid`},
		{"not honoured", "retry_after=2s", invalid,
			`retry_after "2s" is invalid (the answer's header has the time): use honoured`},
		{"an unknown order", "order=parallel", invalid,
			`order "parallel" is invalid (unknown value): use sequential or`},
		{"a breaker without a time", "breaker=5", invalid,
			`breaker "5" is invalid (the time is missing): use a number and a time`},
		{"a breaker without failures", "breaker=0,10s", invalid,
			`breaker "0,10s" is invalid (the number of failures must be from 1`},
		{"a header that is not recorded", "same_header=Cookie", invalid,
			`same_header "Cookie" is invalid (the journal does not record it): use Idempotency-Key, User-Agent, or ` +
				`add it to ` +
				"JOURNAL_HEADERS"},
		{"a relative path", "attempts=1&path=a", invalid,
			`path "a" is invalid (it does not begin with /): use a path such as`},
		{"a path with a query", "attempts=1&path=/a%3Fb", invalid,
			`path "/a?b" is invalid (it has a query): use the path alone`},

		{"a modifier without its check", "attempts=1&cap=1s", conflict, "cap has no effect without backoff: add it"},
		{"a modifier alone", "jitter=full", conflict, "jitter has no effect without backoff: add it"},
		{"a modifier of several", "peak=1&within=1s", conflict,
			"within has no effect without backoff or breaker or gave_up_after or hedged_after or order: add it"},
		{"a path of a run", "attempts=1&peak=1&path=/a", conflict,
			"path and peak conflict: peak counts all requests of a run"},
		{"two numbers of attempts", "attempts=4&statuses=503,200", conflict,
			"attempts=4 and statuses=503,200 conflict: no run can meet both"},
		{"gaps of one attempt", "attempts=1&backoff=100ms,2", conflict, "attempts=1 and backoff=100ms,2 conflict"},
		{"two peaks", "peak=3&peak_at_most=2", conflict, "peak=3 and peak_at_most=2 conflict: no run can meet both"},
		{"a range without a number", "peak_at_least=3&peak_at_most=2", conflict,
			"peak_at_least=3 and peak_at_most=2 conflict"},
		{"sequential, at least two", "order=sequential&peak_at_least=2", conflict,
			"order=sequential and peak_at_least=2 conflict"},
		{"concurrent, at most one", "order=concurrent&peak_at_most=1", conflict,
			"order=concurrent and peak_at_most=1 conflict"},
		{"sequential, but hedged", "order=sequential&hedged_after=50ms", conflict,
			"hedged_after=50ms and order=sequential conflict"},
		{"backoff of hedges", "backoff=100ms,2&hedged_after=50ms", conflict,
			"backoff and hedged_after conflict: a retry waits for the answer, and a hedge does not"},
		{"given up, but answered", "gave_up_after=2s&statuses=503,200", conflict,
			"gave_up_after and statuses=503,200 conflict: no attempt is client_closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			values, err := url.ParseQuery(tc.query)
			if err != nil {
				t.Fatal(err)
			}
			_, err = check.Parse(values, recorded)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.detail) {
				t.Errorf("Parse(%s): got %v, want %s: %s", tc.query, err, tc.kind, tc.detail)
			}
		})
	}
}

func TestSameHeaderWithoutRecordedHeaders(t *testing.T) {
	_, err := check.Parse(url.Values{"same_header": {"Cookie"}}, nil)
	const want = `same_header "Cookie" is invalid (the journal does not record it): ` +
		"use a server whose JOURNAL_HEADERS names it"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Each row is complete, and its example is accepted.
func TestEveryCheckIsDescribedAndParsed(t *testing.T) {
	for _, row := range check.Checks() {
		var schema map[string]any
		if err := yaml.Unmarshal([]byte(row.Schema), &schema); err != nil || row.Usage == "" ||
			!strings.HasSuffix(row.Meaning, ".") {
			t.Errorf("row %+v (%v): want a usage, a meaning that ends with a full stop, and a schema", row, err)
		}
		values := url.Values{row.Name: {row.Example}}
		if row.Modifies != nil {
			values.Set(row.Modifies[0], exampleOf(row.Modifies[0]))
		}
		if _, err := check.Parse(values, recorded); err != nil {
			t.Errorf("%v, the example of %s: %v", values, row.Name, err)
		}
		for _, name := range row.Modifies {
			if exampleOf(name) == "" {
				t.Errorf("%s modifies %s, which is no check", row.Name, name)
			}
		}
	}
}

func exampleOf(name string) string {
	for _, row := range check.Checks() {
		if row.Name == name {
			return row.Example
		}
	}
	return ""
}

func FuzzParse(f *testing.F) {
	f.Add("attempts=4&backoff=100ms,2&cap=1s&jitter=20%25&within=0")
	f.Add("breaker=5,10s&statuses=503,reset")
	f.Add("gave_up_after=2s&hedged_after=50ms&same_header=User-Agent&path=/a")
	run := played("0-10 503", "110-120 200", "120-130 client_closed path=/b")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		list, err := check.Parse(values, recorded)
		if err != nil {
			if _, ok := errors.AsType[*problem.Problem](err); !ok {
				t.Errorf("Parse(%s): %T, want a problem", query, err)
			}
			return
		}
		v := list.Judge(run)
		for _, r := range v.Results {
			if r.OK != (r.Detail == "") || r.Want == "" || r.Got == "" {
				t.Errorf("%s: got %+v, want a complete result", query, r)
			}
		}
	})
}
