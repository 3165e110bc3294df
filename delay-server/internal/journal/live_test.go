package journal_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
)

// beginOf begins a wait of a second, which is of no run if run is "".
func beginOf(j *journal.Journal, h *hands, run, path string) *journal.Wait {
	w := journal.NewWait(journal.Wait{Run: run, Method: "GET", Path: path, Asked: time.Second, Start: h.now})
	j.Begin(w, nil)
	return w
}

// pathsOf returns the paths of the listed waits.
func pathsOf(flights []journal.Flight) string {
	var list []string
	for _, f := range flights {
		list = append(list, f.Path)
	}
	return strings.Join(list, " ")
}

func wantPaths(t *testing.T, what string, j *journal.Journal, run, want string) {
	t.Helper()
	if got := pathsOf(j.Live(run).Flights); got != want {
		t.Errorf("%s: Live(%q) lists %q, want %q", what, run, got, want)
	}
}

func TestWaitsOfNoRunAreListedWhileWatched(t *testing.T) {
	j, h := newJournal(100)
	early := beginOf(j, h, "", "/early")
	inRun := beginOf(j, h, "r", "/in-run")
	wantPaths(t, "without a viewer", j, "", "/in-run")
	stop, stopOther := j.Watch(), j.Watch()
	seen := beginOf(j, h, "", "/seen")
	other := beginOf(j, h, "q", "/other")
	wantPaths(t, "with viewers", j, "", "/in-run /seen /other")
	wantPaths(t, "of a run", j, "r", "/in-run")
	wantPaths(t, "of an unknown run", j, "x", "")
	if l := j.Live(""); l.Waiting != 4 || l.Ended != 0 {
		t.Errorf("Live: %d waiting, %d ended, want 4 and 0", l.Waiting, l.Ended)
	}
	j.End(*early, journal.Answered)
	j.BeforeLastByte(inRun)
	wantPaths(t, "after an answer", j, "", "/seen /other")
	if l := j.Live("r"); l.Waiting != 1 || l.Ended != 0 {
		t.Errorf("Live(r): %d waiting, %d ended, want 1 and 0 before End", l.Waiting, l.Ended)
	}
	j.End(*inRun, journal.Answered)
	j.End(*seen, journal.ClientClosed)
	wantPaths(t, "after all but one", j, "", "/other")
	stop()
	if !j.Watched() || !j.Lists() {
		t.Error("not watched after one of two viewers has left")
	}
	stopOther()
	if j.Watched() || j.Lists() {
		t.Error("watched after all viewers have left")
	}
	beginOf(j, h, "", "/late")
	wantPaths(t, "after all viewers have left", j, "", "/other")
	j.End(*other, journal.Answered)
	if l := j.Live(""); l.Waiting != 1 || l.Ended != 4 {
		t.Errorf("Live: %d waiting, %d ended, want 1 and 4", l.Waiting, l.Ended)
	}
}

func TestStages(t *testing.T) {
	j, h := newJournal(100)
	w := beginOf(j, h, "r", "/a")
	start := h.now
	for _, tc := range []struct {
		stage journal.Stage
		name  string
		due   time.Time
	}{
		{journal.StageQueued, "queued", time.Time{}},
		{journal.StageHeld, "held", time.Time{}},
		{journal.StageWaiting, "waiting", start.Add(3 * time.Second)},
		{journal.StageSending, "sending", start.Add(4 * time.Second)},
		{journal.StageSending, "sending", start}, // a wait of 0
	} {
		h.advance(ms)
		w.Enter(tc.stage, tc.due)
		got := j.Live("").Flights[0]
		want := journal.Flight{ID: 1, Method: "GET", Path: "/a", Run: "r", Stage: tc.stage, Start: start, Due: tc.due}
		if got != want || got.Stage.String() != tc.name {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, want)
		}
	}
	(&journal.Wait{}).Enter(journal.StageHeld, start) // of a wait that cannot be listed
}

