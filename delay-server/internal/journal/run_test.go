package journal_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/journal"
)

// paths returns the paths of a run's records.
func paths(j *journal.Journal, id string) string {
	run, _ := j.Run(id)
	var all []string
	for _, w := range run.Waits {
		all = append(all, w.Path)
	}
	return strings.Join(all, " ")
}

// end passes a wait that begins and ends now to the journal.
func end(j *journal.Journal, h *hands, run, path string) {
	w := journal.Wait{Run: run, Method: "GET", Path: path, Start: h.now}
	j.Begin(&w, nil)
	j.End(w, journal.Answered)
}

func TestOldestRecordIsDropped(t *testing.T) {
	j, h := newJournal(3)
	for _, path := range []string{"1", "2", "3", "4", "5"} {
		end(j, h, "r", path)
	}
	run, _ := j.Run("r")
	if got := paths(j, "r"); got != "3 4 5" || run.Dropped != 2 || run.Requests != 5 || j.Dropped() != 2 {
		t.Errorf("of 5 waits with room for 3, records %q, dropped %d (in all %d), requests %d; want 3 4 5, 2 (2), 5",
			got, run.Dropped, j.Dropped(), run.Requests)
	}
}

// Head has the oldest records and the figures of all. What it cannot know it does not say.
func TestHead(t *testing.T) {
	j, h := newJournal(1000)
	for range 700 {
		w := journal.Wait{Run: "r", Method: "GET", Path: "/", Start: h.now}
		w.Status = 503
		j.Begin(&w, nil)
		j.End(w, journal.Answered)
	}
	for _, tc := range []struct {
		limit, waits, more int
		headline, notes    string
	}{
		{1000, 700, 0, "700 attempts: 503", "first 500 requests drawn, 200 more not"},
		{700, 700, 0, "700 attempts: 503", "first 500 requests drawn, 200 more not"},
		{600, 600, 100, "", "first 500 requests drawn, 200 more not"},
		{3, 3, 697, "", "first 3 requests drawn, 697 more not"},
		{0, 0, 700, "", "first 0 requests drawn, 700 more not"},
	} {
		run, known := j.Head("r", tc.limit)
		headline, _, _ := strings.Cut(run.Headline(), ",")
		if !known || run.Requests != 700 || len(run.Waits) != tc.waits || run.More != tc.more ||
			headline != tc.headline {
			t.Errorf("limit %d: got %+v, %d records, %d more, headline %q; want %d, %d, %q", tc.limit, run.Summary,
				len(run.Waits), run.More, headline, tc.waits, tc.more, tc.headline)
		}
		if picture := text(t, run); !strings.Contains(picture, tc.notes) {
			t.Errorf("limit %d: the picture does not say %q", tc.limit, tc.notes)
		}
	}
}

func TestOldestRecordOfAllRunsIsDropped(t *testing.T) {
	j, h := newJournal(3)
	for _, step := range []struct{ run, path, a, b string }{
		{"a", "1", "1", ""},
		{"b", "2", "1", "2"},
		{"a", "3", "1 3", "2"},
		{"b", "4", "3", "2 4"},
		{"b", "5", "3", "4 5"},
		{"b", "6", "", "4 5 6"}, // removes a
		{"a", "7", "7", "5 6"},  // a new run a
	} {
		end(j, h, step.run, step.path)
		if a, b := paths(j, "a"), paths(j, "b"); a != step.a || b != step.b {
			t.Fatalf("after wait %s, a has %q and b %q, want %q and %q", step.path, a, b, step.a, step.b)
		}
	}
	a, _ := j.Run("a")
	b, _ := j.Run("b")
	if a.Requests != 1 || a.Dropped != 0 || b.Requests != 4 || b.Dropped != 2 || j.Dropped() != 4 ||
		j.DroppedRuns() != 1 {
		t.Errorf("a %+v, b %+v, dropped %d and %d runs in all; want 1 request and 0 dropped, 4 and 2, 4 and 1",
			a.Summary, b.Summary, j.Dropped(), j.DroppedRuns())
	}
	if j.Forget("a"); j.DroppedRuns() != 1 {
		t.Errorf("after Forget: got %d dropped runs, want 1: the first run a", j.DroppedRuns())
	}
	if j.ForgetAll(); j.DroppedRuns() != 0 {
		t.Errorf("after ForgetAll: got %d dropped runs, want 0", j.DroppedRuns())
	}
}

