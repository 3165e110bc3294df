package e2e

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// phrases are English that readers stumble over, each with a plainer form. They are
// searched in comments, strings and pages, across line breaks too.
var phrases = []struct{ pattern, instead string }{
	{`(?:that|those) of\b`, "repeat the noun, or use a possessive"},
	{`those (?:who|that|which|whose)\b`, "name them: clients that…, requests that…"},
	{`one that is\b`, "use an adjective, or repeat the noun"},
	{`as many as\b`, "up to N, N, or the limit's name"},
	{`in vain\b|to no avail\b`, "say what happens: has no effect, fails"},
	{`(?:is|are) told (?:of|that)\b`, "learns, is notified, receives"},
	{`nobody's\b`, "nobody owns…, unused"},
	{`goes without saying\b`, "omitted, implied"},
	{`of one's own\b|of an? \w+'s own\b|of the \w+'s own\b`, "own, internal, separate"},
	{`not accepted\b`, "is invalid: use…; is not allowed"},
	{`(?-i:accepted: )`, "use…"},
	{`at the (?:most|least)\b`, "at most, at least"},
	{`(?:is|are) to be\b`, "must be, will be"},
	{`but for\b`, "except for, without"},
	{`be it\b`, "whether"},
	{`the like\b`, "list what is meant"},
	{`for ever\b`, "forever"},
}

// privateNames are identifiers that meant something in this repository alone, each
// with a name that readers of net/http, nginx or x/sync would search for.
var privateNames = map[string]string{
	"lieDown": "enqueue", "getUp": "dequeue", "Happen": "Fire",
	"overhear": "readWhileWaiting", "converse": "onReadable", "putOff": "requeue", "goOn": "runDeferred",
	"fastlane": "eventloop", "Telling": "eventloop.Request",
	"unshaped": "defaultOptions", "Unsaid": "omitted",
	"bury": "removeIfEmpty", "legible": "escape",
	"standIn": "serveScenario", "errOwn": "errInternal", "errLeft": "errClientGone", "errCut": "errShutdown",
	"passBody": "forwardBody", "passOn": "forward", "Drained": "Drainer", "Beside": "Extra",
	"stranger": "unexpectedReply", "refusal": "apiError", "atOnce": "concurrency",
}

// anyPhrase has one group for each of phrases.
var anyPhrase = func() *regexp.Regexp {
	groups := make([]string, len(phrases))
	for i, p := range phrases {
		groups[i] = "(" + p.pattern + ")"
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(groups, "|") + `)`)
}()

var extremeName = regexp.MustCompile(`^(most|least)([A-Z]\w*)?$`)

const (
	maxColumns     = 120
	maxHTMLColumns = 160
	tabColumns     = 4
)

// finding is a fault in a line of a file.
type finding struct {
	line          int
	what, instead string
}

