package check_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/journal"
)

// verdictTest is a row of a table of checks. A row without a detail holds.
type verdictTest struct {
	name     string
	query    string
	requests []string
	detail   string         // begins the detail of the first result
	got      string         // "" for any
	marks    map[int]string // nil for any
}

func testVerdicts(t *testing.T, tests []verdictTest) {
	t.Helper()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			v := judge(t, tc.query, played(tc.requests...))
			got := v.Results[0]
			if ok := tc.detail == ""; v.OK != ok || got.OK != ok || !strings.HasPrefix(got.Detail, tc.detail) ||
				ok && got.Detail != "" {
				t.Errorf("%s of %q: got %+v, want ok %v and %q", tc.query, tc.requests, got, ok, tc.detail)
			}
			if got.Want == "" || got.Got == "" || tc.got != "" && got.Got != tc.got {
				t.Errorf("%s of %q: got want %q and got %q, want them set, and got %q",
					tc.query, tc.requests, got.Want, got.Got, tc.got)
			}
			if tc.marks != nil && !maps.Equal(v.Run.Marks, tc.marks) {
				t.Errorf("%s of %q: got marks %v, want %v", tc.query, tc.requests, v.Run.Marks, tc.marks)
			}
			if tc.detail == "" && len(v.Run.Marks) > 0 {
				t.Errorf("%s of %q: got marks %v of a check that holds", tc.query, tc.requests, v.Run.Marks)
			}
		})
	}
}

func TestAttempts(t *testing.T) {
	two := []string{"0-10 503", "110-120 200"}
	testVerdicts(t, []verdictTest{
		{"as expected", "attempts=2", two, "", "2", nil},
		{"too few", "attempts=3", two,
			"the client stopped after 2 attempts, which got 200; it must retry until attempt 3", "2",
			map[int]string{1: "2 attempts, want 3"}},
		{"too many", "attempts=1", two,
			"the client went on after attempt 1, which got 503; it must stop there", "2",
			map[int]string{1: "attempt 2, want 1"}},
		{"each sequence", "attempts=1", []string{"0-10 200", "10-20 200 path=/b"}, "", "1", nil},
		{"the same path with another method", "attempts=1", []string{"0-10 200", "10-20 200 method=POST"}, "", "1",
			nil},
		{"a sequence differs", "attempts=1", []string{"0-10 200", "10-20 503 path=/b", "20-30 200 path=/b"},
			`GET "/b": the client went on after attempt 1`, "2", map[int]string{2: "attempt 2, want 1"}},
		{"one path", "attempts=1&path=/a", []string{"0-10 200", "10-20 503 path=/b", "20-30 200 path=/b"}, "", "1",
			nil},
		{"a path that the journal cuts", "attempts=1&path=/" + strings.Repeat("a", 300),
			[]string{"0-10 200 path=/" + strings.Repeat("a", 196) + "…"}, "", "1", nil},
		{"a path without requests", "attempts=1&path=/c", two,
			`no request of the run has this path; its paths are "/a"`, "no request", nil},
	})
}

func TestStatuses(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"as expected", "statuses=503,reset,truncate,client_closed,200",
			[]string{"0-1 503", "2-3 reset", "4-5 truncate", "6-7 client_closed", "8-9 200"}, "",
			"503,reset,truncate,client_closed,200", nil},
		{"another status", "statuses=503,200", []string{"0-1 503", "2-3 503"},
			"attempt 2 got 503 instead of 200", "503,503", map[int]string{1: "503, want 200"}},
		{"too few", "statuses=503,200", []string{"0-1 503"},
			"the client stopped after 1 attempt; it must retry until attempt 2", "503",
			map[int]string{0: "1 attempt, want 2"}},
		{"too many", "statuses=503", []string{"0-1 503", "2-3 200"},
			"the client went on after attempt 1, which got 503; it must stop there", "503,200",
			map[int]string{1: "attempt 2, want 1"}},
		{"by arrival, not by end", "statuses=200,503", []string{"0-90 200", "2-3 503"}, "", "200,503", nil},
	})
}