func TestRunInFlightOutlivesItsRecords(t *testing.T) {
	for _, size := range []int{0, 1} {
		j, h := newJournal(size)
		w := journal.Wait{Run: "r", Method: "GET", Path: "/", Start: h.now}
		j.Begin(&w, nil)
		end(j, h, "other", "/")
		h.advance(ms)
		run, known := j.Run("r")
		if !known || run.Waiting != 1 || run.Dropped != 1 || len(run.Waits) != 0 || run.Wall != ms {
			t.Errorf("size %d: Run(r) = %+v, %v, want 1 waiting, 1 dropped, and a wall time of 1ms", size, run, known)
		}
		j.End(w, journal.Answered)
		if run, known := j.Run("r"); known {
			t.Errorf("size %d: Run(r) = %+v after its end, want none", size, run)
		}
		if size == 0 {
			j.Refuse(w, nil, journal.Refused)
			if runs := j.Runs(); len(runs) != 0 {
				t.Errorf("size 0: Runs() = %+v, want none", runs)
			}
		}
	}
}

func TestRunsAreSortedNewestFirst(t *testing.T) {
	j, h := newJournal(10)
	for _, run := range []string{"b", "c", "a", "b"} {
		end(j, h, run, "/")
	}
	var got []string
	for _, run := range j.Runs() {
		got = append(got, run.ID)
	}
	if want := []string{"a", "c", "b"}; !slices.Equal(got, want) {
		t.Errorf("Runs() = %q, want %q", got, want)
	}
}

func TestForget(t *testing.T) {
	for _, tc := range []struct {
		what    string
		forget  func(*journal.Journal)
		others  int
		dropped int64 // of 1
	}{
		{"one", func(j *journal.Journal) { j.Forget("r") }, 1, 1},
		{"all", (*journal.Journal).ForgetAll, 0, 0},
	} {
		j, h := newJournal(4)
		end(j, h, "r", "/ended")
		old := journal.Wait{Run: "r", Method: "GET", Path: "/old", Start: h.now}
		j.Begin(&old, nil)
		end(j, h, "other", "/")
		tc.forget(j)
		if j.Forget("r") {
			t.Errorf("forget %s: Forget(r) of a forgotten run = true", tc.what)
		}
		if n := len(j.Runs()); n != tc.others {
			t.Errorf("forget %s: %d runs left, want %d", tc.what, n, tc.others)
		}
		h.advance(ms)
		again := journal.Wait{Run: "r", Method: "GET", Path: "/new", Start: h.now}
		j.Begin(&again, nil)
		old.Waited = time.Hour
		j.BeforeLastByte(&old)
		j.End(old, journal.Answered)
		got, _ := j.Run("r")
		want := journal.Summary{ID: "r", Requests: 1, Waiting: 1, PeakInFlight: 1}
		if got.Summary != want || paths(j, "r") != "/new" || j.Waiting() != 1 || j.Dropped() != 0 {
			t.Errorf("forget %s: the next run is %+v, with %q, %d wait, %d dropped; want %+v, /new, 1, 0", tc.what,
				got.Summary, paths(j, "r"), j.Waiting(), j.Dropped(), want)
		}
		for range 3 - tc.others { // a forgotten record takes no room
			end(j, h, "r", "/more")
		}
		if n := j.Dropped(); n != 0 {
			t.Errorf("forget %s: %d of 4 dropped with room for 4, want 0", tc.what, n)
		}
		end(j, h, "r", "/more")
		if n := j.Dropped(); n != 1 {
			t.Errorf("forget %s: %d of 5 dropped with room for 4, want 1", tc.what, n)
		}
		tc.forget(j)
		if n := j.Dropped(); n != tc.dropped {
			t.Errorf("forget %s again: 1 was dropped before, and %d after, want %d", tc.what, n, tc.dropped)
		}
	}
}

