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

// Each value and its JSON, in both directions.
func TestWire(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		name  string
		value any
		want  string
	}{
		{"a run", run, runJSON},
		{"a run of which nothing is remembered", client.Run{Summary: client.Summary{ID: "r", Requests: 2, Settled: true, Dropped: 2, Wall: 2 * ms, Sum: 3 * ms}, Waits: []client.Wait{}},
			`{"id":"r","requests":2,"waiting":0,"settled":true,"wall_ms":2,"sum_ms":3,"speedup":1.5,"peak_in_flight":0,"dropped":2,"waits":[]}`},
		{"no wall, no speed-up", client.Summary{ID: "r", Requests: 1, Settled: true, Sum: ms},
			`{"id":"r","requests":1,"waiting":0,"settled":true,"wall_ms":0,"sum_ms":1,"peak_in_flight":0,"dropped":0}`},
		{"a speed-up of 0", client.Summary{ID: "r", Requests: 1, Waiting: 1, PeakInFlight: 1, Wall: ms},
			`{"id":"r","requests":1,"waiting":1,"settled":false,"wall_ms":1,"sum_ms":0,"speedup":0,"peak_in_flight":1,"dropped":0}`},
		{"runs", client.Runs{Runs: []client.Summary{summary}, Dropped: 7}, `{"runs":[` + summaryJSON + `],"dropped":7}`},
		{"no runs", client.Runs{Runs: []client.Summary{}}, `{"runs":[],"dropped":0}`},
		{"a wait that goes on", client.Wait{Method: "GET", Path: "/a", Start: ms, Asked: 2 * ms},
			`{"method":"GET","path":"/a","start_ms":1,"asked_ms":2,"queued_ms":0,"waited_ms":0}`},
		{"a wait whose answer is sent, and whose end is not known yet", client.Wait{Method: "GET", Path: "/a", End: 2 * ms, Waited: 2 * ms},
			`{"method":"GET","path":"/a","start_ms":0,"end_ms":2,"asked_ms":0,"queued_ms":0,"waited_ms":2}`},
		{"a wait refused as it came first", client.Wait{Method: "GET", Path: "/a", Outcome: "refused"},
			`{"method":"GET","path":"/a","start_ms":0,"end_ms":0,"asked_ms":0,"queued_ms":0,"waited_ms":0,"outcome":"refused"}`},
		{"a wait in a queue", client.Wait{Method: "PUT", Path: `/"<é>`, Outcome: "left", Start: 1, End: 3 * ms, Asked: 4 * ms, Queued: 5 * ms, Waited: 6 * ms},
			`{"method":"PUT","path":"/\"<é>","start_ms":0.000001,"end_ms":3,"asked_ms":4,"queued_ms":5,"waited_ms":6,"outcome":"left"}`},
		{"holds", client.Holds{Holds: []client.Hold{{Name: "x", Waiting: 2}}}, `{"holds":[{"name":"x","waiting":2}]}`},
		{"no holds", client.Holds{Holds: []client.Hold{}}, `{"holds":[]}`},
		{"released", client.Released{Name: "x", Released: 2}, `{"name":"x","released":2}`},
		{"failed", client.Failed{Name: "x", Failed: 2}, `{"name":"x","failed":2}`},
		{"a clock", clock, clockJSON},
		{"a clock on which nobody waits", client.Clock{Scale: 1, Elapsed: ms}, `{"scale":1,"frozen":false,"elapsed_ms":1,"waiting":0}`},
		{"a clock on which a wait is due", client.Clock{Scale: 1, Waiting: 1}, `{"scale":1,"frozen":false,"elapsed_ms":0,"waiting":1,"next_ms":0}`},
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

// decoded returns JSON as maps and lists: equal for equal JSON in any order.
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

// What a value held before it is read into does not shine through.
func TestUnmarshalOverwrites(t *testing.T) {
	for _, old := range []any{&client.Summary{ID: "r", Wall: 1}, &client.Run{Waits: []client.Wait{{End: 1}}}, &client.Wait{End: 1}, &client.Clock{Next: 1}} {
		if err := json.Unmarshal([]byte("{}"), old); err != nil || !reflect.ValueOf(old).Elem().IsZero() {
			t.Errorf("Unmarshal of {}: got %+v, %v, want zero", old, err)
		}
	}
}

func TestTimeIsNoTime(t *testing.T) {
	for name, text := range map[string]string{
		"a text":                        `"1"`,
		"an exponent":                   "1e3",
		"a list":                        "[1]",
		"longer than any clock counts":  "9223372036855",
		"so long that it is not quoted": strings.Repeat("9", 1000),
	} {
		var c client.Clock
		err := json.Unmarshal([]byte(`{"next_ms":1,"elapsed_ms":`+text+`}`), &c)
		if err == nil || !strings.HasSuffix(err.Error(), " is no decimal number of milliseconds") || len(err.Error()) > 100 {
			t.Errorf("%s: got %v, %v, want a short error", name, c.Elapsed, err)
		}
	}
}

// Every time comes back to the nanosecond.
func FuzzTime(f *testing.F) {
	for _, ns := range []int64{0, 1, -1, 999_999, 1_000_000, 1_500_000, -500_000, 1_000_000_001, 8_999_999_999_999_999, math.MaxInt64, math.MinInt64} {
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
		{"zeros of a whole number stay", 10 * time.Millisecond, "10"},
		{"negative, below one", -500 * time.Microsecond, "-0.5"},
		{"what a float64 would round", math.MaxInt64, "9223372036854.775807"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := json.Marshal(client.Clock{Elapsed: tc.d})
			if want := `"elapsed_ms":` + tc.want + "}"; err != nil || !strings.HasSuffix(string(got), want) {
				t.Errorf("Marshal of %v: got %s, %v, want %s at its end", tc.d, got, err, want)
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
		{"three at once", time.Second, 3 * time.Second, 3},
		{"in turn", 3 * time.Second, 3 * time.Second, 1},
		{"no wall", 0, time.Second, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (client.Summary{Wall: tc.wall, Sum: tc.sum}).Speedup(); got != tc.want {
				t.Errorf("Speedup of %v in %v: got %v, want %v", tc.sum, tc.wall, got, tc.want)
			}
		})
	}
}
