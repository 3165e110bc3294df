package server

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestREADME runs the README's curl commands to port 3000 and compares what they
// print with what the README shows, except for measured times.
func TestREADME(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("curl is not installed")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	n := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(readme, -1) {
		text := strings.ReplaceAll(string(block[1]), "\\\n", "")
		for _, command := range strings.Split("\n"+text, "\n$ ")[1:] {
			line, output, _ := strings.Cut(command, "\n")
			if !strings.Contains(line, "http://localhost:3000") || strings.Contains(output, "…") {
				continue
			}
			n++
			e := example{line: strings.ReplaceAll(line, "http://localhost:3000", base), answer: output}
			got := strings.ReplaceAll(withoutTimes(e.run(t)), " \n", "\n")
			if want := withoutTimes(e.answer); got != want {
				t.Errorf("%s\nprints\n%s\nREADME.md shows\n%s", e.line, got, want)
			}
		}
	}
	if n < 5 {
		t.Errorf("README.md has %d commands with output, want 5 or more", n)
	}
}
