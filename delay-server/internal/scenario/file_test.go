package scenario

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched opens a file with the text and watches it until the test ends. A call of tick
// ticks twice, so that the file is reloaded after a change, and returns after that. The
// log may be read between calls.
func watched(t *testing.T, text string) (f *File, tick func(), log *strings.Builder) {
	t.Helper()
	f, log = opened(t, text)
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan time.Time)
	var watching sync.WaitGroup
	watching.Go(func() { f.Watch(ctx, ticks) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	return f, func() {
		ticks <- time.Time{}
		ticks <- time.Time{}
		ticks <- time.Time{} // received after the second tick was handled; finds no change
	}, log
}

func opened(t *testing.T, text string) (*File, *strings.Builder) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "shop.yaml")
	write(t, name, text)
	log := new(strings.Builder)
	f, err := Open(name, planner(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return f, log
}

// write replaces a file atomically, as editors do.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestWatchReloads(t *testing.T) {
	f, tick, log := watched(t, "routes: [{path: /a}]")
	old := f.Current()

	tick()
	if f.Current() != old || strings.Contains(log.String(), "reloaded") {
		t.Errorf("a file that did not change was reloaded:\n%s", log)
	}

	write(t, f.Name(), "routes:\n  - path: /a\n    dely: 1\n")
	tick()
	tick()
	if f.Current() != old {
		t.Error("a bad file replaced the old one")
	}
	if want := f.Name() + `:3:5: unknown key \"dely\" of a route; did you mean \"delay\"?`; strings.Count(log.String(),
		want) != 1 || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("a bad file: got the log\n%s\nwant once %s", log, want)
	}

	write(t, f.Name(), "routes: [{path: /a}, {path: /b}]")
	tick()
	if got := f.Current().Routes(); got != 2 {
		t.Errorf("a good file: got %d routes, want 2", got)
	}
	if want := "level=INFO msg=\"scenario reloaded\" file=" + f.Name() +
		" routes=2"; !strings.Contains(log.String(), want) {
		t.Errorf("a good file: got the log\n%s\nwant %s", log, want)
	}
}

func TestWatchSeesAFileGoAndComeBack(t *testing.T) {
	f, tick, log := watched(t, "routes: [{path: /a}]")
	old := f.Current()
	if err := os.Rename(f.Name(), f.Name()+".old"); err != nil {
		t.Fatal(err)
	}
	tick()
	tick()
	if f.Current() != old || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("the file is gone: got the log\n%s\nwant one error, and the old routes", log)
	}
	write(t, f.Name(), "routes: [{path: /a}, {path: /b}]")
	tick()
	if got := f.Current().Routes(); got != 2 {
		t.Errorf("another file is in its place: got %d routes, want 2", got)
	}
}

func TestReload(t *testing.T) {
	f, _, log := watched(t, "routes: [{path: /a}]")
	f.Reload() // whether it changed or not
	if !strings.Contains(log.String(), "scenario reloaded") {
		t.Errorf("got the log\n%s\nwant a line of the reload", log)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.yaml"), "routes: []")
	for name, want := range map[string]string{
		"none.yaml": "no such file",
		"bad.yaml":  "bad.yaml:1:1: routes is empty",
		"":          "not a regular file",
	} {
		_, err := Open(filepath.Join(dir, name), planner(), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): got %v, want %q", name, err, want)
		}
	}
}

// Files may have the same time and size, as in images and archives.
func TestWatchSeesALinkThatLeadsElsewhere(t *testing.T) {
	f, tick, _ := watched(t, "routes: [{path: /a}]")
	age := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	other := f.Name() + ".other"
	write(t, other, "routes: [{path: /b}]")
	for _, name := range []string{f.Name(), other} {
		if err := os.Chtimes(name, age, age); err != nil {
			t.Fatal(err)
		}
	}
	f.Reload()
	old := f.Current()
	if err := os.Rename(other, f.Name()); err != nil {
		t.Fatal(err)
	}
	tick()
	if f.Current() == old {
		t.Error("another file of the same age and size is not seen")
	}
}

// Each step changes the file like a writer, and is followed by ticks.
func TestWatchWaitsForAFileToSettle(t *testing.T) {
	const one, two, three = "routes:\n- path: /a\n", "routes:\n- path: /a\n- path: /b\n",
		"routes:\n- path: /a\n- path: /b\n- path: /c\n"
	age := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	inPlace := func(t *testing.T, f *File, text string) {
		t.Helper()
		if err := os.WriteFile(f.Name(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type step struct {
		name   string
		change func(t *testing.T, f *File)
		ticks  int
		want   int // routes
		errors int // logged so far
	}
	writes := func(text string) func(*testing.T, *File) {
		return func(t *testing.T, f *File) { t.Helper(); inPlace(t, f, text) }
	}
	nothing := func(*testing.T, *File) {}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"written in two halves", []step{
			{"the first half", writes(two), 1, 1, 0},
			{"the second half", writes(three), 1, 1, 0},
			{"a second tick", nothing, 1, 3, 0},
		}},
		{"emptied first", []step{
			{"empty", writes(""), 1, 1, 0},
			{"written", writes(three), 1, 1, 0},
			{"a second tick", nothing, 1, 3, 0},
		}},
		{"empty for good", []step{{"empty", writes(""), 5, 1, 1}}},
		{"gone for a moment", []step{
			{"gone", func(t *testing.T, f *File) { _ = os.Remove(f.Name()) }, 1, 1, 0},
			{"back as it was", writes(one), 1, 1, 0},
			{"another", func(t *testing.T, f *File) { write(t, f.Name(), two) }, 2, 2, 0},
		}},
		{"changed and changed back", []step{
			{"changed", writes(three), 1, 1, 0},
			{"changed again", writes(two), 1, 1, 0},
			{"and again", writes(three), 1, 1, 0},
			{"settled", nothing, 3, 3, 0},
		}},
		{"of one size and one time", []step{
			{"the first half", func(t *testing.T, f *File) {
				inPlace(t, f, strings.Replace(three, "/c", "{}", 1))
				_ = os.Chtimes(f.Name(), age, age)
			}, 1, 1, 0},
			{"the second half", func(t *testing.T, f *File) {
				inPlace(t, f, three)
				_ = os.Chtimes(f.Name(), age, age)
			}, 1, 1, 0},
			{"a second tick", nothing, 1, 3, 0},
		}},
		{"on SIGHUP at once", []step{
			{"changed", func(t *testing.T, f *File) { inPlace(t, f, two); f.Reload() }, 0, 2, 0},
			{"changed on", writes(three), 1, 2, 0},
			{"settled", nothing, 1, 3, 0},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, log := opened(t, one)
			for _, s := range tc.steps {
				s.change(t, f)
				for range s.ticks {
					f.Poll()
				}
				if got, errors := f.Current().Routes(), strings.Count(log.String(), "level=ERROR"); got != s.want ||
					errors != s.errors {
					t.Errorf("%s: got %d routes and %d errors, want %d and %d; the log:\n%s", s.name, got, errors,
						s.want, s.errors, log)
				}
			}
		})
	}
}
