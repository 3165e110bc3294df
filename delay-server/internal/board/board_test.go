package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/exercise"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/query"
)

const ms = time.Millisecond

// room is a board whose time a test moves.
type room struct {
	*Board
	t       testing.TB
	journal *journal.Journal
	time    time.Time
}

func newRoom(t *testing.T, journalSize int) *room { return newRoomFor(t, journalSize) }

func newRoomFor(t testing.TB, journalSize int) *room {
	r := &room{t: t, time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	now := func() time.Time { return r.time }
	r.journal = journal.New(journalSize, now, func(journal.Wait) {})
	r.Board = New(Options{Journal: r.journal, Clock: clock.New(), Exercises: exercise.Default})
	r.Board.now = now
	t.Cleanup(r.Close)
	return r
}

// from returns the address of a host.
func from(host int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(host >> 8), byte(host)}) }

// begin begins a request of a run.
func (r *room) begin(run string, host int) *journal.Wait {
	w := &journal.Wait{Run: run, Method: "GET", Path: "/delay/1", Start: r.time}
	r.journal.Begin(w, &journal.Request{Client: from(host)})
	for r.growing.Load() { // the board reads
		runtime.Gosched()
	}
	return w
}

// end ends a request with a status.
func (r *room) end(w *journal.Wait, status int) {
	w.Status = status
	r.journal.End(*w, journal.Answered)
}

// call makes a request that takes a time.
func (r *room) call(run string, host int, status int, takes time.Duration) {
	w := r.begin(run, host)
	r.time = r.time.Add(takes)
	r.end(w, status)
}

// three makes three requests of a run at once.
func (r *room) three(run string, host int) {
	a, b, c := r.begin(run, host), r.begin(run, host), r.begin(run, host)
	r.time = r.time.Add(100 * ms)
	r.end(a, 200)
	r.end(b, 200)
	r.end(c, 200)
}

// after returns the state of a name, or of all, a time later.
func (r *room) after(d time.Duration, name string) state {
	r.time = r.time.Add(d)
	return r.state(name).(state)
}

// settle returns the state after all verdicts.
func (r *room) settle(name string) state {
	r.after(interval, name)
	for range 10 { // an update reads up to maxReads runs
		r.after(maxQuiet, name)
	}
	return r.after(maxQuiet, name)
}

// only returns the only person of a state.
func (r *room) only(s state) personState {
	r.t.Helper()
	if len(s.People) != 1 {
		r.t.Fatalf("got %d people, want 1: %+v", len(s.People), s.People)
	}
	return s.People[0]
}

// summary writes a person in a line.
func summary(p personState) string {
	text := fmt.Sprintf("%s %d/%d passed %v failed %v:", p.Name, p.Requests, p.Waiting, p.Passed, p.Failed)
	for _, t := range p.Tries {
		text += fmt.Sprintf(" %s=%s", t.Run, t.Verdict)
	}
	return text
}

func (r *room) want(s state, people ...string) {
	r.t.Helper()
	got := []string{}
	for _, p := range s.People {
		got = append(got, summary(p))
	}
	if !slices.Equal(got, people) {
		r.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(people, "\n  "))
	}
}

