package exercise

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"flash.test/delay-server/internal/plan"
)

func options() Options {
	return Options{Planner: plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: math.MaxInt32})}
}

const valid = `exercises:
  - id: a
    title: A
    task: Call.
    url: /delay/1
    check: attempts=1
`

func TestLoad(t *testing.T) {
	files := fstest.MapFS{"a/start.go": {Data: []byte(ignore + "package main\n")}}
	text := valid + "    hint: Call once.\n    code: {java: {}, go: {start: a/start.go}}\n"
	set, _, err := load("f.yaml", []byte(text), files, options())
	if err != nil {
		t.Fatal(err)
	}
	e := set.Find("a")
	if e == nil || e.Title != "A" || e.Task != "Call." || e.URL != "/delay/1" || e.Query != "attempts=1" ||
		e.Hint != "Call once." {
		t.Errorf("got %+v", e)
	}
	if len(e.Code) != 2 || e.Code[0].Name != "go" || e.Code[0].Start != "package main\n" || e.Code[1].Name != "java" {
		t.Errorf("got the code %+v", e.Code)
	}
}

func TestLoadReportsMistakes(t *testing.T) {
	files := fstest.MapFS{
		"big.py":   {Data: make([]byte, maxCode+1)},
		"latin.py": {Data: []byte("\xe9")},
		"dir/x.py": {},
	}
	// code returns the valid exercise with a program.
	code := func(file string) string { return valid + "    code: {python: {start: " + file + "}}\n" }
	set := func(key, value string) string {
		lines := strings.Split(valid, "\n")
		for i, line := range lines {
			if strings.Contains(line, key+": ") {
				lines[i] = line[:strings.Index(line, key)] + key + ": " + value
			}
		}
		return strings.Join(lines, "\n")
	}
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "f.yaml:1:1: the file is empty: use exercises: and a list"},
		{"no YAML", "exercises: [", "f.yaml:1:1: not YAML: "},
		{"a list", "- id: a", "f.yaml:1:1: the file is a list: use a mapping"},
		{"no exercises", "{}", "f.yaml:1:1: the file has no exercises: use exercises: and a list"},
		{"an empty list", "exercises: []", "f.yaml:1:1: exercises is empty: use one exercise or more"},
		{"a mapping", "exercises: {a: 1}", "f.yaml:1:12: exercises is a mapping: use a list"},
		{"too many", "exercises: [" + strings.Repeat("1,", maxExercises+1) + "]",
			"f.yaml:1:1: 51 exercises are too many: use up to 50"},
		{"too large", valid + strings.Repeat("#", maxText), "f.yaml:1:1: the file has 1048"},
		{"unknown key", "exercise: []", `f.yaml:1:1: unknown key "exercise" of the file; did you mean "exercises"?`},
		{"unknown key of an exercise", valid + "    titel: B\n",
			`f.yaml:7:5: unknown key "titel" of an exercise; did you mean "title"?`},
		{"a key twice", valid + "    id: b\n", `f.yaml:7:5: key "id" repeats the one in line 2`},
		{"no title", strings.Replace(valid, "    title: A\n", "", 1), "f.yaml:2:5: the exercise has no title"},
		{"a title that is a list", set("title", "[]"), "f.yaml:3:12: title is a list: use one value"},
		{"an empty title", set("title", `" "`), "f.yaml:3:12: title is empty: write one"},
		{"a long title", set("title", strings.Repeat("é", 101)),
			"f.yaml:3:12: title has 101 characters: use up to 100"},
		{"a long task", set("task", strings.Repeat("é", 1001)),
			"f.yaml:4:11: task has 1001 characters: use up to 1000"},
		{"an ID with a dot", set("id", "a.b"),
			`f.yaml:2:9: id "a.b" is invalid: use up to 40 lower-case letters, digits`},
		{"an ID twice", valid + strings.TrimPrefix(valid, "exercises:\n"),
			`f.yaml:7:9: id "a" repeats the one in line 2`},
		{"a URL of a host", set("url", "http://x/delay/1"),
			`f.yaml:5:10: url "http://x/delay/1" is invalid: use a path`},
		{"a URL of another host", set("url", "//x/delay/1"), `f.yaml:5:10: url "//x/delay/1" is `},
		{"an unknown path", set("url", "/dely/1"),
			`f.yaml:5:10: url "/dely/1" is answered by no endpoint that waits, nor by a route of SCENARIO`},
		{"an invalid delay", set("url", "/delay/x"), `f.yaml:5:10: url "/delay/x" is invalid: `},
		{"an unknown parameter", set("url", "/delay/1?stauts=503"),
			`f.yaml:5:10: url "/delay/1?stauts=503" is invalid: unknown parameter "stauts"; did you mean "status"?`},
		{"a run", set("url", "/delay/1?run=a"), `f.yaml:5:10: url "/delay/1?run=a" names a run: leave it out`},
		{"an unknown check", set("check", "attemps=1"),
			`f.yaml:6:12: check "attemps=1" is invalid: unknown parameter "att`},
		{"another parameter", set("check", "attempts=1&settled=true"),
			`is invalid: unknown check "settled"; use attempts, `},
		{"an invalid check", set("check", "attempts=x"),
			`f.yaml:6:12: check "attempts=x" is invalid: attempts "x" is `},
		{"no check", set("check", `""`), `f.yaml:6:12: check "" is invalid: no check is given`},
		{"checks that conflict", set("check", "peak=1&order=concurrent"), "conflict: no run can meet both"},
		{"an unknown language", valid + "    code: {ruby: {}}\n",
			`f.yaml:7:12: unknown key "ruby" of code: use python, javascript, go, java`},
		{"an unknown kind", valid + "    code: {go: {begin: x}}\n",
			`f.yaml:7:17: unknown key "begin" of go: use start, solution`},
		{"a missing file", code("none.py"), `f.yaml:7:28: python.start: file "none.py": file does not exist`},
		{"a file elsewhere", code("../x.py"),
			`python.start: file "../x.py" is invalid: use a path below the folder of this`},
		{"a folder", code("dir"), `python.start: file "dir" is not a regular file`},
		{"a large file", code("big.py"), `python.start: file "big.py" has 65537 bytes: use up to 65536`},
		{"a file that is not UTF-8", code("latin.py"), `python.start: file "latin.py" is not UTF-8`},
	} {
		if _, _, err := load("f.yaml", []byte(tc.text), files, options()); err == nil ||
			!strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v\nwant %s", tc.name, err, tc.want)
		}
	}
}

func TestLoadReportsAllMistakes(t *testing.T) {
	text := "exercises:\n  - {id: A, title: A, task: T, url: /x, check: peek=1}\n  - 1\n"
	_, err := Load("f.yaml", []byte(text), options())
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("got %d lines, want 4:\n%v", got, err)
	}
}

func TestLoadAcceptsARouteOfAScenario(t *testing.T) {
	o := options()
	o.Routed = func(r *plan.Request) bool { return r.Path == "/shop" && r.Query == "a=b" }
	if _, err := Load("f.yaml", []byte(strings.Replace(valid, "/delay/1", "/shop?a=b", 1)), o); err != nil {
		t.Error(err)
	}
}

func TestLoadFollowsNoLinkOutOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "in", "f.yaml")
	if err := os.Symlink("../secret", filepath.Join(dir, "in", "start.py")); err != nil {
		t.Skip(err)
	}
	_, err := Load(name, []byte(withProgram), options())
	if err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a link to a file outside the folder: got %v", err)
	}
}