func TestBackoff(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"exactly", "backoff=100ms,2&within=0", []string{"0-10 503", "110-120 503", "320-330 200"}, "",
			"100 ms, 200 ms", nil},
		{"a nanosecond early", "backoff=100ms,2", []string{"0-10 503", "109.999999-120 200"},
			"attempt 2 came 99.999 ms after attempt 1 had ended; it must wait 100 ms or more", "99.999 ms",
			map[int]string{1: "gap 99.999 ms, want 100 ms or more"}},
		{"as late as allowed", "backoff=100ms,2", []string{"0-10 503", "360-370 200"}, "", "350 ms", nil},
		{"too late", "backoff=100ms,2", []string{"0-10 503", "360.001-370 200"},
			"attempt 2 came 350.001 ms after attempt 1 had ended; it must wait up to 100 ms, or up to 350 ms on a " +
				"late machine (within=250ms)", "350.001 ms", map[int]string{1: "gap 350.001 ms, want up to 350 ms"}},
		{"all wrong gaps are marked", "backoff=100ms,1&within=1ms", []string{"0-10 503", "20-30 503", "500-510 200"},
			"attempt 2 came 10 ms", "10 ms, 470 ms",
			map[int]string{1: "gap 10 ms, want 100 ms or more", 2: "gap 470 ms, want up to 101 ms"}},
		{"a constant instead of a factor", "backoff=100ms,2", []string{"0-10 503", "110-120 503", "220-230 200"},
			"attempt 3 came 100 ms after attempt 2", "100 ms, 100 ms", nil},
		{"a cap", "backoff=100ms,10&cap=150ms&within=0", []string{"0-10 503", "110-120 503", "270-280 200"}, "", "",
			nil},
		{"longer than the cap", "backoff=100ms,10&cap=150ms&within=0",
			[]string{"0-10 503", "110-120 503", "271-280 200"},
			"attempt 3 came 151 ms", "", nil},
		{"equal jitter from half", "backoff=100ms,1&jitter=equal&within=0",
			[]string{"0-10 503", "60-70 503", "170-180 200"},
			"", "50 ms, 100 ms", nil},
		{"equal jitter below half", "backoff=100ms,1&jitter=equal", []string{"0-10 503", "59-70 200"},
			"attempt 2 came 49 ms", "", nil},
		{"a share less and more", "backoff=100ms,1&jitter=20%25&within=0",
			[]string{"0-10 503", "90-100 503", "220-230 200"}, "", "80 ms, 120 ms", nil},
		{"more than a share", "backoff=100ms,1&jitter=20%25&within=0", []string{"0-10 503", "131-140 200"},
			"attempt 2 came 121 ms", "", nil},
		{"full jitter needs many retries", "backoff=100ms,1&jitter=full", []string{"0-10 503", "131-140 200"},
			"1 retry cannot tell jitter=full from another one", "1 retry", nil},
		{"full jitter above its range", "backoff=100ms,1&jitter=full", []string{"0-10 503", "360.001-370 200"},
			"attempt 2 came 350.001 ms after attempt 1 had ended; it must wait up to 100 ms, or up to 350 ms on a " +
				"late machine (within=250ms)", "350.001 ms", nil},
		{"full jitter above its cap", "backoff=100ms,9&jitter=full&cap=100ms&within=0",
			[]string{"0-10 503", "20-30 503", "131-140 200"}, "attempt 3 came 101 ms", "10 ms, 101 ms", nil},
		{"full jitter before the end", "backoff=100ms,1&jitter=full", []string{"0-50 503", "20-60 200"},
			"attempt 2 came 30 ms before attempt 1 had ended; it must wait for the end", "-30 ms", nil},
		{"full jitter, and the server learns late that a client gave up", "backoff=100ms,1&jitter=full&within=1ms",
			[]string{"0-30 client_closed", "29-60 200"}, "0 retries cannot tell jitter=full", "0 retries", nil},
		{"before the end", "backoff=100ms,1", []string{"0-50 503", "20-60 200"},
			"attempt 2 came 30 ms before attempt 1 had ended; it must wait 100 ms after the end", "-30 ms",
			map[int]string{1: "began before attempt 1 had ended"}},
		{"the server learns late that a client gave up", "backoff=100ms,1",
			[]string{"0-30 client_closed", "80-90 200"}, "", "50 ms", nil},
		{"too early even so", "backoff=100ms,1", []string{"0-30 client_closed", "79-90 200"},
			"attempt 2 came 49 ms", "49 ms", nil},
		{"no retry", "backoff=100ms,1", []string{"0-10 200"},
			"no request was retried", "1 request", nil},
		{"no retry in another sequence", "backoff=100ms,1&within=0",
			[]string{"0-1 200 path=/b", "2-10 503", "110-120 200"},
			"", "100 ms", nil},
	})
}

