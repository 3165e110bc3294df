package exercise

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/yamlfile"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
	"flash.test/delay-server/kit/urlpath"
)

// The bounds of a file.
const (
	maxExercises = 50
	maxText      = 1 << 20  // bytes of the YAML file
	maxCode      = 64 << 10 // bytes of a program
	maxTitle     = 100      // characters
	maxTask      = 1000     // characters, also of the hint
	maxFaults    = 50       // errors to report
)

// Options says what exercises may refer to.
type Options struct {
	Planner *plan.Planner // answers the URLs
	Headers []string      // canonical names of the header fields that the journal records

	// Routed reports whether a route of a scenario answers. Nil stands for no routes.
	Routed func(*plan.Request) bool
}

// Load parses the text of the exercise file with the name, and reads the programs that it
// names, relative to its folder. It joins all errors, each in the form
// file:line:column: text.
//
//	exercises:
//	  - id: retry
//	    title: Retry with back-off
//	    task: The service fails three times. Wait 200 ms before the first retry, then twice as long each time.
//	    url: /delay/20?attempts=503,503,503,200
//	    check: attempts=4&backoff=200ms,2
//	    hint: The answers before the last one are failures.
//	    code:
//	      python: {start: retry/start.py, solution: retry/solution.py}
func Load(name string, text []byte, o Options) (*Set, error) {
	set, _, err := loadDir(name, text, o)
	return set, err
}

// loadDir loads with the programs in the folder of the file, and not out of it by a link.
func loadDir(name string, text []byte, o Options) (*Set, map[string]fs.FileInfo, error) {
	folder, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, nil, err
	}
	defer folder.Close()
	return load(name, text, folder.FS(), o)
}

// load also returns the programs that it has read or missed, by their names in files.
func load(name string, text []byte, files fs.FS, o Options) (*Set, map[string]fs.FileInfo, error) {
	if len(text) > maxText {
		return nil, nil, fmt.Errorf("%s:1:1: the file has %d bytes: use up to %d", name, len(text), maxText)
	}
	l := loader{
		Reader: yamlfile.Reader{File: name, MaxFaults: maxFaults}, options: o, files: files,
		lines: map[string]int{}, set: new(Set), read: map[string]fs.FileInfo{},
	}
	if root := l.Document(text, "the file is empty: use exercises: and a list"); root != nil {
		l.exercises(root)
	}
	if l.Faults() > 0 {
		return nil, l.read, l.Err()
	}
	return l.set, l.read, nil
}

// loader loads one file.
type loader struct {
	yamlfile.Reader
	options Options
	files   fs.FS
	lines   map[string]int // of the exercises, by ID
	set     *Set
	read    map[string]fs.FileInfo // nil for a missing file
}

func (l *loader) exercises(root *yaml.Node) {
	before := l.Faults()
	entries := l.Mapping(root, "the file", []string{"exercises"})
	if len(entries) == 0 && l.Faults() == before {
		l.Fail(root, "the file has no exercises: use exercises: and a list")
	}
	for _, e := range entries {
		items := l.List(e.Value, "exercises")
		switch {
		case len(items) == 0 && l.Faults() == before:
			l.Fail(e.Key, "exercises is empty: use one exercise or more")
		case len(items) > maxExercises:
			l.Fail(e.Key, "%d exercises are too many: use up to %d", len(items), maxExercises)
			return
		}
		for _, item := range items {
			l.exercise(item)
		}
	}
}

// keys are the keys of an exercise. All but hint and code are required.
var keys = []string{"id", "title", "task", "url", "check", "hint", "code"}