func TestAwait(t *testing.T) {
	settled := journal.Summary.Settled
	waiting := func(n int) func(journal.Summary) bool {
		return func(s journal.Summary) bool { return s.Waiting >= n }
	}
	for _, tc := range []struct {
		what  string
		ok    func(journal.Summary) bool
		after time.Duration // when Await returns
		want  journal.Summary
	}{
		{"true from the start", waiting(0), 0, journal.Summary{ID: "r"}},
		{"a run that has not begun", waiting(1), time.Second,
			journal.Summary{ID: "r", Requests: 1, Waiting: 1, PeakInFlight: 1}},
		{"two wait", waiting(2), 2 * time.Second,
			journal.Summary{ID: "r", Requests: 2, Waiting: 2, PeakInFlight: 2, Wall: time.Second}},
		{"both are sent", func(s journal.Summary) bool { return s.Sum == 3*time.Second }, 3 * time.Second,
			journal.Summary{ID: "r", Requests: 2, Waiting: 2, PeakInFlight: 2, Wall: 2 * time.Second,
				Sum: 3 * time.Second}},
		{"both are settled", func(s journal.Summary) bool { return s.Requests == 2 && settled(s) }, 5 * time.Second,
			journal.Summary{ID: "r", Requests: 2, PeakInFlight: 2, Wall: 2 * time.Second, Sum: 3 * time.Second}},
		{"one is refused", func(s journal.Summary) bool { return s.Requests == 3 }, 6 * time.Second,
			journal.Summary{ID: "r", Requests: 3, PeakInFlight: 2, Wall: 5 * time.Second, Sum: 3 * time.Second}},
		{"it is forgotten", func(s journal.Summary) bool { return s.Requests == 0 && time.Now().Nanosecond() == 7 },
			7*time.Second + 7,
			journal.Summary{ID: "r"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			j := journal.New(10, time.Now, func(journal.Wait) {})
			start := time.Now()
			go func() { // two begin, both are sent, each ends, one is refused, and the run is forgotten
				j.Refuse(journal.Wait{Run: "other", Start: time.Now()}, nil, journal.Refused)
				var waits [2]journal.Wait
				for i := range waits {
					time.Sleep(time.Second)
					waits[i] = journal.Wait{Run: "r", Start: time.Now()}
					j.Begin(&waits[i], nil)
				}
				time.Sleep(time.Second)
				for i := range waits {
					waits[i].Waited = time.Second
					j.BeforeLastByte(&waits[i])
				}
				for _, w := range waits {
					time.Sleep(time.Second)
					j.End(w, journal.Answered)
				}
				time.Sleep(time.Second)
				j.Refuse(journal.Wait{Run: "r", Start: time.Now()}, nil, journal.Refused)
				time.Sleep(time.Second + 7)
				j.Forget("r")
			}()
			got, err := j.Await(t.Context(), "r", tc.ok)
			if took := time.Since(start); err != nil || got.Summary != tc.want || took != tc.after {
				t.Errorf("%s: Await = %+v, %v after %v, want %+v after %v", tc.what, got.Summary, err, took, tc.want,
					tc.after)
			}
			time.Sleep(time.Minute) // until the goroutine has ended
		})
	}
}

func TestAwaitEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.New(10, time.Now, func(journal.Wait) {})
		w := journal.Wait{Run: "r", Start: time.Now()}
		j.Begin(&w, nil)
		cause := errors.New("the caller gave up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		got, err := j.Await(ctx, "r", journal.Summary.Settled)
		if !errors.Is(err, cause) || got.Waiting != 1 {
			t.Errorf("Await = %+v, %v, want 1 waiting and %v", got, err, cause)
		}
	})
}
