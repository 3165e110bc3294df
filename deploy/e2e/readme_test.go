package e2e

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestREADMEShowsTests checks that the Go code in README.md and in /doc is part of
// a test file, which compiles and passes.
func TestREADMEShowsTests(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../../delay-server/delaytest/readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no Go")
	}
	recipes, err := os.ReadFile("../../delay-server/server/pages/recipes.html")
	if err != nil {
		t.Fatal(err)
	}
	page := regexp.MustCompile(`(?s)<pre id="go">(.*?)</pre>`).FindSubmatch(recipes)
	if page == nil {
		t.Fatal("recipes.html has no Go")
	}
	for _, block := range append(blocks, page) {
		code := html.UnescapeString(string(block[1]))
		if !strings.Contains(string(tests), code) {
			t.Errorf("delaytest/readme_test.go does not have this code:\n%s", code)
		}
	}
}
