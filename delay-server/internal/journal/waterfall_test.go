package journal_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"flash.test/delay-server/internal/journal"
)

// answered is a wait of a second from start on.
func answered(start time.Duration) journal.Entry {
	return journal.Entry{
		Method: "GET", Path: "/delay/1000", Asked: time.Second, Waited: time.Second,
		Start: start, End: start + 1001*ms, Outcome: journal.Answered,
	}
}

// sequential and concurrent have the same three waits.
var sequential = journal.Run{
	Summary: journal.Summary{ID: "r1", Requests: 3, PeakInFlight: 1, Wall: 3003 * ms, Sum: 3000 * ms},
	Waits: []journal.Entry{
		answered(0),
		answered(1001 * ms),
		answered(2002 * ms),
	},
}

var concurrent = journal.Run{
	Summary: journal.Summary{ID: "r1", Requests: 3, PeakInFlight: 3, Wall: 1001 * ms, Sum: 3000 * ms},
	Waits: []journal.Entry{
		answered(0),
		answered(0),
		answered(0),
	},
}

// mixed has every outcome, a queue, a waiting request, and paths with all kinds of bytes.
var mixed = journal.Run{
	Summary: journal.Summary{ID: `<"&'>`, Requests: 13, Waiting: 1, PeakInFlight: 9, Wall: 1200 * ms, Sum: 6000 * ms,
		Dropped: 2},
	Waits: []journal.Entry{
		{Method: "GET", Path: "/delay/300", Asked: 300 * ms, Queued: 400 * ms, Waited: 300 * ms, End: 800 * ms,
			Outcome: journal.Answered},
		{Method: "GET", Path: "/a\x00b\xff<é🕐>&\"'\u202e%\n]]>", End: 600 * ms, Outcome: journal.Faulted},
		{Method: "GET", Path: "/" + strings.Repeat("l", 196) + "…", Start: 100 * ms, End: 300 * ms,
			Outcome: journal.ClientClosed},
		{Method: "<GET>", Path: "", Start: 100 * ms, End: 600 * ms, Outcome: journal.Shutdown},
		{Method: "GET", Path: "/refused", Start: 600 * ms, End: 600 * ms, Outcome: journal.Refused},
		{Method: "GET", Path: "/rejected", Start: 600 * ms, End: 600 * ms, Outcome: journal.Rejected},
		{Method: "GET", Path: "/barrier/b", Start: 600 * ms, End: 900 * ms, Outcome: journal.TimedOut},
		{Method: "GET", Path: "/hold/h", Start: 600 * ms, End: 900 * ms, Outcome: journal.Failed},
		{Method: "GET", Path: "/last", Start: 1200 * ms, End: 1200 * ms},
	},
}

// retried is a client that retries after 503, 429 and a reset.
var retried = journal.Run{
	Summary: journal.Summary{ID: "r1", Requests: 4, PeakInFlight: 1, Wall: 704 * ms, Sum: 4 * ms},
	Waits: []journal.Entry{
		attempt(1, 0, -1, journal.Answered, 503, ""),
		attempt(2, 101*ms, 100*ms, journal.Answered, 429, ""),
		attempt(3, 302*ms, 200*ms, journal.Faulted, 0, "reset"),
		attempt(4, 703*ms, 400*ms, journal.Answered, 200, ""),
	},
}

func attempt(n int, start, gap time.Duration, outcome journal.Outcome, status int, fault string) journal.Entry {
	return journal.Entry{
		Method: "POST", Path: "/pay", Attempt: n, Start: start, End: start + ms, Gap: gap, Outcome: outcome,
		Status: status, Fault: fault,
	}
}

// hedged is a client that sends a second request after 50 ms, and gives up the first.
var hedged = journal.Run{
	Summary: journal.Summary{ID: "r1", Requests: 2, PeakInFlight: 2, Wall: 100 * ms, Sum: 150 * ms},
	Waits: []journal.Entry{
		{Method: "GET", Path: "/a", Attempt: 1, End: 100 * ms, Gap: -1, Outcome: journal.ClientClosed, Status: 200},
		{Method: "GET", Path: "/a", Attempt: 2, Start: 50 * ms, End: 100 * ms, Gap: -1, Outcome: journal.Answered,
			Status: 200},
	},
}