func TestBoard(t *testing.T) {
	r := newRoom(t, 1000)
	r.want(r.after(0, ""))
	r.three("anna.concurrent.1", 1)
	for range 3 {
		r.call("ben.concurrent.1", 2, 200, 100*ms)
	}
	r.call("cleo", 3, 200, 100*ms)
	r.want(r.after(interval, ""), "anna 3/0 passed [] failed []: anna.concurrent.1=running",
		"ben 3/0 passed [] failed []: ben.concurrent.1=running", "cleo 1/0 passed [] failed []: cleo=")
	s := r.after(maxQuiet, "")
	r.want(s, "anna 3/0 passed [concurrent] failed []: anna.concurrent.1=passed",
		"ben 3/0 passed [] failed [concurrent]: ben.concurrent.1=failed", "cleo 1/0 passed [] failed []: cleo=")
	anna, ben, cleo := s.People[0].Tries[0], s.People[1].Tries[0], s.People[2].Tries[0]
	if anna.Peak != 3 || anna.Speedup != 3 || anna.Wall != 100 || len(anna.Details) != 0 ||
		anna.Headline != "3.0 times as fast as sequential requests" {
		t.Errorf("anna's run: %+v", anna)
	}
	if want := "never more than 1 request in flight at once"; len(ben.Details) != 1 ||
		!strings.HasPrefix(ben.Details[0], want) {
		t.Errorf("ben's details: %q, want one that begins with %q", ben.Details, want)
	}
	if fmt.Sprint(ben.Bars) != "[{0 100 answered} {100 200 answered} {200 300 answered}]" {
		t.Errorf("ben's bars: %v", ben.Bars)
	}
	if cleo.Headline != "1 request" {
		t.Errorf("cleo's headline: %q", cleo.Headline)
	}
	if len(s.Exercises) != 7 || s.Exercises[0] != (exerciseState{"concurrent", "Three calls at once"}) {
		t.Errorf("exercises: %+v", s.Exercises)
	}
	if got := r.after(interval, "ben"); len(got.People) != 1 || got.People[0].Name != "ben" {
		t.Errorf("of ben: %+v", got.People)
	}
	r.want(r.after(interval, "dora"))
}

// A client that pauses between two attempts is not judged before it is done.
func TestVerdictWaitsForRetries(t *testing.T) {
	r := newRoom(t, 1000)
	const run = "anna.retry.1"
	pause := 200 * ms
	for i, status := range []int{503, 503, 503, 200} {
		if i > 0 {
			for left := pause; left > 0; left -= interval { // somebody looks meanwhile
				if p := r.only(r.after(min(left, interval), "")); p.Tries[0].Verdict != "running" {
					t.Errorf("%v before attempt %d: %s", left, i+1, summary(p))
				}
			}
			pause *= 2
		}
		r.call(run, 1, status, 20*ms)
	}
	r.want(r.settle(""), "anna 4/0 passed [retry] failed []: anna.retry.1=passed")
}

// Retry-After says how late the next attempt comes.
func TestVerdictWaitsForRetryAfter(t *testing.T) {
	r := newRoom(t, 1000)
	w := r.begin("anna.retry-after.1", 1)
	w.RetryAfter = 10 * time.Second
	r.end(w, 429)
	r.after(interval, "")
	if p := r.only(r.after(10*time.Second, "")); p.Tries[0].Verdict != "running" {
		t.Errorf("while the client waits as told: %s", summary(p))
	}
	if p := r.only(r.after(2*time.Second, "")); p.Tries[0].Verdict != "failed" {
		t.Errorf("when it has not come: %s", summary(p))
	}
}

// A run that goes on is judged again.
func TestVerdictChanges(t *testing.T) {
	r := newRoom(t, 1000)
	r.three("anna.concurrent.1", 1)
	first := r.only(r.settle("")).Tries[0].Version
	w := r.begin("anna.concurrent.1", 1)
	r.want(r.after(interval, ""), "anna 4/1 passed [] failed []: anna.concurrent.1=running")
	r.end(w, 200)
	s := r.settle("")
	r.want(s, "anna 4/0 passed [] failed [concurrent]: anna.concurrent.1=failed")
	if now := s.People[0].Tries[0].Version; now <= first {
		t.Errorf("version %d after %d, want a higher one", now, first)
	}
	r.three("anna.concurrent.2", 1)
	r.want(r.settle(""), "anna 7/0 passed [concurrent] failed []: anna.concurrent.2=passed anna.concurrent.1=failed")
	r.call("anna.concurrent.3", 1, 200, ms)
	r.want(r.settle(""), "anna 8/0 passed [concurrent] failed []: "+
		"anna.concurrent.3=failed anna.concurrent.2=passed anna.concurrent.1=failed")
}

func TestIdleBoardStaysTheSame(t *testing.T) {
	r := newRoom(t, 1000)
	r.three("anna.concurrent.1", 1)
	r.begin("ben", 2) // waits
	r.settle("")
	one, _ := json.Marshal(r.after(0, ""))
	two, _ := json.Marshal(r.after(interval, ""))
	if string(one) != string(two) {
		t.Errorf("within a second:\n%s\nthen\n%s", one, two)
	}
}