func TestRetryAfter(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"honoured exactly", "retry_after=honoured", []string{"0-10 503 after=1s", "1010-1020 200"}, "",
			"1000 ms for 1000 ms", nil},
		{"a nanosecond early", "retry_after=honoured", []string{"0-10 503 after=1s", "1009.999999-1020 200"},
			"attempt 2 came 999.999 ms after an answer whose Retry-After said 1000 ms; wait as long as it says", "",
			map[int]string{1: "gap 999.999 ms, Retry-After 1000 ms"}},
		{"without the header", "retry_after=honoured", []string{"0-10 503", "1010-1020 200"},
			"no request follows an answer with Retry-After", "no Retry-After", nil},
		{"in the last answer", "retry_after=honoured", []string{"0-10 503", "1010-1020 503 after=1s"},
			"no request follows", "", nil},
		{"of another sequence", "retry_after=honoured", []string{"0-10 503 after=1s", "20-30 200 path=/b"},
			`GET "/a": no request follows`, "", nil},
		{"a request in flight when the answer began", "retry_after=honoured",
			[]string{"0-10 503 after=1s", "5-20 200", "1010-1020 200"}, "", "1000 ms for 1000 ms", nil},
		{"a request in flight, and then none", "retry_after=honoured", []string{"0-10 503 after=1s", "9-20 200"},
			"no request follows an answer with Retry-After", "no Retry-After", nil},
		{"two answers before one retry", "retry_after=honoured",
			[]string{"0-10 503 after=1s", "5-30 503 after=1s", "1020-1030 200"},
			"attempt 3 came 990 ms after an answer whose Retry-After said 1000 ms",
			"1010 ms for 1000 ms, 990 ms for 1000 ms",
			map[int]string{2: "gap 990 ms, Retry-After 1000 ms"}},
	})
}

func TestPeaks(t *testing.T) {
	three := []string{"0-10 200", "5-15 200", "6-20 200", "20-30 200"}
	testVerdicts(t, []verdictTest{
		{"exact", "peak=3", three, "", "3", nil},
		{"higher", "peak=2", three, "3 requests were in flight at once, want 2", "3", map[int]string{2: "3 in flight"}},
		{"lower", "peak=4", three, "never more than 3 requests in flight at once, want 4", "3", nil},
		{"at most", "peak_at_most=3", three, "", "3", nil},
		{"above at most", "peak_at_most=2", three, "3 requests were in flight at once, want 2", "3", nil},
		{"at most, which could not fail", "peak_at_most=4", three,
			"4 requests cannot be more than 4 at once, whatever the client does; send more than 4", "3 of 4 requests",
			nil},
		{"at most, of rejected requests", "peak_at_most=2", []string{"0-0 rejected", "0-0 rejected", "0-0 rejected"},
			"0 requests cannot be more than 2 at once", "0 of 0 requests, 3 never in flight", nil},
		{"at most, of too few in flight", "peak_at_most=2",
			[]string{"0-10 200", "5-15 200", "6-6 rejected", "16-16 rejected"},
			"2 requests cannot be more than 2 at once",
			"2 of 2 requests, 2 never in flight", nil},
		{"a mark among rejected requests", "peak_at_most=1", []string{"0-10 200", "1-1 rejected", "5-15 200"},
			"2 requests were in flight at once, want 1", "2", map[int]string{2: "2 in flight"}},
		{"one of one", "peak=1", []string{"0-10 200"},
			"1 request cannot be more than 1 at once, whatever the client does; send more than 1",
			"1 of 1 request", nil},
		{"one of two", "peak=1", []string{"0-10 200", "10-20 200"}, "", "1", nil},
		{"two of two", "peak=2", []string{"0-10 200", "5-20 200"}, "", "2", nil},
		{"at least", "peak_at_least=3", three, "", "3", nil},
		{"below at least", "peak_at_least=4", three, "never more than 3", "3", nil},
	})
}

