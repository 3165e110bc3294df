package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyOfRepository returns a folder with a copy of all files of the repository, and runs
// git in it.
func copyOfRepository(t *testing.T) (dir string, git func(args ...string)) {
	t.Helper()
	dir = t.TempDir()
	files := must(t, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard")
	for name := range strings.FieldsFuncSeq(files, func(c rune) bool { return c == '\n' }) {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			continue // deleted, and not committed yet
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	git = func(args ...string) {
		t.Helper()
		identity := []string{"-C", dir, "-c", "user.name=test", "-c", "user.email=test@example.com"}
		must(t, nil, "git", append(identity, args...)...)
	}
	git("init", "--quiet", "--initial-branch=main")
	return dir, git
}

// in runs a command in a folder and returns its output.
func in(t *testing.T, dir string, environ []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// TestRehome moves the modules of a copy to another path, builds it and runs tests of
// it. Then another module gets them by go get, from a git repository.
func TestRehome(t *testing.T) {
	slow(t, "builds a copy of the repository and runs its tests, which takes a minute")
	const path, version = "github.com/acme/flash", "v0.9.0"
	dir, git := copyOfRepository(t)
	said := in(t, dir, nil, "deploy/rehome", path, version)

	git("add", "--all")
	if out, err := exec.Command("git", "-C", dir, "grep", "-n", "-F", ours).CombinedOutput(); err == nil {
		t.Errorf("the old path is left:\n%s", out)
	}
	if out := in(t, dir, nil, "gofmt", "-l", "."); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	in(t, dir, nil, "go", "build", "work")
	for _, module := range []string{"delay-server", "delay-server/delayserver", "demo-api", "deploy/e2e"} {
		in(t, filepath.Join(dir, module), []string{"GOWORK=off"}, "go", "mod", "tidy", "-diff")
	}
	in(t, dir, nil, "go", "test", "./delay-server/...", "-run", "^(TestDelay|TestConfig|TestREADME|Example)")
	in(t, dir, nil, "go", "test", "./deploy/e2e", "-run", "^(TestImportRules|TestNoImportRunsUp)$")

	git("commit", "--quiet", "-m", "Move the modules")
	for line := range strings.Lines(said) {
		if tag, ok := strings.CutPrefix(strings.TrimSpace(line), "git tag "); ok {
			for name := range strings.SplitSeq(tag, " && git tag ") {
				git("tag", name)
			}
		}
	}
	outside := t.TempDir()
	environ := []string{
		"GOPRIVATE=" + path, "GOFLAGS=-mod=mod", "GOWORK=off", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=url.file://" + dir + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + path,
	}
	in(t, outside, environ, "go", "mod", "init", "example.com/outside")
	got := 0
	for line := range strings.Lines(said) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "go get "); ok {
			in(t, outside, environ, "go", "get", strings.Fields(command)[0])
			got++
		}
	}
	if got != 2 {
		t.Errorf("rehome names %d modules to get, want 2:\n%s", got, said)
	}
	const test = `package outside

import (
	"net/http"
	"testing"
	"time"

	"` + path + `/delay-server/delaytest"
)

func TestOutside(t *testing.T) {
	srv := delaytest.NewServer(t)
	res, err := http.Get(srv.DelayURL(time.Millisecond))
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	res.Body.Close()
}
`
	if err := os.WriteFile(filepath.Join(outside, "outside_test.go"), []byte(test), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := in(t, outside, environ, "go", "test", "-v", "."); !strings.Contains(out, "PASS: TestOutside") {
		t.Errorf("go test in a module outside: got\n%s", out)
	}
}

// TestRehomeChecksItsArguments checks that rehome changes nothing for invalid ones.
func TestRehomeChecksItsArguments(t *testing.T) {
	dir, git := copyOfRepository(t)
	git("add", "--all")
	git("commit", "--quiet", "-m", "Before")
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"none", nil, "use: deploy/rehome MODULE_PATH [VERSION]"},
		{"too many", []string{"a.b/c", "v0.1.0", "x"}, "use: deploy/rehome MODULE_PATH [VERSION]"},
		{"no host", []string{"acme/flash"}, "must be a host, such as github.com"},
		{"a URL", []string{"https://github.com/acme/flash"}, "is not a module path"},
		{"a slash at the end", []string{"github.com/acme/flash/"}, "is not a module path"},
		{"a space", []string{"github.com/a b"}, "is not a module path"},
		{"for sed", []string{"github.com/a|b&c"}, "is not a module path"},
		{"empty", []string{""}, "is not a module path"},
		{"the same", []string{"flash.test"}, "are at flash.test already"},
		{"below the old one", []string{"flash.test/acme"}, "is below flash.test"},
		{"not a version", []string{"github.com/acme/flash", "1.0"}, "1.0 is not a version"},
		{"a higher version", []string{"github.com/acme/flash", "v2.0.0"}, "use v0 or v1"},
	} {
		cmd := exec.Command("deploy/rehome", test.args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: got %q, %v, want %q", test.name, out, err, test.want)
		}
		if changed := in(t, dir, nil, "git", "status", "--short"); changed != "" {
			t.Fatalf("%s: changed\n%s", test.name, changed)
		}
	}
}
