package client_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
)

var fullGap = 1500 * time.Microsecond

// full is a request with no zero value, and fullJSON its JSON.
var full = client.Wait{
	Method: "GET", Path: "/a", Query: "b=%20", Outcome: "refused", Status: 503, Problem: client.ProblemPoolFull,
	Fault: "truncate", Attempt: 2, Protocol: "HTTP/1.1", Connection: 3, Reused: true, Client: "192.0.2.1",
	Headers: map[string]string{"Idempotency-Key": "k"},
	Start:   1, End: 2, Asked: 3, Queued: 4, Waited: 5, Gap: &fullGap, RetryAfter: time.Second,
}

const fullJSON = `{"method":"GET","path":"/a","query":"b=%20","outcome":"refused","status":503,
	"problem":"/problems/pool-full","fault":"truncate","attempt":2,"protocol":"HTTP/1.1","connection":3,"reused":true,
	"client":"192.0.2.1","headers":{"Idempotency-Key":"k"},"start_ms":0.000001,"end_ms":0.000002,
	"asked_ms":0.000003,"queued_ms":0.000004,"waited_ms":0.000005,"gap_ms":1.5,"retry_after_ms":1000}`

func TestFullWaitHasNoZeroValue(t *testing.T) {
	for f, v := range reflect.ValueOf(full).Fields() {
		if v.IsZero() {
			t.Errorf("full.%s is not set", f.Name)
		}
	}
}