func TestOrder(t *testing.T) {
	sequential, concurrent := []string{"0-10 200", "10-20 200"}, []string{"0-10 200", "9-20 200"}
	testVerdicts(t, []verdictTest{
		{"sequential", "order=sequential", sequential, "", "sequential", nil},
		{"not sequential", "order=sequential", concurrent,
			"up to 2 requests were in flight at once; wait for each answer before the next request", "concurrent",
			map[int]string{1: "began before another had ended"}},
		{"concurrent", "order=concurrent", concurrent, "", "concurrent", nil},
		{"not concurrent", "order=concurrent", sequential, "no request began before another had ended", "sequential",
			nil},
		{"given up, and the server learns it late", "order=sequential", []string{"0-10 client_closed", "9-20 200"},
			"", "sequential", nil},
		{"given up much later", "order=sequential&within=1ms", []string{"0-11 client_closed", "9-20 200"},
			"up to 2 requests", "concurrent", nil},
		{"one request", "order=sequential", []string{"0-10 200"}, "the order of 1 request is nothing to judge",
			"1 request", nil},
		{"rejected requests", "order=sequential", []string{"0-0 rejected", "1-1 rejected", "2-2 rejected"},
			"the order of 0 requests is nothing to judge", "0 requests, 3 never in flight", nil},
		{"overlaps with a request before the one before", "order=sequential",
			[]string{"0-100 200", "10-20 client_closed", "50-60 200"},
			"up to 2 requests", "", map[int]string{1: "began before another had ended"}},
	})
	frozen := played("0-0 200", "0-0 200")
	frozen.PeakInFlight = 2
	if v := judge(t, "order=concurrent", frozen); !v.OK {
		t.Errorf("at once, on a frozen clock: got %+v, want concurrent", v.Results)
	}
}

func TestConnections(t *testing.T) {
	two := []string{"0-10 200 conn=1", "5-15 200 conn=2", "16-20 200 conn=1"}
	testVerdicts(t, []verdictTest{
		{"as expected", "connections_at_most=2", two, "", "2", nil},
		{"too many", "connections_at_most=1", two, "the client opened 2 connections for 3 requests; reuse them", "2",
			map[int]string{1: "connection 2, want 1"}},
		{"could not fail", "connections_at_most=3", two,
			"3 requests cannot use more than 3 connections; send more than 3",
			"2 for 3 requests", nil},
		{"unknown", "connections_at_most=1", []string{"0-1 200 conn=0", "2-3 200"},
			"the connection of a request is not known", "unknown", nil},
	})
}