func TestSameNameFromManyAddresses(t *testing.T) {
	r := newRoom(t, 1000)
	for host := range 50 {
		r.call("anna", host, 200, ms)
	}
	p := r.only(r.settle(""))
	if p.Addresses != 50 || p.Requests != 50 || len(p.Tries) != 1 {
		t.Errorf("got %d addresses, %d requests, %d tries, want 50, 50, 1", p.Addresses, p.Requests, len(p.Tries))
	}
}

func TestNamesAreSentAsTheyAre(t *testing.T) {
	r := newRoom(t, 1000)
	const name = `<img/src=x.onerror=alert(1)>"'&`
	r.three(name+".concurrent.1", 1)
	r.call("4bf92f3577b34da6a3ce929d0e0e4736", 1, 200, ms) // a trace
	r.call(query.GeneratedRun+"K3XJ-concurrent", 1, 200, ms)
	s := r.settle("")
	r.want(s, name+" 3/0 passed [concurrent] failed []: "+name+".concurrent.1=passed")
	text, err := json.Marshal(s)
	if err != nil || strings.Contains(string(text), "<") {
		t.Errorf("JSON with a name in HTML: %s, %v", text, err)
	}
}

// One name with many runs keeps its newest, and what it has passed.
func TestManyRunsOfOneName(t *testing.T) {
	r := newRoom(t, 1000)
	r.three("anna.concurrent.0", 1)
	r.settle("")
	for i := range 100 {
		r.call(fmt.Sprint("anna.concurrent.", i+1), 1, 200, ms)
		r.after(interval, "")
	}
	r.settle("")
	p := r.only(r.after(interval, "anna"))
	if len(p.Tries) != 20 || p.Tries[0].Run != "anna.concurrent.100" || p.Requests != 103 ||
		!slices.Equal(p.Passed, []string{"concurrent"}) {
		t.Errorf("got %s", summary(p))
	}
	if p = r.only(r.after(interval, "")); len(p.Tries) != 3 {
		t.Errorf("of all: got %d tries, want 3", len(p.Tries))
	}
	if slices.ContainsFunc(r.people.inOrder[0].tries, func(t *try) bool { return t.open }) {
		t.Error("a run is still open, want all judged")
	}
}

// An address that floods the board with names takes no other's place.
func TestManyNames(t *testing.T) {
	r := newRoom(t, 10_000)
	r.three("anna.concurrent.1", 1)
	r.settle("")
	for i := range 500 {
		r.call(fmt.Sprint("flood", i), 2, 200, ms)
	}
	if s := r.settle(""); len(s.People) != maxPeople || s.MoreNames != 301 || s.People[0].Name != "anna" {
		t.Fatalf("%d people, %d more names, the first %q; want %d, 301, anna", len(s.People), s.MoreNames,
			s.People[0].Name, maxPeople)
	}
	for i := range 50 { // who come later take places of the flood
		r.three(fmt.Sprintf("late%d.concurrent.1", i), 10+i)
	}
	s := r.settle("")
	passed := 0
	for _, p := range s.People {
		passed += len(p.Passed)
	}
	if len(s.People) != maxPeople || passed != 51 || s.MoreNames != 351 {
		t.Errorf("%d people, of whom %d have passed, %d more names; want %d, 51, 351", len(s.People), passed,
			s.MoreNames, maxPeople)
	}
	r.call("flood999", 2, 200, ms)
	if s := r.settle(""); s.MoreNames != 352 {
		t.Errorf("%d more names after another one of the flood, want 352", s.MoreNames)
	}
}

// A room behind one address has places for all, and the first ones stay.
func TestManyNamesOfOneAddress(t *testing.T) {
	r := newRoom(t, 10_000)
	for i := range maxPeople + 10 {
		r.call(fmt.Sprint("name", i), 1, 200, ms)
	}
	if s := r.settle(""); len(s.People) != maxPeople || s.MoreNames != 10 || s.People[0].Name != "name0" {
		t.Errorf("%d people, %d more names, the first %q; want %d, 10, name0", len(s.People), s.MoreNames,
			s.People[0].Name, maxPeople)
	}
}

