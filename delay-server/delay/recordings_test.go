package delay_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"flash.test/delay-server/delay"
)

func TestReadRecordings(t *testing.T) {
	const har = `{"log": {"version": "1.2", "pages": [{"id": "p"}],
  "entries": [
    {"startedDateTime": "2026-01-01T00:00:00Z", "time": 12.5, "request": {"url": "x"}},
    {"time": 250}
  ]}}`
	for _, tc := range []struct {
		name, file, text string
		min, max         time.Duration
		n                int
	}{
		{"a latency a line", "r.csv", "12.5\n250\n", 12500 * time.Microsecond, 250 * time.Millisecond, 2},
		{"a named column", "r.csv", "at,latency,status\n1,12.5,200\n2,250,200\n", 12500 * time.Microsecond, 250 * time.Millisecond, 2},
		{"JMeter's column", "r.csv", "timeStamp,elapsed,label\n1,3,a\n", 3 * time.Millisecond, 3 * time.Millisecond, 1},
		{"unit behind an underscore", "r.csv", "latency_us\n12\n", 12 * time.Microsecond, 12 * time.Microsecond, 1},
		{"unit in brackets", "r.csv", "\"Elapsed (s)\"\n0.25\n", 250 * time.Millisecond, 250 * time.Millisecond, 1},
		{"unit in nanoseconds", "r.csv", "time_ns\n7\n", 7, 7, 1},
		{"byte order mark, blank lines and line ends of Windows", "r.csv", "\ufeffdelay\r\n5\r\n\r\n6\r\n", 5 * time.Millisecond, 6 * time.Millisecond, 2},
		{"HTTP archive with a byte order mark", "r.har", "\ufeff" + har, 12500 * time.Microsecond, 250 * time.Millisecond, 2},
		{"HTTP archive", "r.har", har, 12500 * time.Microsecond, 250 * time.Millisecond, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := delay.ReadRecordings(fstest.MapFS{tc.file: {Data: []byte(tc.text)}, "README.md": {Data: []byte("no recording")}})
			if err != nil {
				t.Fatal(err)
			}
			r := got["r"]
			if len(got) != 1 || r.Len() != tc.n {
				t.Fatalf("got %d recordings, r of %d times, want 1 of %d", len(got), r.Len(), tc.n)
			}
			d, err := delay.Parse("recorded:r")
			if err != nil {
				t.Fatal(err)
			}
			if d, err = d.With(got); err != nil {
				t.Fatal(err)
			}
			if least, most := d.Quantile(0.001), d.Quantile(0.999); least != tc.min || most != tc.max {
				t.Errorf("got %v to %v, want %v to %v", least, most, tc.min, tc.max)
			}
		})
	}
}

func TestReadRecordingsRefuses(t *testing.T) {
	for _, tc := range []struct{ name, file, text, want string }{
		{"a word", "r.csv", "1\n2\nslow\n", `r.csv:3: "slow" is no latency`},
		{"negative", "r.csv", "1\n-2\n", `r.csv:2: "-2" is no latency`},
		{"not a number", "r.csv", "latency\nNaN\n", `r.csv:2: "NaN" is no latency`},
		{"empty field", "r.csv", "at,latency\n1,\n", `r.csv:2: "" is no latency`},
		{"no column", "r.csv", "at,status\n1,200\n", "r.csv:1: no column"},
		{"columns without names", "r.csv", "1,200\n", "r.csv:1: no column"},
		{"two columns", "r.csv", "latency_ms,elapsed\n1,2\n", `r.csv:1: columns "latency_ms" and "elapsed" are both latencies`},
		{"rows of different length", "r.csv", "at,latency\n1,2\n3\n", "r.csv:3: wrong number of fields"},
		{"bare quote", "r.csv", "1\n2\"\n", "r.csv:2: bare"},
		{"empty", "r.csv", "", "r.csv: no times"},
		{"names alone", "r.csv", "latency\n", "r.csv: no times"},
		{"name with a blank", "my r.csv", "1\n", "my r.csv: \"my r\" is no name"},
		{"no JSON", "r.har", "hello", "r.har:1: "},
		{"broken JSON", "r.har", "{\"log\":\n{\"entries\":\n[{\"time\":1},\n{\"time\":oops}]}}", "r.har:4: "},
		{"no log", "r.har", `{"a": 1}`, `r.har:1: there is no "log"`},
		{"no entries", "r.har", "{\"log\":\n{\"version\":\"1.2\"}}", `r.har:2: there is no "entries"`},
		{"entries that are no list", "r.har", `{"log":{"entries":7}}`, "r.har:1: log.entries is no list"},
		{"entry without a time", "r.har", "{\"log\":{\"entries\":[\n{\"time\":1},\n{\"x\":1}]}}", "r.har:3: entry 2 has no time"},
		{"negative time", "r.har", "{\"log\":{\"entries\":[\n{\"time\":-1}]}}", `r.har:2: "-1" is no latency`},
		{"broken behind the entries", "r.har", "{\"log\":{\"entries\":[\n{\"time\":1}],\nbroken", "r.har:3: "},
		{"more behind the end", "r.har", "{\"log\":{\"entries\":[{\"time\":1}]}}\ntrailing", "r.har:2: "},
		{"time that is a text", "r.har", "{\"log\":{\"entries\":[\n{\"time\":\"1\"}]}}", "r.har:2: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := delay.ReadRecordings(fstest.MapFS{tc.file: {Data: []byte(tc.text)}})
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, %v, want an error that begins with %s", got, err, tc.want)
			}
		})
	}
	twice := fstest.MapFS{"r.csv": {Data: []byte("1")}, "r.har": {Data: []byte(`{"log":{"entries":[{"time":1}]}}`)}}
	if got, err := delay.ReadRecordings(twice); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("r.csv and r.har: got %v, %v, want an error", got, err)
	}
}