func TestHedge(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"the hedge wins", "hedged_after=50ms&within=1ms", []string{"0-61 client_closed", "50-60 200"}, "",
			"after 50 ms, 1 cancelled", nil},
		{"the first wins", "hedged_after=50ms", []string{"0-70 200", "50-71 client_closed"}, "", "", nil},
		{"three", "hedged_after=50ms", []string{"0-121 client_closed", "50-120 200", "100-122 client_closed"}, "",
			"after 50 ms, 50 ms, 2 cancelled", nil},
		{"the first request came late", "hedged_after=50ms", []string{"25-70 200", "50-71 client_closed"}, "", "", nil},
		{"too early", "hedged_after=50ms", []string{"0-70 200", "24-71 client_closed"},
			"a hedge came 24 ms after the request before it; it must wait 50 ms", "after 24 ms",
			map[int]string{1: "hedge after 24 ms, want 50 ms or more"}},
		{"at once", "hedged_after=50ms", []string{"0-70 200", "0-71 client_closed"}, "a hedge came 0 ms", "", nil},
		{"too late", "hedged_after=50ms&within=9ms", []string{"0-70 200", "60-71 client_closed"},
			"a hedge came 60 ms after the request before it; it must come after 50 ms, or up to 59 ms", "", nil},
		{"a retry", "hedged_after=50ms", []string{"0-50 client_closed", "50-71 200"},
			"attempt 2 came 0 ms after attempt 1 had ended as client_closed: that is a retry; send it while " +
				"attempt 1 waits", "a retry", nil},
		{"a retry after a hedge", "hedged_after=50ms",
			[]string{"0-20 200", "30-130 client_closed", "80-120 reset", "125-140 200"},
			"attempt 4 came 5 ms after attempt 3 had ended as reset: that is a retry", "a retry", nil},
		{"a hedge on a clock that stands still", "hedged_after=50ms",
			[]string{"0-50 client_closed", "50-50 200", "60-70 200 path=/b", "60-70 200 path=/c"}, "",
			"after 50 ms, 1 cancelled", nil},
		{"two calls, one hedged", "hedged_after=50ms", []string{"0-20 200", "30-95 client_closed", "80-90 200"}, "", "",
			nil},
		{"two hedged calls", "hedged_after=50ms&within=6ms",
			[]string{"0-65 client_closed", "50-60 200", "62-120 client_closed", "112-115 200"}, "", "", nil},
		{"the loser goes on", "hedged_after=50ms", []string{"0-90 200", "50-60 200"},
			"the other request got 200 after the first answer; cancel it when the first answer comes", "",
			map[int]string{0: "200, want client_closed"}},
		{"the loser is cancelled late", "hedged_after=50ms&within=10ms", []string{"0-71 client_closed", "50-60 200"},
			"a request was cancelled 11 ms after the answer to the other; cancel it at once (within=10ms)", "", nil},
		{"the first is cancelled at the hedge", "hedged_after=50ms", []string{"0-51 client_closed", "50-60 200"},
			"a request was cancelled 9 ms before the answer to the other", "", nil},
		{"the first is cancelled while the answer is read", "hedged_after=50ms",
			[]string{"0-66 client_closed", "50-80 200 body=15"}, "", "", nil},
		{"the first is cancelled before the answer", "hedged_after=50ms",
			[]string{"0-64 client_closed", "50-80 200 body=15"}, "a request was cancelled 1 ms before", "", nil},
		{"no hedge", "hedged_after=50ms&within=9ms", []string{"0-60 200"},
			"a request waited 60 ms, and no second one came", "",
			map[int]string{0: "waited 60 ms, no hedge"}},
		{"nothing to hedge", "hedged_after=50ms", []string{"0-49 200"}, "no request was hedged", "no hedge", nil},
		{"no answer", "hedged_after=50ms", []string{"0-70 client_closed", "50-70 client_closed"},
			"none of the 2 requests was answered", "", nil},
	})
}