// marked returns retried with remarks.
func marked(marks map[int]string) journal.Run {
	run := retried
	run.Marks = marks
	return run
}

// many returns a run with too many waits for a picture.
func many() journal.Run {
	run := journal.Run{Summary: journal.Summary{ID: "many", Requests: 1234, PeakInFlight: 1234, Wall: time.Second}}
	for range run.Requests {
		run.Waits = append(run.Waits, journal.Entry{Method: "GET", Path: "/", End: time.Second,
			Outcome: journal.Answered})
	}
	return run
}

func text(t *testing.T, run journal.Run) string {
	t.Helper()
	var b strings.Builder
	if err := run.WriteText(&b); err != nil {
		t.Fatalf("WriteText: %v", err)
	}
	return b.String()
}

func TestTextShowsWhatOverlaps(t *testing.T) {
	for _, tc := range []struct {
		what string
		run  journal.Run
		want string
	}{
		{"sequential", sequential, `
run r1: 3 requests, peak in flight 1
3003 ms from first to last for 3000 ms of waiting: sequential, without gaps
GET /delay/1000  |██████████████████                                     |    0 → 1001 ms  answered
GET /delay/1000  |                  ███████████████████                  | 1001 → 2002 ms  answered
GET /delay/1000  |                                     ██████████████████| 2002 → 3003 ms  answered
`},
		{"concurrent", concurrent, `
run r1: 3 requests, peak in flight 3
1001 ms from first to last for 3000 ms of waiting: 3.0 times as fast as sequential requests
GET /delay/1000  |██████████████████████████████████████████████████████████| 0 → 1001 ms  answered
GET /delay/1000  |██████████████████████████████████████████████████████████| 0 → 1001 ms  answered
GET /delay/1000  |██████████████████████████████████████████████████████████| 0 → 1001 ms  answered
`},
		{"every kind", mixed, `
run <"&'>: 13 requests, peak in flight 9, 1 still waiting
1200 ms from first to last for 6000 ms of waiting: 5.0 times as fast as sequential requests
GET /delay/300                    |░░░░░░░░░░░███████████           |    0 →  800 ms  answered
GET /a%00b%FF<%C3%A9%F0%9F%95%9…  |▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓                |    0 →  600 ms  faulted
GET /llllllllllllllllllllllllll…  |   ▓▓▓▓▓                         |  100 →  300 ms  client gave up
<GET>                             |   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓                |  100 →  600 ms  shutdown
GET /refused                      |                 ×               |  600 →  600 ms  refused
GET /rejected                     |                 ×               |  600 →  600 ms  rejected
GET /barrier/b                    |                 ▓▓▓▓▓▓▓▓        |  600 →  900 ms  timed out
GET /hold/h                       |                 ▓▓▓▓▓▓▓▓        |  600 →  900 ms  failed
GET /last                         |                                ▒| 1200 → 1200 ms  waiting
(░ is the time in a pool's queue)
(2 older requests dropped, but counted in the figures)
`},
		{"retried", retried, `
run r1: 4 requests, peak in flight 1
704 ms from first to last for 4 ms of waiting
4 attempts: 503, 429, reset, 200; gaps 100, 200, 400 ms
POST /pay #1  |▓                                                           |   0 →   1 ms  503
POST /pay #2  |-100 ms--▓                                                  | 101 → 102 ms  429
POST /pay #3  |         -----200 ms------▓                                 | 302 → 303 ms  reset
POST /pay #4  |                          -------------400 ms--------------█| 703 → 704 ms  200
(- is the gap after the request before)
`},
		{"hedged", hedged, `
run r1: 2 requests, peak in flight 2
100 ms from first to last for 150 ms of waiting
2 attempts, up to 2 at once: client gave up, 200
GET /a #1  |▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓|  0 → 100 ms  200 gave up
GET /a #2  |                               ███████████████████████████████| 50 → 100 ms  200
`},
		{"with remarks", marked(map[int]string{1: "gap 100 ms, want 200 ms or more", 3: "x" +
			strings.Repeat(" word", 20) + "\x1b\n<é>"}), `
run r1: 4 requests, peak in flight 1
704 ms from first to last for 4 ms of waiting
4 attempts: 503, 429, reset, 200; gaps 100, 200, 400 ms
POST /pay #1  |▓                                                           |   0 →   1 ms  503
POST /pay #2  |-100 ms--▓                                                  | 101 → 102 ms  429
  < gap 100 ms, want 200 ms or more
POST /pay #3  |         -----200 ms------▓                                 | 302 → 303 ms  reset
POST /pay #4  |                          -------------400 ms--------------█| 703 → 704 ms  200
  < x word word word word word word word word word word word word word word word word word word
  < word word??<?>
(- is the gap after the request before)
`},
		{"no wall time", journal.Run{
			Summary: journal.Summary{ID: "r", Requests: 1},
			Waits:   []journal.Entry{{Method: "GET", Path: "/", Outcome: journal.Refused}},
		}, `
run r: 1 request, peak in flight 0
0 ms from first to last for 0 ms of waiting
GET /  |×                                                                      | 0 → 0 ms  refused
`},
		{"no records", journal.Run{Summary: journal.Summary{ID: "r", Requests: 1, Dropped: 1}}, `
run r: 1 request, peak in flight 0
0 ms from first to last for 0 ms of waiting
(1 older request dropped, but counted in the figures)
`},
	} {
		if got := "\n" + text(t, tc.run); got != tc.want {
			t.Errorf("%s: WriteText wrote%s\nwant%s", tc.what, got, tc.want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for wall, want := range map[time.Duration]string{
		0: "0", 400: "0", 500: "0.001", 1234: "0.001", 123_456: "0.123", 1_234_567: "1.23", 12_345_678: "12.3",
		99_960_000: "100", 123_456_789: "123", 1_000_600_000: "1001", time.Hour: "3600000",
	} {
		got := text(t, journal.Run{Summary: journal.Summary{ID: "r", Wall: wall}})
		if want := "\n" + want + " ms from first to last"; !strings.Contains(got, want) {
			t.Errorf("wall time %v: %s\nwant%s", wall, got, want)
		}
	}
}

func TestTextWidthAndCharacters(t *testing.T) {
	long := concurrent
	long.Wall, long.Waits = 100*time.Hour, []journal.Entry{{Method: "GET", Path: mixed.Waits[2].Path,
		Start: 99 * time.Hour, End: 100 * time.Hour, Outcome: journal.TimedOut}}
	for _, run := range []journal.Run{sequential, concurrent, mixed, many(), long} {
		for line := range strings.Lines(text(t, run)) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > 100 {
				t.Errorf("run %s: %d columns, want at most 100: %s", run.ID, n, line)
			}
			if at := strings.IndexFunc(line, func(r rune) bool {
				return r > '~' &&
					!strings.ContainsRune("…→█░▓▒×", r) || r < ' '
			}); at >= 0 {
				t.Errorf("run %s: unexpected character at %d: %q", run.ID, at, line)
			}
		}
	}
}

func TestPicturesNameMissingWaits(t *testing.T) {
	for _, tc := range []struct {
		what string
		run  journal.Run
		rows int
		want []string
	}{
		{"all drawn", concurrent, 3, nil},
		{"some dropped", mixed, 9, []string{"2 older requests dropped, but counted in the figures"}},
		{"too many", many(), 500, []string{"first 500 requests drawn, 734 more not"}},
	} {
		plain := text(t, tc.run)
		drawn := svg(t, tc.run)
		if got := strings.Count(plain, " ms  "); got != tc.rows {
			t.Errorf("%s: the text has %d rows, want %d", tc.what, got, tc.rows)
		}
		if got := drawn.count("bar"); got != tc.rows {
			t.Errorf("%s: the SVG has %d bars, want %d", tc.what, got, tc.rows)
		}
		for _, want := range tc.want {
			if !strings.Contains(plain, want) || !strings.Contains(drawn.text, want) {
				t.Errorf("%s: the text or the SVG does not say %q", tc.what, want)
			}
		}
		if tc.want == nil && (strings.Contains(plain, "drawn") || strings.Contains(drawn.text, "dropped")) {
			t.Errorf("%s: the text or the SVG says that something is missing", tc.what)
		}
	}
}

// drawing is a parsed SVG.
type drawing struct {
	elements []xml.StartElement
	text     string // of all elements
}

func (d drawing) count(class string) (n int) {
	for _, e := range d.elements {
		if attribute(e, "class") == class {
			n++
		}
	}
	return n
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func svg(t *testing.T, run journal.Run) drawing {
	t.Helper()
	var b bytes.Buffer
	if err := run.WriteSVG(&b); err != nil {
		t.Fatalf("WriteSVG: %v", err)
	}
	var d drawing
	for decoder := xml.NewDecoder(&b); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("the SVG of run %s is invalid: %v", run.ID, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("the SVG of run %s has %s=%q in <%s>", run.ID, a.Name.Local, a.Value, token.Name.Local)
				}
			}
			d.elements = append(d.elements, token.Copy())
		case xml.CharData:
			d.text += string(token) + "\n"
		}
	}
}