// An address that passes an exercise under many names does not keep all places.
func TestManyNamesThatPass(t *testing.T) {
	r := newRoom(t, 10_000)
	for i := range maxPeople {
		r.three(fmt.Sprintf("flood%d.concurrent.1", i), 2)
	}
	r.settle("")
	r.three("anna.concurrent.1", 1)
	r.want(r.settle("anna"), "anna 3/0 passed [concurrent] failed []: anna.concurrent.1=passed")
	if s := r.settle(""); len(s.People) != maxPeople || s.People[0].Name != "flood1" || s.MoreNames != 1 {
		t.Errorf("%d people, the first %s, %d more names; want %d, flood1, 1", len(s.People), s.People[0].Name,
			s.MoreNames, maxPeople)
	}
}

// A run that goes on after newer ones took its place is not counted again and again.
func TestOldRunGoesOn(t *testing.T) {
	r := newRoom(t, 1000)
	for range 3 {
		r.call("anna", 1, 200, ms)
	}
	for i := range maxTries {
		r.call(fmt.Sprint("anna.concurrent.", i), 1, 200, ms)
	}
	r.call("anna", 1, 200, ms) // changes last
	for range 5 {
		if p := r.only(r.after(interval, "")); p.Requests != maxTries+4 {
			t.Errorf("got %d requests, want %d", p.Requests, maxTries+4)
		}
		r.call("anna", 1, 200, ms)
	}
}

// A run with very many requests is neither copied nor judged as a whole.
func TestRunWithTooManyRequests(t *testing.T) {
	r := newRoom(t, 2*maxJudged)
	for range maxJudged {
		r.call("anna.concurrent.1", 1, 200, time.Microsecond)
	}
	if p := r.only(r.settle("")); p.Tries[0].Verdict != "failed" {
		t.Errorf("with %d requests: %s", maxJudged, summary(p))
	}
	r.call("anna.concurrent.1", 1, 200, time.Microsecond)
	p := r.only(r.settle(""))
	const want = "not judged: more than 2000 requests; use another run ID for each try"
	if one := p.Tries[0]; one.Verdict != "" || len(p.Failed) > 0 || !slices.Equal(one.Details, []string{want}) ||
		one.Headline != "2001 requests" || len(one.Bars) != maxBars {
		t.Errorf("with a request more: %s, %+v; want %q", summary(p), one, want)
	}
}

// get sends a request for a picture of a run.
func (r *room) get(ctx context.Context, method, run string) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(ctx, method, "/board/waterfall.svg?run="+run, nil)
	return w, r.Waterfall(echo.New().NewContext(req, w))
}

func TestWaterfall(t *testing.T) {
	r := newRoom(t, 2*maxJudged)
	const run = "anna.retry.1"
	for range maxJudged {
		r.call(run, 1, 503, time.Microsecond)
	}
	w, err := r.get(t.Context(), "GET", run)
	if err != nil || !strings.Contains(w.Body.String(), "gap 0 ms, want") {
		t.Errorf("got %.200s, %v, want the remarks of its checks", w.Body, err)
	}
	r.call(run, 1, 503, time.Microsecond)
	w, err = r.get(t.Context(), "GET", run)
	if err != nil || !strings.Contains(w.Body.String(), "first 500 requests drawn, 1501 more not") ||
		strings.Contains(w.Body.String(), "gap 0 ms, want") {
		t.Errorf("got %.200s, %v, want the first requests without remarks", w.Body, err)
	}
	w, err = r.get(t.Context(), "HEAD", run)
	if err != nil || w.Code != 200 || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("HEAD: got %d, %d bytes, %v, %v", w.Code, w.Body.Len(), w.Header(), err)
	}
	if _, err := r.get(t.Context(), "HEAD", "ben"); err == nil {
		t.Error("HEAD of an unknown run: no error")
	}
}

// Few pictures are drawn at a time. The others wait, but not after their clients have left.
func TestWaterfallsDrawnAtOnce(t *testing.T) {
	r := newRoom(t, 100)
	r.three("anna.concurrent.1", 1)
	for range maxDrawn {
		r.drawn <- struct{}{}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if w, err := r.get(gone, "GET", "anna.concurrent.1"); w.Body.Len() > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("while %d are drawn: %d bytes, %v, want none, %v", maxDrawn, w.Body.Len(), err, context.Canceled)
	}
	for range maxDrawn {
		<-r.drawn
	}
	for range 2 * maxDrawn {
		if w, err := r.get(t.Context(), "GET", "anna.concurrent.1"); w.Body.Len() == 0 || err != nil {
			t.Errorf("afterwards: %d bytes, %v", w.Body.Len(), err)
		}
	}
}