func TestGaveUp(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"exactly", "gave_up_after=2s&within=0", []string{"0-2000 client_closed"}, "", "after 2000 ms", nil},
		{"others are answered", "gave_up_after=2s", []string{"0-10 200", "10-2015 client_closed"}, "", "after 2005 ms",
			nil},
		{"too early", "gave_up_after=2s", []string{"0-1749 client_closed"},
			"the client gave up after 1749 ms; it must wait 2000 ms", "",
			map[int]string{0: "gave up after 1749 ms, want 2000 ms"}},
		{"too late", "gave_up_after=2s", []string{"0-2251 client_closed"},
			"the client gave up after 2251 ms; it must give up after 2000 ms, or up to 2250 ms", "", nil},
		{"waits for a slow answer", "gave_up_after=2s", []string{"0-2000 client_closed", "2000-5000 200"},
			"the client waited 3000 ms for a request that ended as 200; it must give up after 2000 ms", "", nil},
		{"never", "gave_up_after=2s", []string{"0-1000 200"},
			"the client gave up no request; let one wait longer than 2000 ms",
			"no request given up", nil},
	})
}

func TestBreaker(t *testing.T) {
	// Three failures; the breaker opens at 50.
	failed := []string{"0-10 503", "20-30 reset", "40-50 500"}
	then := func(more ...string) []string { return append(append([]string{}, failed...), more...) }
	testVerdicts(t, []verdictTest{
		{"the probe succeeds", "breaker=3,100ms", then("150-160 200", "160-170 200"), "", "opened once, 1 probe", nil},
		{"the probe comes early", "breaker=3,100ms", then("149-160 200"),
			"a request came 99 ms after 3 failures had opened the breaker; let none through for 100 ms", "",
			map[int]string{3: "breaker open for 99 ms, want 100 ms"}},
		{"calls go on", "breaker=3,100ms", then("60-70 503", "80-90 503"), "a request came 10 ms after", "",
			map[int]string{3: "breaker open for 10 ms, want 100 ms", 4: "breaker open for 30 ms, want 100 ms"}},
		{"a failed probe opens it again", "breaker=3,100ms", then("150-160 503", "260-270 200"), "",
			"opened 2 times, 2 probes", nil},
		{"a failed probe is ignored", "breaker=3,100ms", then("150-160 503", "170-180 200"),
			"a request came 10 ms after a failed probe had opened the breaker", "", nil},
		{"two probes", "breaker=3,100ms", then("150-160 200", "155-165 200"),
			"a request came while the probe of the half-open breaker waited", "two probes at once",
			map[int]string{4: "second probe"}},
		{"a success closes it, and failures count from 0", "breaker=3,100ms",
			then("150-160 200", "160-170 503", "170-180 503", "180-190 200"), "", "", nil},
		{"a success between failures", "breaker=3,100ms",
			[]string{"0-1 503", "2-3 503", "4-5 200", "6-7 503", "8-9 200"},
			"the run never has 3 failures in a row", "never open", nil},
		{"429 is no failure", "breaker=1,100ms", []string{"0-1 429", "2-3 429"}, "the run never has 1 failure in a row",
			"", nil},
		{"the client may have stopped", "breaker=3,100ms", failed, "no request follows the 3 failures", "", nil},
		{"a request that began before it opened", "breaker=1,100ms", []string{"0-10 503", "5-20 503", "110-120 200"},
			"", "", nil},
		{"all paths together", "breaker=2,100ms", []string{"0-10 503", "10-20 503 path=/b", "120-130 200"}, "", "",
			nil},
		{"given up, and the server learns it late", "breaker=1,100ms", []string{"0-10 client_closed", "60-70 200"}, "",
			"", nil},
		{"in no time", "breaker=2,100ms", []string{"0-0 503", "0-0 503", "100-100 200"}, "", "opened once, 1 probe",
			nil},
	})
}