func TestSVG(t *testing.T) {
	d := svg(t, mixed)
	known := map[string]bool{"svg": true, "title": true, "desc": true, "style": true, "rect": true, "text": true,
		"g": true, "path": true}
	signs := map[string]bool{}
	for _, e := range d.elements {
		if !known[e.Name.Local] {
			t.Errorf("the SVG has an element <%s>", e.Name.Local)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || strings.HasPrefix(a.Value, "-") &&
				a.Name.Local == "width" {
				t.Errorf("the SVG has %s=%q in <%s>", a.Name.Local, a.Value, e.Name.Local)
			}
		}
		if attribute(e, "class") == "sign" {
			signs[attribute(e, "d")] = true
		}
	}
	if len(signs) != len(mixed.Waits) {
		t.Errorf("%d outcomes have %d signs", len(mixed.Waits), len(signs))
	}
	if n := d.count("queued"); n != 1 {
		t.Errorf("%d bars have a queued part, want 1", n)
	}
	for _, want := range []string{
		`Run <"&'>`, "13 requests, 1 still waiting", "prefers-color-scheme: dark", "/a%00b%FF<%C3%A9%F0%9F",
		"%E2%80%AE", "%25%0A", "timed out",
		"GET /delay/300: from 0 to 800 ms, asked for 300 ms, waited 300 ms, queued 400 ms before: answered",
	} {
		if !strings.Contains(d.text, want) {
			t.Errorf("the SVG does not say %q", want)
		}
	}
	for _, not := range []string{"url(", "@import", "http"} {
		if strings.Contains(d.text, not) {
			t.Errorf("the SVG contains %q", not)
		}
	}
}

