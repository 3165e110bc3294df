package server_test

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// text returns the text of a page without its tags.
func text(page string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, ""))
}

// The tutorial shows the apps as they are, and the function that makes the calls here.
func TestTutorialShowsTheSource(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	page := text(d.get(t, "/tutorial").body)
	for _, file := range []string{"python/app.py", "node/app.mjs", "java/App.java", "go/main.go"} {
		source, err := os.ReadFile("../../../deploy/tutorial/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, string(source)) {
			t.Errorf("GET /tutorial: %s is not in it", file)
		}
		_, name, _ := strings.Cut(file, "/")
		got := d.get(t, "/tutorial/"+name)
		if got.StatusCode != 200 || strings.TrimSpace(got.body) != strings.TrimSpace(string(source)) ||
			got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("GET /tutorial/%s: got %d, %s, %d bytes; want the file as text", name, got.StatusCode,
				got.Header.Get("Content-Type"), len(got.body))
		}
	}
	source, err := os.ReadFile("fetch.go")
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(string(source), "\nfunc (s *Server) calls(")
	calls, _, _ = strings.Cut(calls, "\n}\n")
	if !strings.Contains(page, "func (s *Server) calls("+calls+"\n}") {
		t.Error("GET /tutorial: the method calls of fetch.go is not in it")
	}
	if got := d.get(t, "/tutorial/original.py"); got.StatusCode != 404 {
		t.Errorf("GET /tutorial/original.py: got %d, want 404", got.StatusCode)
	}
}

// A step has the same number and title as a preset of the race.
func TestTutorialNumbersItsSteps(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	headings := regexp.MustCompile(`<h2 id="step-(\d)"><span>Step (\d)</span> ([^<]+)</h2>`).FindAllStringSubmatch(
		d.get(t, "/tutorial").body, -1)
	race := text(d.get(t, "/").body)
	if len(headings) != 4 {
		t.Fatalf("GET /tutorial: got steps %q, want 4", headings)
	}
	for _, h := range headings {
		title, _, _ := strings.Cut(h[3], ",")
		if h[1] != h[2] || !regexp.MustCompile(h[1]+`\.?\s+`+regexp.QuoteMeta(title)).MatchString(race) {
			t.Errorf("step %q: no preset of the race has this number and title", h[0])
		}
	}
}