func TestFlightsInOrder(t *testing.T) {
	j, h := newJournal(100)
	for _, w := range []struct {
		path string
		due  time.Duration // 0 for none
	}{{"/event1", 0}, {"/3", 3}, {"/1", 1}, {"/event2", 0}, {"/2", 2}, {"/1b", 1}} {
		due := time.Time{}
		if w.due > 0 {
			due = h.now.Add(w.due)
		}
		beginOf(j, h, "r", w.path).Enter(journal.StageWaiting, due)
	}
	wantPaths(t, "in order", j, "", "/1 /1b /2 /3 /event1 /event2")
	wantPaths(t, "in order", j, "r", "/1 /1b /2 /3 /event1 /event2")
}

// TestLiveIsBounded begins 10,000 waits with long names.
func TestLiveIsBounded(t *testing.T) {
	j, h := newJournal(100)
	defer j.Watch()()
	long := "/" + strings.Repeat("é", 1000)
	var others, ofRuns []*journal.Wait
	for i := range 5000 {
		others = append(others, beginOf(j, h, "", long))
		ofRuns = append(ofRuns, beginOf(j, h, fmt.Sprint("r", i), long))
		refused := journal.Wait{Run: fmt.Sprint("p", i), Path: long}
		refused.Problem = problem.PoolFull
		j.Refuse(refused, nil, journal.Refused)
	}
	if j.Lists() {
		t.Error("the journal would list more than 500 waits of no run")
	}
	l := j.Live("")
	if len(l.Flights) != journal.MaxFlights || len(l.Runs) != journal.MaxRuns ||
		len(l.Problems) != journal.MaxProblems {
		t.Errorf("got %d flights, %d runs, %d problems", len(l.Flights), len(l.Runs), len(l.Problems))
	}
	for _, text := range []string{l.Flights[0].Path, l.Problems[0].Path} {
		if len(text) > 200 || !strings.HasSuffix(text, "é…") {
			t.Errorf("a path of %d bytes: %q", len(text), text)
		}
	}
	if got := l.Runs[0].ID; got != "p4999" {
		t.Errorf("the newest run is %q", got)
	}
	if l.Waiting != 10_000 || l.Ended != 5000 {
		t.Errorf("%d waiting, %d ended", l.Waiting, l.Ended)
	}
	for _, w := range slices.Concat(ofRuns, others) {
		j.End(*w, journal.Answered)
	}
	if l := j.Live(""); len(l.Flights) != 0 || !j.Lists() {
		t.Errorf("%d flights are left; the journal lists more: %v", len(l.Flights), j.Lists())
	}
}

func TestProblems(t *testing.T) {
	j, h := newJournal(1000)
	refuse := func(run, path string, of problem.Type) {
		h.advance(ms)
		w := journal.Wait{Run: run, Path: path, Start: h.now, Response: journal.Response{Status: 503, Problem: of}}
		j.Refuse(w, nil, journal.Refused)
	}
	list := func(run string) string {
		var all []string
		for _, p := range j.Live(run).Problems {
			all = append(all, fmt.Sprintf("%s%s%s×%d", p.Run, p.Path, p.Type.Name(), p.Count))
		}
		return strings.Join(all, " ")
	}
	want := func(what, run, want string) {
		t.Helper()
		if got := list(run); got != want {
			t.Errorf("%s: Live(%q) has problems %q, want %q", what, run, got, want)
		}
	}
	refuse("", "/a", problem.PoolFull)
	want("of no run, without a viewer", "", "")
	refuse("r", "/a", problem.PoolFull)
	want("of a run", "", "r/apool-full×1")
	defer j.Watch()()
	refuse("r", "/a", problem.PoolFull)
	refuse("", "/a", problem.PoolFull)
	refuse("", "/a", problem.PoolFull)
	refuse("", "/b", problem.PoolFull)
	refuse("", "/b", problem.RateLimited)
	refuse("r", "/a", "") // such as status=503
	want("with a viewer", "", "r/apool-full×2 /apool-full×2 /bpool-full×1 /brate-limited×1")
	want("of the run", "r", "r/apool-full×2")
	if last := j.Live("").Problems[3]; last.Status != 503 || !last.At.Equal(h.now.Add(-ms)) {
		t.Errorf("got %+v, want status 503 at %v", last, h.now.Add(-ms))
	}

	w := beginOf(j, h, "r", "/timeout")
	w.Response = journal.Response{Status: 504, Problem: problem.HoldTimeout}
	h.advance(ms)
	j.BeforeLastByte(w)
	sent := h.now
	h.advance(ms)
	j.End(*w, journal.TimedOut)
	want("of a wait", "r", "r/apool-full×2 r/timeouthold-timeout×1")
	if got := j.Live("r").Problems[1].At; !got.Equal(sent) {
		t.Errorf("the problem is at %v, want %v, when the answer was sent", got, sent)
	}
	j.Forget("r")
	want("without the run", "", "/apool-full×2 /bpool-full×1 /brate-limited×1")
	for i := range 1000 {
		refuse("", fmt.Sprint("/", i), problem.PoolFull)
	}
	if got := j.Live("").Problems; len(got) != 50 || got[0].Path != "/950" || got[49].Path != "/999" {
		t.Errorf("%d problems from %+v", len(got), got[0])
	}
	refuse("late", "/", problem.PoolFull)
	j.Forget("late")
	if got := j.Live("").Problems; len(got) != 50 || got[49].Path != "/999" {
		t.Errorf("%d problems up to %+v after a run was forgotten", len(got), got[len(got)-1])
	}
	j.ForgetAll()
	want("after all are forgotten", "", "")
}