// Statuses, gaps, attempts and remarks are drawn, and hostile remarks are escaped.
func TestSVGOfRetries(t *testing.T) {
	run := marked(map[int]string{1: "gap too short", 3: "</text><script>\"é\x00"})
	run.Requests++
	run.Waits = append(run.Waits, attempt(5, 704*ms, 0, journal.Rejected, 400, ""))
	d := svg(t, run)
	signs := map[string]string{}
	for i, e := range d.elements {
		if attribute(e, "class") == "sign" {
			class := ""
			for class = ""; class == ""; i-- { // of the group around the sign
				if d.elements[i].Name.Local == "g" {
					class = attribute(d.elements[i], "class")
				}
			}
			signs[class] = attribute(e, "d")
		}
	}
	distinct := map[string]bool{}
	for _, sign := range signs {
		distinct[sign] = true
	}
	for _, class := range []string{"answered", "client_error", "server_error", "faulted", "rejected"} {
		if signs[class] == "" || len(distinct) != 5 {
			t.Errorf("the signs are %q, want five that differ, one for %s", signs, class)
		}
	}
	if got := [...]int{d.count("gap"), d.count("length"), d.count("mark")}; got != [...]int{3, 3, 2} {
		t.Errorf("%d gaps, lengths and remarks, want 3, 3 and 2", got)
	}
	for _, want := range []string{
		"5 requests, 3 retries", "POST /pay #4", "400 ms", "< gap too short",
		`< </text><script>"??`, "400 rejected",
	} {
		if !strings.Contains(d.text, want) {
			t.Errorf("the SVG does not say %q", want)
		}
	}
}