func TestSameHeader(t *testing.T) {
	testVerdicts(t, []verdictTest{
		{"the same", "same_header=idempotency-key", []string{"0-1 503 key=a", "2-3 200 key=a"}, "", `"a"`, nil},
		{"another", "same_header=Idempotency-Key", []string{"0-1 503 key=a", "2-3 200 key=b"},
			"attempt 2 has another Idempotency-Key than attempt 1", `"a", "b"`,
			map[int]string{1: "another Idempotency-Key"}},
		{"none at first", "same_header=Idempotency-Key", []string{"0-1 503", "2-3 200 key=b"},
			"attempt 1 has no Idempotency-Key", "none", nil},
		{"none later", "same_header=Idempotency-Key", []string{"0-1 503 key=a", "2-3 200"},
			"attempt 2 has no Idempotency-Key", `"a", none`, map[int]string{1: "no Idempotency-Key"}},
		{"one request", "same_header=Idempotency-Key", []string{"0-1 503 key=a"}, "no request was retried", "1 request",
			nil},
	})
}

func TestIncompleteRuns(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*journal.Run)
		detail string
	}{
		{"dropped", func(r *journal.Run) { r.Dropped = 2 },
			"the journal dropped requests of this run; raise JOURNAL_SIZE"},
	} {
		run := played("0-1 200")
		tc.change(&run)
		if v := judge(t, "attempts=1", run); v.OK || !strings.HasPrefix(v.Results[0].Detail, tc.detail) {
			t.Errorf("%s: got %+v, want %q", tc.name, v, tc.detail)
		}
	}
}

func TestUndecided(t *testing.T) {
	values := url.Values{"attempts": {"2"}, "backoff": {"100ms,2"}}
	list, err := check.Parse(values, recorded)
	if err != nil {
		t.Fatal(err)
	}
	v := list.Undecided(played("0-10 503"), "no answer", "wait for one")
	want := []check.Result{
		{Check: "attempts", Want: "2", Got: "no answer", Detail: "wait for one"},
		{Check: "backoff", Want: "100 ms, then × 2", Got: "no answer", Detail: "wait for one"},
	}
	if v.OK || !slices.Equal(v.Results, want) || v.Run.ID != "r" {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestAllChecksAreJudged(t *testing.T) {
	run := played("0-10 503", "20-30 200")
	run.Marks = map[int]string{1: "seen"}
	v := judge(t, "attempts=2&backoff=100ms,2&statuses=503,503", run)
	var got []string
	for _, r := range v.Results {
		got = append(got, r.Check)
	}
	if v.OK || strings.Join(got, " ") != "attempts backoff statuses" ||
		v.Run.Marks[1] != "seen; gap 10 ms, want 100 ms or more; 200, want 503" || run.Marks[1] != "seen" {
		t.Errorf("got %+v with marks %v, want the remarks of both failures", v, v.Run.Marks)
	}
}

func TestARemarkIsMadeOnce(t *testing.T) {
	v := judge(t, "attempts=3&backoff=100ms,1&statuses=503,503,200", played("0-10 503", "20-30 503"))
	if got, want := v.Run.Marks[1], "2 attempts, want 3; gap 10 ms, want 100 ms or more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSeveralRuns(t *testing.T) {
	good, bad := played("0-10 503", "110-120 200"), played("0-10 503", "20-30 200")
	bad.ID = "bad"
	if v := judge(t, "backoff=100ms,2&attempts=2", good, good); !v.OK || v.Run.ID != "r" {
		t.Errorf("good runs: got %+v", v)
	}
	short := played("0-10 503")
	short.ID = "short"
	v := judge(t, "backoff=100ms,2", good, short)
	if v.OK || v.Run.ID != "short" || !strings.HasPrefix(v.Results[0].Detail, "run short: no request was retried") {
		t.Errorf("a run that was not retried: got %+v, want it shown", v)
	}
	v = judge(t, "backoff=100ms,2", good, short, bad)
	if v.OK || v.Run.ID != "bad" {
		t.Errorf("a bad run after one that was not retried: got %+v, want the bad one shown", v)
	}
	v = judge(t, "backoff=100ms,2", good, bad)
	if v.OK || v.Run.ID != "bad" || len(v.Run.Marks) != 1 || !strings.HasPrefix(v.Results[0].Detail,
		"run bad: attempt 2 came 10 ms") {
		t.Errorf("a bad run: got %+v, want it shown", v)
	}
}