func TestForgottenRunsAreNotListed(t *testing.T) {
	j, h := newJournal(100)
	forgotten, again := beginOf(j, h, "r", "/forgotten"), beginOf(j, h, "q", "/q")
	j.Forget("r")
	wantPaths(t, "one forgotten", j, "", "/q")
	beginOf(j, h, "r", "/new")
	j.BeforeLastByte(forgotten)
	j.End(*forgotten, journal.Answered)
	wantPaths(t, "its end", j, "", "/q /new")
	j.ForgetAll()
	wantPaths(t, "all forgotten", j, "", "")
	j.End(*again, journal.Answered)
}

// TestFlightsOnARunsClock checks that a run's bars stand still while its clock is frozen
// and the server's runs, and that they are on the server's clock.
func TestFlightsOnARunsClock(t *testing.T) {
	server := clock.New()
	runs := clock.NewRuns(server)
	j := journal.New(10, server.Now, func(journal.Wait) {})
	j.Clocks = runs
	server.Freeze()
	own, err := runs.Make("r")
	if err != nil {
		t.Fatal(err)
	}
	start := own.Now()
	j.Begin(journal.NewWait(journal.Wait{Run: "r", Asked: 10 * time.Second, Start: start, Clock: own}), nil)
	for _, step := range []struct {
		what        string
		server, own time.Duration // advances
	}{{"at first", 0, 0}, {"the server's goes on", 3 * time.Second, 0}, {"the run's goes on", 0, 4 * time.Second}} {
		if server.Advance(t.Context(), step.server) != nil || own.Advance(t.Context(), step.own) != nil {
			t.Fatal("the clocks cannot be advanced")
		}
		l := j.Live("")
		f := l.Flights[0]
		if begun := own.Now().Sub(start); !f.OwnClock || l.Now.Sub(f.Start) != begun ||
			f.Due.Sub(f.Start) != 10*time.Second {
			t.Errorf("%s: begun %v ago, due after %v, want %v and 10s", step.what, l.Now.Sub(f.Start),
				f.Due.Sub(f.Start), begun)
		}
	}
	runs.Drop("r")
}

// TestLiveIsConcurrent reads while waits begin, change and end.
func TestLiveIsConcurrent(t *testing.T) {
	j, h := newJournal(50)
	var sending, looking sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		looking.Go(func() {
			for {
				stop := j.Watch()
				j.Live([]string{"", "r0"}[i%2])
				stop()
				select {
				case <-done:
					return
				default:
				}
			}
		})
		sending.Go(func() {
			run := []string{"", "r0", "r1"}[i%3]
			for range 500 {
				w := beginOf(j, h, run, "/a")
				w.Enter(journal.StageHeld, time.Time{})
				w.Response = journal.Response{Status: 503, Problem: problem.PoolFull}
				w.Waited = ms
				j.BeforeLastByte(w)
				j.End(*w, journal.Failed)
			}
		})
	}
	sending.Wait()
	close(done)
	looking.Wait()
	if l := j.Live(""); len(l.Flights) != 0 || l.Waiting != 0 || l.Ended != 2000 || j.Watched() {
		t.Errorf("%d flights, %d waiting, %d ended, watched %v", len(l.Flights), l.Waiting, l.Ended, j.Watched())
	}
}
