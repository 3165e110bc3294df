package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestREADMEShowsTests wants the Go of the README word for word in a file of
// tests, which compiles and passes.
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
	for _, block := range blocks {
		if !strings.Contains(string(tests), string(block[1])) {
			t.Errorf("delaytest/readme_test.go has not what README.md shows:\n%s", block[1])
		}
	}
}