func TestHeadlines(t *testing.T) {
	wait := func(path string, start, end int, outcome journal.Outcome, status int) journal.Entry {
		return journal.Entry{Method: "GET", Path: path, Start: time.Duration(start) * ms, End: time.Duration(end) * ms,
			Gap: -1, Outcome: outcome, Status: status}
	}
	gap := func(e journal.Entry, gap time.Duration) journal.Entry {
		e.Gap = gap
		return e
	}
	const ok, gone = journal.Answered, journal.ClientClosed
	for _, tc := range []struct {
		what  string
		peak  int
		waits []journal.Entry
		want  string // "" for none
	}{
		{"a single request", 1, []journal.Entry{wait("/a", 0, 10, ok, 200)}, ""},
		{"the same request again, since it is needed again", 1,
			[]journal.Entry{wait("/a", 0, 5, ok, 200), gap(wait("/a", 5, 10, ok, 200), 0)}, "sequential, without gaps"},
		{"with gaps", 1, []journal.Entry{wait("/a", 0, 2, ok, 200), gap(wait("/b", 4, 6, ok, 200), 2*ms),
			gap(wait("/c", 7, 10, ok, 200), ms)}, "sequential, gaps up to 2 ms"},
		{"an error that is not retried", 1,
			[]journal.Entry{wait("/a", 0, 5, ok, 404), gap(wait("/b", 5, 10, ok, 200), 0)}, "sequential, without gaps"},
		{"concurrent", 2, []journal.Entry{wait("/a", 0, 10, ok, 200), wait("/a", 0, 10, ok, 503)},
			"2.0 times as fast as sequential requests"},
		{"a retry", 1, []journal.Entry{wait("/a", 0, 5, ok, 404), gap(wait("/a", 6, 10, ok, 200), ms)},
			"2 attempts: 404, 200; gaps 1 ms"},
		{"a retry after the client gave up", 1, []journal.Entry{wait("/a", 0, 5, gone, 0),
			gap(wait("/a", 6, 10, ok, 200), ms)}, "2 attempts: client gave up, 200; gaps 1 ms"},
		{"a hedge whose second request loses", 2, []journal.Entry{wait("/a", 0, 10, ok, 200),
			wait("/a", 5, 10, gone, 0)}, "2 attempts, up to 2 at once: 200, client gave up"},
		{"a retry among others", 2, []journal.Entry{wait("/a", 0, 5, ok, 503), wait("/b", 0, 10, ok, 200),
			wait("/a", 6, 10, ok, 200)}, "3 requests, 1 retry, up to 2 at once"},
	} {
		run := journal.Run{Waits: tc.waits}
		run.ID, run.Requests, run.PeakInFlight, run.Wall, run.Sum = "r", len(tc.waits), tc.peak, 10*ms, 20*ms
		got := text(t, run)
		if want := "for 20 ms of waiting\n"; tc.want == "" && !strings.Contains(got, want) ||
			tc.want != "" && !strings.Contains(got, tc.want+"\n") {
			t.Errorf("%s: got\n%swant the headline %q", tc.what, got, tc.want)
		}
		if strings.Contains(tc.want, "times as fast") {
			tc.want = "2.0×\nas fast as sequential"
		}
		if d := svg(t, run); tc.want != "" && !strings.Contains(d.text, tc.want) {
			t.Errorf("%s: the SVG does not say %q", tc.what, tc.want)
		}
	}
	still := retried
	still.Wall, still.Waits = 0, slices.Clone(retried.Waits)
	for i := range still.Waits {
		e := &still.Waits[i]
		e.Start, e.End, e.Gap = 0, 0, min(e.Gap, 0)
	}
	const instant = "\n4 attempts: 503, 429, reset, 200; gaps 0, 0, 0 ms\n"
	if got := text(t, still); !strings.Contains(got, instant) {
		t.Errorf("on a frozen clock: got\n%swant%s", got, instant)
	}
	long := retried
	long.Waits, long.Requests = nil, 100
	for i := range long.Requests {
		at := time.Duration(i) * 7 * ms
		long.Waits = append(long.Waits, attempt(i+1, at, 6*ms, journal.Answered, 503, ""))
	}
	const want = "100 attempts: 503, 503, 503, 503, 503, 503, 503, 503, 503, 503, … (90 more); " +
		"gaps 6, 6, 6, 6, 6, 6,\n6, 6, 6, 6, … (89 more) ms\n"
	if got := text(t, long); !strings.Contains(got, want) {
		t.Errorf("of 100 attempts: %.300s\nwant %s", got, want)
	}
}