// The gaps of a run are by its clock, and the board waits by the wall's.
func TestVerdictWaitsOnAScaledClock(t *testing.T) {
	for _, tc := range []struct {
		scale     float64
		own       bool // the run's own clock has the scale
		until, at time.Duration
	}{ // the client has paused for a second by its clock
		{1, false, 1900 * ms, 3 * time.Second},
		{10, false, 10 * time.Second, 12 * time.Second},
		{0.1, false, 900 * ms, 1200 * ms},
		{10, true, 10 * time.Second, 12 * time.Second},
	} {
		r := newRoom(t, 100)
		const run = "anna.concurrent.1"
		r.call(run, 1, 200, ms)
		r.time = r.time.Add(time.Second)
		r.call(run, 1, 200, ms)
		r.journal.Clocks = clock.NewRuns(r.options.Clock)
		of := r.options.Clock
		if tc.own {
			of, _ = r.journal.MakeClock(run)
		}
		if err := of.Scale(tc.scale); err != nil {
			t.Fatal(err)
		}
		r.after(interval, "")
		for _, want := range []struct {
			after   time.Duration
			verdict string
		}{{tc.until, "running"}, {tc.at - tc.until, "failed"}} {
			if p := r.only(r.after(want.after, "")); p.Tries[0].Verdict != want.verdict {
				t.Errorf("scale %v, own %v, after another %v: %s, want %s", tc.scale, tc.own, want.after, summary(p),
					want.verdict)
			}
		}
	}
}

// What the board knows stays when the journal drops the records.
func TestResultsOutliveTheJournal(t *testing.T) {
	r := newRoom(t, 100)
	r.three("anna.concurrent.1", 1)
	r.call("ben.concurrent.1", 1, 200, ms)
	r.settle("")
	for range 1000 {
		r.call("flood", 1, 200, ms)
	}
	s := r.settle("")
	s.People = s.People[:2]
	r.want(s, "anna 3/0 passed [concurrent] failed []: anna.concurrent.1=passed",
		"ben 1/0 passed [] failed [concurrent]: ben.concurrent.1=failed")
	if _, known := r.journal.Run("anna.concurrent.1"); known {
		t.Error("the journal still has the run")
	}
}

// Before the journal drops records, the board reads them even if nobody looks.
func TestBoardReadsBeforeRecordsAreDropped(t *testing.T) {
	r := newRoom(t, 100)
	r.three("anna.concurrent.1", 1)
	for range 400 {
		r.call("flood", 1, 200, ms)
	}
	s := r.settle("")
	s.People = s.People[:1]
	r.want(s, "anna 3/0 passed [concurrent] failed []: anna.concurrent.1=passed")
}

// Without a look, what the journal dropped too soon is not judged, and the board says so.
func TestRunDroppedBeforeItWasJudged(t *testing.T) {
	r := newRoom(t, 100)
	r.journal.Growing = nil
	r.three("anna.concurrent.1", 1)
	r.after(interval, "")
	for range 100 {
		r.call("flood", 1, 200, ms)
	}
	s := r.settle("")
	s.People = s.People[:1]
	r.want(s, "anna 3/0 passed [] failed []: anna.concurrent.1=")
	if details := s.People[0].Tries[0].Details; len(details) != 1 || !strings.Contains(details[0], "JOURNAL_SIZE") {
		t.Errorf("details %q, want one about JOURNAL_SIZE", details)
	}
}