func (l *loader) exercise(n *yaml.Node) {
	before := l.Faults()
	entries := l.Mapping(n, "an exercise", keys)
	for _, key := range keys[:5] {
		has := slices.ContainsFunc(entries, func(e yamlfile.Entry) bool { return e.Key.Value == key })
		if !has && l.Faults() == before {
			l.Fail(n, "the exercise has no %s", key)
		}
	}
	var e Exercise
	for _, entry := range entries {
		at := entry.Value
		if entry.Key.Value == "code" {
			e.Code = l.code(at)
			continue
		}
		text, ok := l.Scalar(at, entry.Key.Value)
		if !ok {
			continue
		}
		switch text = strings.TrimSpace(text); entry.Key.Value {
		case "id":
			e.ID = l.id(at, text)
		case "title":
			e.Title = l.prose(at, "title", text, maxTitle)
		case "task":
			e.Task = l.prose(at, "task", text, maxTask)
		case "hint":
			e.Hint = l.prose(at, "hint", text, maxTask)
		case "url":
			e.URL = l.url(at, text)
		case "check":
			e.Query, e.Checks = l.check(at, text)
		}
	}
	l.set.Exercises = append(l.set.Exercises, e)
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (l *loader) id(at *yaml.Node, id string) string {
	switch line := l.lines[id]; {
	case !idPattern.MatchString(id):
		l.Fail(at, "id %s is invalid: use up to 40 lower-case letters, digits and hyphens, such as retry-after",
			problem.Quote(id))
	case line > 0:
		l.Fail(at, "id %s repeats the one in line %d", problem.Quote(id), line)
	default:
		l.lines[id] = at.Line
	}
	return id
}

// prose checks a text for people.
func (l *loader) prose(at *yaml.Node, what, text string, max int) string {
	switch n := utf8.RuneCountInString(text); {
	case text == "":
		l.Fail(at, "%s is empty: write one", what)
	case n > max:
		l.Fail(at, "%s has %d characters: use up to %d", what, n, max)
	}
	return text
}

// url checks that the server answers a GET request to the path and query.
func (l *loader) url(at *yaml.Node, text string) string {
	u, err := url.ParseRequestURI(text)
	if err != nil || u.Host != "" || !strings.HasPrefix(text, "/") || strings.Contains(text, "#") {
		l.Fail(at, "url %s is invalid: use a path and a query, such as /delay/1000?status=503", problem.Quote(text))
		return ""
	}
	u = urlpath.Normalize(u)
	r := plan.Request{Method: "GET", Path: u.EscapedPath(), Query: u.RawQuery, RunID: PlaceholderName, ProtoMajor: 1}
	if u.Query().Has("run") {
		l.Fail(at, "url %s names a run: leave it out, each try has its own", problem.Quote(text))
		return ""
	}
	if l.options.Routed != nil && l.options.Routed(&r) {
		return text
	}
	template, err := l.options.Planner.Find(r)
	if err == nil && template != nil {
		_, err = template.Plan(r)
	}
	switch {
	case err != nil:
		l.Fail(at, "url %s is invalid: %v", problem.Quote(text), err)
	case template == nil:
		l.Fail(at, "url %s is answered by no endpoint that waits, nor by a route of SCENARIO", problem.Quote(text))
	}
	return text
}

// check parses the checks of a query.
func (l *loader) check(at *yaml.Node, text string) (string, check.List) {
	values, ignored, err := query.Read(text, check.Names())
	if err == nil && len(ignored) > 0 {
		err = problem.UnknownParameter.New("unknown check %s; use %s", problem.Quote(ignored[0]),
			strings.Join(check.Names(), ", "))
	}
	var list check.List
	if err == nil {
		list, err = check.Parse(values, l.options.Headers)
	}
	if err != nil {
		l.Fail(at, "check %s is invalid: %v", problem.Quote(text), err)
	}
	return text, list
}

// code reads the programs of an exercise.
func (l *loader) code(n *yaml.Node) []Code {
	var names []string
	for _, language := range Languages {
		names = append(names, language.Name)
	}
	entries := l.Mapping(n, "code", names)
	var all []Code
	for _, language := range Languages {
		for _, e := range entries {
			if e.Key.Value == language.Name {
				all = append(all, l.programs(e, language))
			}
		}
	}
	return all
}

func (l *loader) programs(e yamlfile.Entry, language Language) Code {
	code := Code{Language: language}
	for _, file := range l.Mapping(e.Value, language.Name, []string{"start", "solution"}) {
		name, ok := l.Scalar(file.Value, language.Name+"."+file.Key.Value)
		if !ok {
			continue
		}
		text, err := l.program(name)
		if err != nil {
			l.Fail(file.Value, "%s.%s: %v", language.Name, file.Key.Value, err)
		}
		if file.Key.Value == "start" {
			code.Start = text
		} else {
			code.Solution = text
		}
	}
	return code
}

// ignore keeps a Go program out of the package in its folder.
const ignore = "//go:build ignore\n\n"

// program reads a program. The error does not name the folder.
func (l *loader) program(name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("file %s is invalid: use a path below the folder of this file", problem.Quote(name))
	}
	info, err := fs.Stat(l.files, name)
	l.read[name] = info
	var text []byte
	if err == nil && info.Size() <= maxCode && info.Mode().IsRegular() {
		text, err = fs.ReadFile(l.files, name)
	}
	switch pathError, _ := errors.AsType[*fs.PathError](err); {
	case pathError != nil:
		return "", fmt.Errorf("file %s: %w", problem.Quote(name), pathError.Err)
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("file %s is not a regular file", problem.Quote(name))
	case info.Size() > maxCode:
		return "", fmt.Errorf("file %s has %d bytes: use up to %d", problem.Quote(name), info.Size(), maxCode)
	case !utf8.Valid(text):
		return "", fmt.Errorf("file %s is not UTF-8", problem.Quote(name))
	}
	return strings.TrimPrefix(string(text), ignore), nil
}