func TestWire(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		name  string
		value any
		want  string
	}{
		{"a run", run, runJSON},
		{"a run without its requests",
			client.Run{
				Summary: client.Summary{ID: "r", Requests: 2, Settled: true, Dropped: 2, Wall: 2 * ms, Sum: 3 * ms},
				Waits:   []client.Wait{},
			},
			`{"id":"r","requests":2,"waiting":0,"settled":true,"wall_ms":2,"sum_ms":3,"speedup":1.5,
			"peak_in_flight":0,"dropped":2,"waits":[]}`},
		{"no wall time, no speedup", client.Summary{ID: "r", Requests: 1, Settled: true, Sum: ms},
			`{"id":"r","requests":1,"waiting":0,"settled":true,"wall_ms":0,"sum_ms":1,
			"peak_in_flight":0,"dropped":0}`},
		{"speedup 0", client.Summary{ID: "r", Requests: 1, Waiting: 1, PeakInFlight: 1, Wall: ms},
			`{"id":"r","requests":1,"waiting":1,"settled":false,"wall_ms":1,"sum_ms":0,"speedup":0,
			"peak_in_flight":1,"dropped":0}`},
		{"runs", client.Runs{Runs: []client.Summary{summary}, Dropped: 7},
			`{"runs":[` + summaryJSON + `],"dropped":7}`},
		{"no runs", client.Runs{Runs: []client.Summary{}}, `{"runs":[],"dropped":0}`},
		{"a request that waits", client.Wait{Method: "GET", Path: "/a", Start: ms, Asked: 2 * ms},
			`{"method":"GET","path":"/a","start_ms":1,"asked_ms":2,"queued_ms":0,"waited_ms":0}`},
		{"a request whose outcome is not known yet",
			client.Wait{Method: "GET", Path: "/a", End: 2 * ms, Waited: 2 * ms},
			`{"method":"GET","path":"/a","start_ms":0,"end_ms":2,"asked_ms":0,"queued_ms":0,"waited_ms":2}`},
		{"a first request, refused", client.Wait{Method: "GET", Path: "/a", Outcome: "refused"},
			`{"method":"GET","path":"/a","start_ms":0,"end_ms":0,"asked_ms":0,"queued_ms":0,"waited_ms":0,
			"outcome":"refused"}`},
		{"a request that was queued",
			client.Wait{
				Method: "PUT", Path: `/"<é>`, Outcome: "client_closed",
				Start: 1, End: 3 * ms, Asked: 4 * ms, Queued: 5 * ms, Waited: 6 * ms,
			},
			`{"method":"PUT","path":"/\"<é>","start_ms":0.000001,"end_ms":3,"asked_ms":4,"queued_ms":5,"waited_ms":6,
			"outcome":"client_closed"}`},
		{"a request with all that a journal records", full, fullJSON},
		{"a gap of 0", client.Wait{Method: "GET", Path: "/a", Gap: new(time.Duration)},
			`{"method":"GET","path":"/a","start_ms":0,"asked_ms":0,"queued_ms":0,"waited_ms":0,"gap_ms":0}`},
		{"a verdict", verdict, verdictJSON},
		{"holds", client.Holds{Holds: []client.Hold{{Name: "x", Waiting: 2}}}, `{"holds":[{"name":"x","waiting":2}]}`},
		{"no holds", client.Holds{Holds: []client.Hold{}}, `{"holds":[]}`},
		{"released", client.Released{Name: "x", Released: 2}, `{"name":"x","released":2}`},
		{"failed", client.Failed{Name: "x", Failed: 2}, `{"name":"x","failed":2}`},
		{"a clock", clock, clockJSON},
		{"a clock without waiting requests", client.Clock{Scale: 1, Elapsed: ms},
			`{"scale":1,"frozen":false,"elapsed_ms":1,"waiting":0}`},
		{"a clock with a request due now", client.Clock{Scale: 1, Waiting: 1},
			`{"scale":1,"frozen":false,"elapsed_ms":0,"waiting":1,"next_ms":0}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, err := json.Marshal(tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := decoded(t, text), decoded(t, []byte(tc.want)); !reflect.DeepEqual(got, want) {
				t.Errorf("Marshal(%+v):\ngot  %s\nwant %s", tc.value, text, tc.want)
			}
			back := reflect.New(reflect.TypeOf(tc.value))
			if err := json.Unmarshal([]byte(tc.want), back.Interface()); err != nil {
				t.Fatal(err)
			}
			if got := back.Elem().Interface(); !reflect.DeepEqual(got, tc.value) {
				t.Errorf("Unmarshal(%s):\ngot  %+v\nwant %+v", tc.want, got, tc.value)
			}
		})
	}
}

// decoded returns JSON as maps and lists, to compare it without the order of fields.
func decoded(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestNilListsAreEmpty(t *testing.T) {
	for want, value := range map[string]any{
		`"runs":[]`: client.Runs{}, `"waits":[]`: client.Run{}, `"holds":[]`: client.Holds{},
	} {
		if got, err := json.Marshal(value); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("Marshal(%+v) = %s, %v, want %s in it", value, got, err, want)
		}
	}
}

func TestUnmarshalOverwrites(t *testing.T) {
	for _, v := range []any{
		&client.Summary{ID: "r", Wall: 1},
		&client.Run{Waits: []client.Wait{{End: 1}}},
		&client.Wait{End: 1},
		&client.Clock{Next: 1},
	} {
		if err := json.Unmarshal([]byte("{}"), v); err != nil || !reflect.ValueOf(v).Elem().IsZero() {
			t.Errorf("Unmarshal of {}: got %+v, %v, want zero", v, err)
		}
	}
}

func TestUnmarshalDurationErrors(t *testing.T) {
	for name, text := range map[string]string{
		"a string":                `"1"`,
		"an exponent":             "1e3",
		"a list":                  "[1]",
		"out of range":            "9223372036855",
		"long text is not quoted": strings.Repeat("9", 1000),
	} {
		var c client.Clock
		err := json.Unmarshal([]byte(`{"next_ms":1,"elapsed_ms":`+text+`}`), &c)
		const want = " is not a decimal number of milliseconds"
		if err == nil || !strings.HasSuffix(err.Error(), want) || len(err.Error()) > 100 {
			t.Errorf("%s: got %v, %v, want at most 100 bytes that end with %q", name, c.Elapsed, err, want)
		}
	}
}

// FuzzDuration checks that durations round-trip exactly.
func FuzzDuration(f *testing.F) {
	for _, ns := range []int64{
		0, 1, -1, 999_999, 1_000_000, 1_500_000, -500_000, 1_000_000_001, 8_999_999_999_999_999,
		math.MaxInt64, math.MinInt64,
	} {
		f.Add(ns)
	}
	f.Fuzz(func(t *testing.T, ns int64) {
		want := client.Clock{Elapsed: time.Duration(ns)}
		text, err := json.Marshal(want)
		if err != nil || strings.ContainsAny(string(text), "+E") {
			t.Fatalf("Marshal(%d ns) = %s, %v, want no exponent", ns, text, err)
		}
		var got client.Clock
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("Unmarshal(%s) = %d ns, %v, want %d ns", text, got.Elapsed, err, ns)
		}
	})
}

func TestMilliseconds(t *testing.T) {
	for _, tc := range []struct {
		name string
		d    time.Duration
		want string
	}{
		{"whole", time.Second, "1000"},
		{"a fraction", 1500 * time.Microsecond, "1.5"},
		{"a nanosecond", 1, "0.000001"},
		{"zero", 0, "0"},
		{"trailing zeros of a whole number", 10 * time.Millisecond, "10"},
		{"negative, below one", -500 * time.Microsecond, "-0.5"},
		{"more digits than a float64 has", math.MaxInt64, "9223372036854.775807"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := json.Marshal(client.Clock{Elapsed: tc.d})
			if want := `"elapsed_ms":` + tc.want + "}"; err != nil || !strings.HasSuffix(string(got), want) {
				t.Errorf("Marshal of %v: got %s, %v, want a suffix %s", tc.d, got, err, want)
			}
		})
	}
}

func TestSpeedup(t *testing.T) {
	for _, tc := range []struct {
		name      string
		wall, sum time.Duration
		want      float64
	}{
		{"three concurrent requests", time.Second, 3 * time.Second, 3},
		{"sequential requests", 3 * time.Second, 3 * time.Second, 1},
		{"no wall time", 0, time.Second, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (client.Summary{Wall: tc.wall, Sum: tc.sum}).Speedup(); got != tc.want {
				t.Errorf("Speedup of %v in %v: got %v, want %v", tc.sum, tc.wall, got, tc.want)
			}
		})
	}
}