func TestForget(t *testing.T) {
	r := newRoom(t, 100)
	r.three("anna.concurrent.1", 1)
	r.call("anna.concurrent.2", 1, 200, ms)
	r.call("ben", 2, 200, ms)
	r.settle("")
	for _, tc := range []struct {
		run   string
		known bool
		want  []string
	}{
		{"anna.concurrent.3", false, []string{
			"anna 4/0 passed [concurrent] failed []: anna.concurrent.2=failed anna.concurrent.1=passed",
			"ben 1/0 passed [] failed []: ben="}},
		{"anna.concurrent.1", true, []string{
			"anna 1/0 passed [] failed [concurrent]: anna.concurrent.2=failed", "ben 1/0 passed [] failed []: ben="}},
		{"ben", true, []string{"anna 1/0 passed [] failed [concurrent]: anna.concurrent.2=failed"}},
		{"ben", false, []string{"anna 1/0 passed [] failed [concurrent]: anna.concurrent.2=failed"}},
	} {
		r.journal.Forget(tc.run)
		if known := r.Forget(tc.run); known != tc.known {
			t.Errorf("Forget(%s) = %v, want %v", tc.run, known, tc.known)
		}
		r.want(r.settle(""), tc.want...)
	}
	r.journal.ForgetAll()
	r.ForgetAll()
	r.want(r.settle(""))
	r.call("ben", 2, 200, ms)
	r.want(r.settle(""), "ben 1/0 passed [] failed []: ben=")
}

// A run that the journal dropped, and that begins anew, is a new try.
func TestRunBeginsAnew(t *testing.T) {
	r := newRoom(t, 100)
	r.three("anna.concurrent.1", 1)
	r.settle("")
	r.journal.Forget("anna.concurrent.1") // as if it were dropped
	r.call("anna.concurrent.1", 1, 200, ms)
	r.want(r.settle(""), "anna 4/0 passed [] failed [concurrent]: anna.concurrent.1=failed")
}

func TestExercisesChange(t *testing.T) {
	r := newRoom(t, 100)
	set := exercise.Default()
	r.options.Exercises = func() *exercise.Set { return set }
	r.three("anna.concurrent.1", 1)
	r.call("anna.retry.1", 1, 200, ms)
	r.settle("")
	set = &exercise.Set{Exercises: slices.DeleteFunc(slices.Clone(set.Exercises),
		func(e exercise.Exercise) bool { return e.ID == "retry" })}
	r.want(r.settle(""), "anna 3/0 passed [concurrent] failed []: anna.concurrent.1=passed",
		"anna.retry.1 1/0 passed [] failed []: anna.retry.1=")
	set = exercise.Default()
	r.want(r.settle(""), "anna 4/0 passed [concurrent] failed [retry]: anna.retry.1=failed anna.concurrent.1=passed")
}

// A run in flight moves once in a second.
func TestWaitingRequestMoves(t *testing.T) {
	r := newRoom(t, 100)
	r.begin("anna", 1)
	r.after(interval, "")
	s := r.after(3*time.Second, "")
	try := r.only(s).Tries[0]
	if try.Wall != 3500 || try.Waiting != 1 || fmt.Sprint(try.Bars) != "[{0 3500 }]" {
		t.Errorf("got %+v, want one request in flight for 3.5 s", try)
	}
}

func TestClientThatLeaves(t *testing.T) {
	r := newRoom(t, 100)
	w := r.begin("anna.timeout.1", 1)
	r.time = r.time.Add(2 * time.Second)
	r.journal.End(*w, journal.ClientClosed)
	s := r.settle("")
	r.want(s, "anna 1/0 passed [timeout] failed []: anna.timeout.1=passed")
	if bars, _ := json.Marshal(s.People[0].Tries[0].Bars); string(bars) != `[[0,2000,"left"]]` {
		t.Errorf("bars %s, want one of a client that left", bars)
	}
}

// One name with many runs does not keep the others from being judged.
func TestFloodDoesNotDelayVerdicts(t *testing.T) {
	r := newRoom(t, 10_000)
	for i := range maxPeople / 2 {
		for j := range maxTries {
			r.call(fmt.Sprintf("flood%d.concurrent.%d", i, j), 1, 200, 0)
		}
	}
	r.three("anna.concurrent.1", 2)
	r.after(0, "")
	for range maxPeople * maxReadsOfPerson / maxReads {
		r.after(interval, "")
	}
	if p := r.only(r.after(interval, "anna")); p.Tries[0].Verdict != "passed" {
		t.Errorf("after each had its turn: %s", summary(p))
	}
}
