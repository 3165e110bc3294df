package journal_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

const ms = time.Millisecond

// hands is a clock that a test moves.
type hands struct{ now time.Time }

func (h *hands) Now() time.Time          { return h.now }
func (h *hands) advance(d time.Duration) { h.now = h.now.Add(d) }

// newJournal returns a journal without an observer, and its clock.
func newJournal(size int) (*journal.Journal, *hands) {
	h := &hands{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return journal.New(size, h.Now, func(journal.Wait) {}), h
}

// play plays a script of steps, each 1 ms after the one before: "a+" begins the wait a,
// "a." sends its answer, "a-" ends it, "a!" refuses it. All waits are of the run r, and
// wait from their start to the step before their answer.
func play(j *journal.Journal, h *hands, script string) {
	waits := map[byte]*journal.Wait{}
	for _, step := range strings.Fields(script) {
		w := waits[step[0]]
		if w == nil {
			w = &journal.Wait{Run: "r", Method: "GET", Path: "/" + step[:1], Start: h.now}
			waits[step[0]] = w
		}
		w.Waited = max(w.Waited, h.now.Sub(w.Start)-ms)
		switch step[1] {
		case '+':
			w.Waited = 0
			j.Begin(w, nil)
		case '.':
			j.BeforeLastByte(w)
		case '-':
			j.End(*w, journal.Answered)
		case '!':
			w.Waited = 0
			j.Refuse(*w, nil, journal.Refused)
		}
		h.advance(ms)
	}
}

func TestFiguresOfARun(t *testing.T) {
	for _, tc := range []struct {
		what, script string
		want         journal.Summary
	}{
		{"one after the other", "a+ a. a- b+ b. b- c+ c. c-",
			journal.Summary{Requests: 3, PeakInFlight: 1, Wall: 7 * ms, Sum: 3 * ms}},
		{"all at once", "a+ b+ c+ a. b. c. a- b- c-",
			journal.Summary{Requests: 3, PeakInFlight: 3, Wall: 5 * ms, Sum: 9 * ms}},
		{"the next begins after an answer is sent, before its end", "a+ a. b+ a- b. b-",
			journal.Summary{Requests: 2, PeakInFlight: 1, Wall: 4 * ms, Sum: 3 * ms}},
		{"without BeforeLastByte", "a+ b+ a- c+ b- c-",
			journal.Summary{Requests: 3, PeakInFlight: 2, Wall: 5 * ms, Sum: 7 * ms}},
		{"a chain with at most two in flight", "a+ b+ a. c+ b. d+ c. d. a- b- c- d-",
			journal.Summary{Requests: 4, PeakInFlight: 2, Wall: 7 * ms, Sum: 2*ms + 3*ms + 3*ms + 2*ms}},
		{"a second BeforeLastByte has no effect", "a+ b+ a. a. c+ d+ a- b- c- d-",
			journal.Summary{Requests: 4, PeakInFlight: 3, Wall: 9 * ms, Sum: 2*ms + 6*ms + 4*ms + 4*ms}},
		{"a refused request", "a+ b! a-",
			journal.Summary{Requests: 2, PeakInFlight: 1, Wall: 2 * ms, Sum: 2 * ms}},
		{"only a refused request", "a!",
			journal.Summary{Requests: 1}},
		{"a refused request at the end", "a+ a- b!",
			journal.Summary{Requests: 2, PeakInFlight: 1, Wall: 2 * ms, Sum: 1 * ms}},
		{"one still in flight: the wall time goes on", "a+ b+ a. a-",
			journal.Summary{Requests: 2, PeakInFlight: 2, Waiting: 1, Wall: 4 * ms, Sum: 2 * ms}},
		{"sent, but not ended: the wall time is final, the run is not settled", "a+ b+ a. b. a-",
			journal.Summary{Requests: 2, PeakInFlight: 2, Waiting: 1, Wall: 3 * ms, Sum: 4 * ms}},
	} {
		j, h := newJournal(100)
		play(j, h, tc.script)
		tc.want.ID = "r"
		got, known := j.Run("r")
		if !known || got.Summary != tc.want {
			t.Errorf("%s: %s: Run = %+v, %v, want %+v", tc.what, tc.script, got.Summary, known, tc.want)
		}
		if got.Settled() != (tc.want.Waiting == 0) {
			t.Errorf("%s: %s: Settled() = %v with %d waiting", tc.what, tc.script, got.Settled(), got.Waiting)
		}
		if n := j.Waiting(); n != tc.want.Waiting {
			t.Errorf("%s: %s: Waiting() = %d, want %d", tc.what, tc.script, n, tc.want.Waiting)
		}
	}
}

func TestEntries(t *testing.T) {
	j, h := newJournal(100)
	early, late := h.now, h.now.Add(2*ms)
	h.advance(5 * ms)
	first := journal.Wait{Run: "r", Method: "POST", Path: "/late", Asked: 7 * ms, Start: late}
	j.Begin(&first, nil) // arrived second
	second := journal.Wait{Run: "r", Method: "GET", Path: "/early", Asked: 9 * ms, Start: early}
	j.Begin(&second, nil)
	first.Queued, first.Waited = ms, 2*ms
	j.BeforeLastByte(&first)
	h.advance(5 * ms)
	j.End(first, journal.Faulted)
	j.Refuse(journal.Wait{Run: "r", Method: "GET", Path: "/refused", Asked: ms, Start: h.now}, nil, journal.Refused)
	got, _ := j.Run("r")
	want := []journal.Entry{
		{Method: "GET", Path: "/early", Asked: 9 * ms, End: 10 * ms, Gap: -1, Begun: true},
		{Method: "POST", Path: "/late", Asked: 7 * ms, Queued: ms, Waited: 2 * ms, Start: 2 * ms, End: 5 * ms,
			Outcome: journal.Faulted, Gap: -1, Begun: true},
		{Method: "GET", Path: "/refused", Asked: ms, Start: 10 * ms, End: 10 * ms, Outcome: journal.Refused,
			Gap: 5 * ms},
	}
	if !reflect.DeepEqual(got.Waits, want) {
		t.Errorf("Run(r).Waits:\n got %+v\nwant %+v", got.Waits, want)
	}
	before := slices.Clone(got.Waits)
	j.End(second, journal.ClientClosed)
	j.ForgetAll()
	if !reflect.DeepEqual(got.Waits, before) {
		t.Errorf("the result of Run has changed:\n from %+v\n   to %+v", before, got.Waits)
	}
}

// fields are the header fields of a request.
type fields map[string]string

func (f fields) Get(name string) string { return f[name] }

func TestRecordsOfRequests(t *testing.T) {
	j, h := newJournal(100)
	j.Headers = []string{"Idempotency-Key", "Missing", "User-Agent"}
	long := strings.Repeat("v", 300)
	for i, r := range []*journal.Request{
		{Query: "a=b", Headers: fields{"Idempotency-Key": "k", "User-Agent": "u", "Cookie": "c"}, ProtoMajor: 1,
			ProtoMinor: 1, Connection: 70, Client: netip.MustParseAddr("192.0.2.1")},
		{Query: long, Headers: fields{"User-Agent": long}, ProtoMajor: 2, Connection: 5, Reused: true,
			Client: netip.MustParseAddr("2001:db8::")},
		{Connection: 70, Reused: true},
		nil,
	} {
		w := journal.Wait{Run: "r", Method: "GET", Path: "/", Attempt: i, Start: h.now}
		j.Begin(&w, r)
		h.advance(ms)
		w.Response = journal.Response{Status: 500 + i, RetryAfter: ms, Problem: problem.PoolFull, Fault: "truncate"}
		j.BeforeLastByte(&w)
		w.Response.Fault = "" // the fault could not be sent
		j.End(w, journal.Failed)
	}
	got, _ := j.Run("r")
	cut := strings.Repeat("v", 197) + "…"
	want := []journal.Entry{
		{Query: "a=b", Headers: map[string]string{"Idempotency-Key": "k", "User-Agent": "u"}, Protocol: "HTTP/1.1",
			Connection: 1, Client: "192.0.2.1", Gap: -1},
		{Query: cut, Headers: map[string]string{"User-Agent": cut}, Protocol: "HTTP/2.0", Connection: 2, Reused: true,
			Client: "2001:db8::"},
		{Connection: 1, Reused: true},
		{},
	}
	for i := range want {
		w := &want[i]
		w.Method, w.Path, w.Attempt, w.Outcome, w.Status = "GET", "/", i, journal.Failed, 500+i
		w.Begun = true
		w.RetryAfter, w.Problem, w.Start, w.End = ms, problem.PoolFull, time.Duration(i)*ms, time.Duration(i+1)*ms
	}
	if !reflect.DeepEqual(got.Waits, want) {
		t.Errorf("Run(r).Waits:\n got %+v\nwant %+v", got.Waits, want)
	}
}

func TestCloneHeaders(t *testing.T) {
	j, _ := newJournal(1)
	j.Headers = []string{"A", "B", "C"}
	h := fields{"A": "1", "C": strings.Repeat("c", 300), "D": "4"}
	c := j.CloneHeaders(h)
	clear(h)
	got := []string{c.Get("A"), c.Get("B"), c.Get("C"), c.Get("D")}
	if want := []string{"1", "", strings.Repeat("c", 197) + "…", ""}; !slices.Equal(got, want) {
		t.Errorf("the clone's A, B, C and D are %q, want %q", got, want)
	}
}

func TestSpeedup(t *testing.T) {
	for _, tc := range []struct {
		wall, sum time.Duration
		want      float64
		ok        bool
	}{
		{time.Second, 3 * time.Second, 3, true},
		{2 * time.Second, time.Second, 0.5, true},
		{time.Second, 0, 0, true},
		{0, 0, 0, false},
		{0, time.Second, 0, false},
	} {
		got, ok := journal.Summary{Wall: tc.wall, Sum: tc.sum}.Speedup()
		if got != tc.want || ok != tc.ok {
			t.Errorf("Summary{Wall: %v, Sum: %v}.Speedup() = %v, %v, want %v, %v", tc.wall, tc.sum, got, ok, tc.want,
				tc.ok)
		}
	}
}

func TestObserverSeesEveryEnd(t *testing.T) {
	var seen []string
	j := journal.New(10, time.Now, func(w journal.Wait) { seen = append(seen, w.Run+w.Path+" "+string(w.Outcome)) })
	for _, run := range []string{"", "r"} {
		for _, outcome := range journal.Outcomes {
			w := journal.Wait{Run: run, Path: "/x", Start: time.Now()}
			if outcome == journal.Refused || outcome == journal.Rejected {
				j.Refuse(w, nil, outcome)
				continue
			}
			j.Begin(&w, nil)
			if n := j.Waiting(); n != 1 {
				t.Errorf("Waiting() = %d after Begin, want 1", n)
			}
			j.BeforeLastByte(&w)
			j.End(w, outcome)
		}
	}
	want := []string{
		"/x answered", "/x faulted", "/x client_closed", "/x shutdown", "/x refused", "/x rejected", "/x timed_out",
		"/x failed",
		"r/x answered", "r/x faulted", "r/x client_closed", "r/x shutdown", "r/x refused", "r/x rejected",
		"r/x timed_out", "r/x failed",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the observer saw\n     %q\nwant %q", seen, want)
	}
	if run, _ := j.Run("r"); len(run.Waits) != len(journal.Outcomes) || j.Waiting() != 0 || len(j.Runs()) != 1 {
		t.Errorf("run r has %d waits, %d requests wait, there are %d runs: want %d, 0, 1", len(run.Waits), j.Waiting(),
			len(j.Runs()), len(journal.Outcomes))
	}
}

func TestLongPathsAndMethodsAreClipped(t *testing.T) {
	for _, tc := range []struct{ what, path, want string }{
		{"the maximum", strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{"a byte longer", strings.Repeat("a", 201), strings.Repeat("a", 197) + "…"},
		{"a rune at the limit", strings.Repeat("a", 196) + "é" + strings.Repeat("a", 10),
			strings.Repeat("a", 196) + "…"},
		{"a rune of four bytes at the limit", strings.Repeat("a", 194) + "🕐" + strings.Repeat("a", 10),
			strings.Repeat("a", 194) + "…"},
		{"invalid UTF-8", strings.Repeat("\x80", 300), strings.Repeat("\x80", 194) + "…"},
		{"empty", "", ""},
	} {
		j, h := newJournal(1)
		j.Begin(&journal.Wait{Run: "r", Method: "GET", Path: tc.path, Start: h.now}, nil)
		run, _ := j.Run("r")
		if got := run.Waits[0].Path; got != tc.want {
			t.Errorf("%s: a path of %d bytes is recorded as %q, want %q", tc.what, len(tc.path), got, tc.want)
		}
		if got := journal.Clip(tc.path); got != tc.want {
			t.Errorf("%s: Clip of %d bytes: got %q, want %q", tc.what, len(tc.path), got, tc.want)
		}
	}
	j, h := newJournal(1)
	j.Begin(&journal.Wait{Run: "r", Method: strings.Repeat("M", 300), Start: h.now}, nil)
	if run, _ := j.Run("r"); run.Waits[0].Method != strings.Repeat("M", 200) {
		t.Errorf("a method of 300 bytes is recorded as %q, want 200 bytes", run.Waits[0].Method)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const requests, line = 4000, 16 << 10
	for _, tc := range []struct {
		what   string
		size   int
		run    func(request string) string
		forget bool
		max    int64 // bytes
	}{
		{"a record does not keep its request line", requests,
			func(string) string { return "r" }, false, 512 * requests},
		{"a run does not keep its request line", requests,
			func(request string) string { return request[10:16] }, false, 1024 * requests},
		{"a record with header fields of the maximum size", requests,
			func(string) string { return "long" }, false, (240 + 22*201 + 500) * requests},
		{"a record in flight does not keep dropped ones", 1,
			func(string) string { return "r" }, false, 100 << 10},
		{"a record in flight does not keep forgotten ones", requests + 1,
			func(string) string { return "r" }, true, 100 << 10},
	} {
		j, h := newJournal(tc.size)
		for i := range 20 {
			j.Headers = append(j.Headers, fmt.Sprint("X-", i))
		}
		before := heap()
		oldest := journal.Wait{Run: "r", Method: "GET", Path: "/oldest", Start: h.now}
		j.Begin(&oldest, nil)
		for i := range requests {
			// As in net/http, the strings are parts of the request line.
			request := fmt.Sprintf("GET /path %06d", i) + strings.Repeat("x", line)
			w := journal.Wait{Run: tc.run(request), Method: request[:3], Path: request[4:9], Start: h.now}
			r := &journal.Request{Query: request[10:16], Headers: same(request[10:16])}
			if w.Run == "long" {
				w.Path, r.Query, r.Headers = request[4:], request[4:], same(request[4:])
			}
			j.Begin(&w, r)
			j.End(w, journal.Answered)
		}
		if tc.forget {
			j.ForgetAll()
		}
		if grown := heap() - before; grown > tc.max {
			t.Errorf("%s: %d requests have left %d bytes, want at most %d", tc.what, requests, grown, tc.max)
		}
		j.End(oldest, journal.Answered)
		runtime.KeepAlive(j)
	}
}

// same are header fields that all have the value.
type same string

func (s same) Get(string) string { return string(s) }

// heap returns the number of bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // unique and sync.Pool need two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAllocationsOfARequest(t *testing.T) {
	for _, tc := range []struct {
		run  string
		want float64
	}{{"", 0}, {"r", 3}} { // wait, record and texts
		j, h := newJournal(100)
		j.Headers = []string{"Idempotency-Key", "User-Agent"}
		w := journal.Wait{Run: tc.run, Method: "GET", Path: "/delay/1000", Start: h.now}
		j.Begin(&w, nil) // begins the run
		got := testing.AllocsPerRun(1000, func() { request(j, tc.run, h.now) })
		if got != tc.want {
			t.Errorf("a request of the run %q takes %v allocations, want %v", tc.run, got, tc.want)
		}
	}
}

var curl = journal.Request{Query: "run=r", Headers: fields{"User-Agent": "curl/8.5.0"}, ProtoMajor: 1, ProtoMinor: 1,
	Connection: 1, Client: netip.MustParseAddr("127.0.0.1")}

// request passes one request to the journal, as a flow does.
func request(j *journal.Journal, run string, start time.Time) {
	w := journal.Wait{Run: run, Method: "GET", Path: "/delay/1000", Asked: time.Second, Start: start}
	if run == "" && !j.Lists() {
		j.Begin(nil, nil)
		j.End(w, journal.Answered)
		return
	}
	begun := journal.NewWait(w)
	j.Begin(begun, &curl)
	j.BeforeLastByte(begun)
	j.End(*begun, journal.Answered)
}

func TestConcurrentRequests(t *testing.T) {
	const goroutines, each, size = 8, 300, 50
	j := journal.New(size, time.Now, func(journal.Wait) {})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				request(j, "kept", time.Now())
				request(j, fmt.Sprint("forgotten", g%2), time.Now())
				switch i % 4 {
				case 0:
					j.Forget(fmt.Sprint("forgotten", g%2))
				case 1:
					if run, known := j.Run("kept"); known && (run.PeakInFlight > goroutines || len(run.Waits) > size) {
						t.Errorf("peak %d and %d waits, want at most %d and %d", run.PeakInFlight, len(run.Waits),
							goroutines, size)
					}
				case 2:
					j.Runs()
				case 3:
					_, _ = j.Await(t.Context(), "kept", func(s journal.Summary) bool { return s.Waiting < goroutines })
				}
			}
		})
	}
	wg.Wait()
	if n := j.Waiting(); n != 0 {
		t.Errorf("Waiting() = %d, want 0", n)
	}
	for _, run := range j.Runs() {
		if !run.Settled() {
			t.Errorf("run %s is not settled: %+v", run.ID, run)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, run := range []string{"", "r"} {
		name := "no run"
		if run != "" {
			name = "run"
		}
		b.Run(name+"/serial", func(b *testing.B) {
			j := benchmarked(10_000)
			b.ReportAllocs()
			for b.Loop() {
				request(j, run, time.Time{})
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			j := benchmarked(10_000)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					request(j, run, time.Time{})
				}
			})
		})
	}
}

func BenchmarkRunOf10000(b *testing.B) {
	j := benchmarked(10_000)
	for range 10_000 {
		request(j, "r", time.Now())
	}
	for b.Loop() {
		j.Run("r")
	}
}