func TestRemarksOnRequestsThatAreNotDrawn(t *testing.T) {
	run := many()
	run.Marks = map[int]string{1: "drawn", 700: "the first", 900: "the second"}
	const want = "(2 remarks on requests not drawn, the first on request 701: the first)"
	if got := text(t, run); !strings.Contains(got, want) || !strings.Contains(got, "  < drawn\n") {
		t.Errorf("WriteText does not say %s", want)
	}
}

func TestAxis(t *testing.T) {
	for _, tc := range []struct {
		wall time.Duration
		want string
	}{
		{0, "0"},
		{1, "0 0.000001 ms"},
		{1500 * time.Microsecond, "0 0.5 ms 1 ms 1.5 ms"},
		{699 * ms, "0 100 ms 200 ms 300 ms 400 ms 500 ms 600 ms"},
		{700 * ms, "0 200 ms 400 ms 600 ms"},
		{1001 * ms, "0 200 ms 400 ms 600 ms 800 ms 1 s"},
		{3003 * ms, "0 500 ms 1 s 1500 ms 2 s 2500 ms 3 s"},
		{time.Hour, "0 1000 s 2000 s 3000 s"},
	} {
		run := journal.Run{Summary: journal.Summary{ID: "r", Requests: 1, Wall: tc.wall}}
		d := svg(t, run)
		_, axis, _ := strings.Cut(d.text, "outcome\n")
		if got := strings.Join(strings.Fields(axis), " "); got != tc.want {
			t.Errorf("wall time %v: the ticks are %q, want %q", tc.wall, got, tc.want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, write := range map[string]func(journal.Run, io.Writer) error{"WriteText": journal.Run.WriteText,
		"WriteSVG": journal.Run.WriteSVG} {
		if err := write(many(), brokenWriter{broken}); !errors.Is(err, broken) {
			t.Errorf("%s = %v, want %v", name, err, broken)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func ExampleRun_WriteText() {
	run := journal.Run{
		Summary: journal.Summary{ID: "r1", Requests: 2, PeakInFlight: 1, Wall: 200 * ms, Sum: 200 * ms},
		Waits: []journal.Entry{
			{Method: "GET", Path: "/delay/100", End: 100 * ms, Outcome: journal.Answered},
			{Method: "GET", Path: "/delay/100", Start: 100 * ms, End: 200 * ms, Outcome: journal.Answered},
		},
	}
	var b strings.Builder
	_ = run.WriteText(&b)
	fmt.Print(b.String())
	// Output:
	// run r1: 2 requests, peak in flight 1
	// 200 ms from first to last for 200 ms of waiting: sequential, without gaps
	// GET /delay/100  |█████████████████████████████                             |   0 → 100 ms  answered
	// GET /delay/100  |                             █████████████████████████████| 100 → 200 ms  answered
}

func TestAxisOfTheLongestRun(t *testing.T) {
	for _, wall := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 8e18, 9e18} {
		run := journal.Run{Summary: journal.Summary{ID: "r", Requests: 1, Wall: wall}}
		var svg strings.Builder
		if err := run.WriteSVG(&svg); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(svg.String(), `class="grid"`); n < 1 || n > 12 {
			t.Errorf("a run of %v has %d ticks, want 1 to 12", wall, n)
		}
	}
}