func TestPlainWords(t *testing.T) {
	const root = "../.."
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(file), root+"/")
		switch {
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !hasWords(name) || name == "deploy/e2e/words_test.go":
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, f := range find(name, text) {
			t.Errorf("%s:%d: %s; instead: %s", name, f.line, f.what, f.instead)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// find finds the faults of a file.
func find(name string, text []byte) []finding {
	return slices.Concat(findLong(name, string(text)), findPhrases(string(text)), findNames(name, text))
}

func within(name, dir string) bool { return strings.HasPrefix(name, dir+"/") }

// hasWords reports whether a file is written by us, and read by others.
func hasWords(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".html", ".js", ".css", ".svg", ".tmpl", ".yaml", ".yml", ".py", ".mjs", ".java", ".sh":
		return true
	case "": // scripts and Dockerfiles
		return within(name, ".ci") || within(name, "deploy") && !strings.Contains(name, "/testdata/")
	}
	return false
}

// findLong finds lines of more than maxColumns. Rows of Markdown tables, struct tags,
// drawings, responses shown in pages, and lines with a long address may be longer.
func findLong(name, text string) (found []finding) {
	limit := maxColumns
	switch ext := path.Ext(name); {
	case ext == ".svg" || strings.HasSuffix(name, ".svg.tmpl"):
		return nil
	case ext == ".html":
		limit = maxHTMLColumns
	}
	for i, line := range strings.Split(text, "\n") {
		columns := utf8.RuneCountInString(line) + (tabColumns-1)*strings.Count(line, "\t")
		trimmed := strings.TrimSpace(line)
		switch {
		case columns <= limit:
		case path.Ext(name) == ".html" && strings.Contains(line, `class="answer"`):
		case path.Ext(name) == ".md" && strings.HasPrefix(trimmed, "|"):
		case path.Ext(name) == ".go" && (structTag.MatchString(line) || strings.HasPrefix(trimmed, "//go:")):
		case columns-utf8.RuneCountInString(longAddress.FindString(line)) < limit/2:
		default:
			found = append(found, finding{i + 1, fmt.Sprintf("%d columns", columns), fmt.Sprintf("at most %d", limit)})
		}
	}
	return found
}

var (
	structTag   = regexp.MustCompile("\\w\\s+`\\w+:\"")
	longAddress = regexp.MustCompile(`https?://\S{60,}`)
)

// findPhrases finds phrases in text. A phrase may go over a line break.
func findPhrases(text string) (found []finding) {
	var joined strings.Builder
	var starts []int // of the lines in joined
	for line := range strings.Lines(text) {
		starts = append(starts, joined.Len())
		joined.WriteString(strings.TrimLeft(strings.TrimSpace(line), "/#*> \t") + " ")
	}
	for _, m := range anyPhrase.FindAllStringSubmatchIndex(joined.String(), -1) {
		line, exact := slices.BinarySearch(starts, m[0])
		if exact {
			line++
		}
		i := slices.IndexFunc(m[2:], func(at int) bool { return at >= 0 }) / 2
		found = append(found, finding{line, fmt.Sprintf("%q", joined.String()[m[0]:m[1]]), phrases[i].instead})
	}
	return found
}

// findNames finds private names among the identifiers of a Go file.
func findNames(name string, text []byte) (found []finding) {
	if path.Ext(name) != ".go" {
		return nil
	}
	file := token.NewFileSet().AddFile(name, -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	for {
		pos, tok, ident := s.Scan()
		switch {
		case tok == token.EOF:
			return found
		case tok != token.IDENT:
		case privateNames[ident] != "":
			found = append(found, finding{file.Line(pos), "name " + ident, privateNames[ident]})
		case extremeName.MatchString(ident):
			found = append(found, finding{file.Line(pos), "name " + ident, "max… or min…"})
		}
	}
}

func TestPlainWordsFindsFaults(t *testing.T) {
	for _, tc := range []struct{ name, file, text, want string }{
		{"plain", "a.go", "// Cancel ends the wait.\n", "[]"},
		{"a phrase over two lines", "a.go", "package a\n\n\t// It ends those\n\t// who wait.\n", "[3 \"those who\"]"},
		{"two phrases in a page", "a.md", "x\nIn vain, but for a.\n", "[2 \"In vain\" 2 \"but for\"]"},
		{"a name", "a.go", "package a\n\nvar mostBytes = 1 // leastBytes", "[3 name mostBytes]"},
		{"a long line", "a.js", "\n\t" + strings.Repeat("x", 117), "[2 121 columns]"},
		{"a row of a table", "a.md", "| " + strings.Repeat("x", 200), "[]"},
		{"a struct tag", "a.go", "\tA int `env:\"" + strings.Repeat("x", 200) + "\"`", "[]"},
		{"an address", "a.go", "// https://example.com/" + strings.Repeat("x", 200), "[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := []string{}
			for _, f := range find(tc.file, []byte(tc.text)) {
				got = append(got, fmt.Sprint(f.line, " ", f.what))
			}
			if fmt.Sprint(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}
