package exercise

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file with one exercise, whose program is in start.py.
const withProgram = `exercises:
  - {id: a, title: A, task: Call., url: /delay/1, check: attempts=1, code: {python: {start: start.py}}}
`

func TestFileReloads(t *testing.T) {
	dir, log := t.TempDir(), new(strings.Builder)
	name := filepath.Join(dir, "own.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("own.yaml", withProgram)
	write("start.py", "one")
	f, err := Open(name, options(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, file, text string
		want             string // the program
		errors           int    // logged so far
	}{
		{"nothing", "start.py", "one", "one", 0},
		{"a program", "start.py", "two!", "two!", 0},
		{"a mistake", "own.yaml", withProgram + "  - {id: a}\n", "two!", 1},
		{"a program that is missing", "own.yaml", strings.Replace(withProgram, "start.py", "new.py", 1), "two!", 2},
		{"it comes", "new.py", "three", "three", 2},
	} {
		write(step.file, step.text)
		f.Poll()
		f.Poll()
		f.Poll()
		if got := f.Current().Exercises[0].Code[0].Start; got != step.want {
			t.Errorf("%s: the program is %q, want %q", step.name, got, step.want)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != step.errors {
			t.Errorf("%s: got %d errors, want %d; the log:\n%s", step.name, got, step.errors, log)
		}
	}
	for _, want := range []string{
		`msg="exercises loaded" file=` + name + " exercises=1",
		name + `:3:5: the exercise has no title`,
		name + `:2:93: python.start: file \"new.py\": no such file`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
}

// A link out of the folder is a mistake, which is logged once.
func TestFileWithALinkOutOfItsFolder(t *testing.T) {
	dir, log := t.TempDir(), new(strings.Builder)
	name := filepath.Join(dir, "own.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name, withProgram)
	write(filepath.Join(dir, "start.py"), "one")
	f, err := Open(name, options(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	outside, link := filepath.Join(t.TempDir(), "start.py"), filepath.Join(dir, "link.py")
	write(outside, "outside")
	if err := os.Symlink(outside, link); err != nil {
		t.Skip(err)
	}
	poll := func(errors int) {
		t.Helper()
		for range 6 {
			f.Poll()
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != errors {
			t.Errorf("got %d errors, want %d; the log:\n%s", got, errors, log)
		}
	}
	write(name, strings.Replace(withProgram, "start.py", "link.py", 1))
	poll(1)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	write(link, "inside")
	poll(1)
	if got := f.Current().Exercises[0].Code[0].Start; got != "inside" {
		t.Errorf("after the link was replaced: the program is %q", got)
	}
}
