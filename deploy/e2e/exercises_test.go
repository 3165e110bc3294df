package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// starts says what is wrong with the start of each exercise.
var starts = []struct{ exercise, words string }{
	{"concurrent", "never more than 1 requests were in flight at once, want 3; the client waits for answers"},
	{"bounded", "requests were in flight at once, want 10; lower the client's concurrency"},
	{"timeout", "that ended as 200; it must give up after 2000 ms"},
	{"retry", "after attempt 1 had ended; it must wait 80 ms or more"},
	{"retry-after", "after an answer whose Retry-After said 1000 ms; wait as long as it says"},
	{"hedge", "no second one came; send one after 1000 ms"},
	{"breaker", "after 3 failures had opened the breaker; let none through for 1000 ms"},
}

// Every solution passes and every start fails with words that help, run as an attendee
// runs them: downloaded with a name, on this machine's Python, Node, Go and Java.
func TestExercises(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.JournalSize = 100_000 })
	slow := os.Getenv("TEST_SLOW") == "1"
	places := make(chan struct{}, 2) // more programs at once would be late
	for _, e := range starts {
		for language := range programs {
			for _, kind := range []string{"start", "solution"} {
				if !slow && language != "python" && e.exercise != "concurrent" {
					continue // the rest takes more than a minute
				}
				t.Run(e.exercise+"/"+language+"/"+kind, func(t *testing.T) {
					t.Parallel()
					places <- struct{}{}
					defer func() { <-places }()
					verdict, details := try(t, base, e.exercise, language, kind)
					switch {
					case kind == "solution" && (verdict != "passed" || details != ""):
						t.Errorf("the solution: %s %s", verdict, details)
					case kind == "start" && (verdict != "failed" || !strings.Contains(details, e.words)):
						t.Errorf("the start: %s %q, want failed, with %q", verdict, details, e.words)
					}
				})
			}
		}
	}
}

// programs are the extension of the file name, the command and the Debian package of each
// language.
var programs = map[string]struct {
	extension string
	command   []string
	debian    string
}{
	"python":     {".py", []string{"python3"}, "python3"},
	"javascript": {".mjs", []string{"node"}, "nodejs"},
	"go":         {".go", []string{"go", "run"}, ""},
	"java":       {".java", []string{"java"}, "default-jdk-headless"},
}

// try downloads a program and runs it. It returns what the board shows of its run, as soon
// as that has a verdict.
func try(t *testing.T, base, exercise, language, kind string) (verdict, details string) {
	t.Helper()
	name := kind + "-" + language
	file := "exercise-" + exercise + programs[language].extension
	reply, text := exchange(t, newRequest(t, http.MethodGet, base+"/exercises/"+exercise+"/"+kind+"/"+file+
		"?name="+name, ""))
	if reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", file, reply.StatusCode, text)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runProgram(t, language, path)

	events, err := direct.Do(newRequest(t, http.MethodGet, base+"/board/events?name="+name, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var state struct {
			People []struct {
				Tries []struct {
					Exercise, Verdict string
					Details           []string
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &state); err != nil {
			t.Fatal(err)
		}
		for _, p := range state.People {
			for _, r := range p.Tries {
				if r.Exercise == exercise && r.Verdict != "running" {
					return r.Verdict, strings.Join(r.Details, "; ")
				}
			}
		}
	}
	t.Fatalf("the board ended without a verdict: %v", lines.Err())
	return "", ""
}

// runProgram runs a program of an exercise. The test is skipped without its language.
func runProgram(t *testing.T, language, file string) {
	t.Helper()
	command := programs[language].command
	if language != "go" {
		wiretest.RequireClient(t, programs[language].debian, command[0], "--version")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := exec.CommandContext(ctx, command[0], append(command[1:], file)...)
	run.Dir = filepath.Dir(file)
	run.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "GOFLAGS=", "GOWORK=off")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(run.Args, " "), err, out)
	}
}
