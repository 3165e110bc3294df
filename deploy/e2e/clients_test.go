package e2e

import (
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

// A clientTest runs the tests of a client in delay-server/clients/DIR.
type clientTest struct {
	name, dir string
	debian    string   // packages that the command needs
	check     []string // succeeds if they are installed
	build     []string // what to run first, or nil
	command   []string
}

const (
	debianPython = "/usr/bin/python3" // has Debian's modules, and need not be the first in PATH
	junit        = "/usr/share/java/junit-platform-console-standalone.jar"
)

func clientTests(t *testing.T) []clientTest {
	classes := t.TempDir()
	return []clientTest{
		{"Python, unittest", "python", "python3", []string{"python3", "--version"}, nil,
			[]string{"python3", "-W", "error", "-m", "unittest", "--verbose"}},
		{"Python, pytest", "python", "python3-pytest", []string{debianPython, "-m", "pytest", "--version"}, nil,
			[]string{debianPython, "-m", "pytest", "--verbose", "-p", "no:cacheprovider"}},
		{"Node", "node", "nodejs", []string{"node", "--version"}, nil,
			// One file after the other: a test resets the server, which all files share if it has a URL.
			[]string{"sh", "-c", "for file in *.test.mjs; do node --test $file || exit 1; done"}},
		{"Java", "java", "default-jdk-headless junit5", []string{"sh", "-c", "javac --version && ls " + junit},
			[]string{"javac", "-Xlint:all", "-Werror", "-d", classes, "-cp", junit,
				"DelayServer.java", "DelayServerTest.java", "ReadmeTest.java", "OneServerTest.java"},
			[]string{"java", "-jar", junit, "--class-path", classes, "--scan-class-path", "--fail-if-no-tests",
				"--disable-ansi-colors", "--disable-banner"}},
	}
}

const clientsDir = root + "/delay-server/clients/"

// TestClients runs the tests of each client in delay-server/clients with a server that
// runs already, with the program, and with a container.
func TestClients(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "delay-server")
	must(t, nil, "go", "build", "-C", "delay-server", "-o", binary, ".")
	tests := clientTests(t)
	for _, way := range []struct {
		name    string
		environ func(t *testing.T) []string
	}{
		{"URL", func(t *testing.T) []string { return append(runningServer(t, binary), "DELAY_SERVER_BINARY="+binary) }},
		{"program", func(*testing.T) []string { return []string{"DELAY_SERVER_BINARY=" + binary} }},
		{"container", func(t *testing.T) []string { return []string{"DELAY_SERVER_IMAGE=" + labelledImage(t)} }},
	} {
		for _, c := range tests {
			t.Run(c.name+", "+way.name, func(t *testing.T) {
				wiretest.RequireClient(t, c.debian, c.check...)
				environ := append([]string{"DELAY_SERVER_URL=", "DELAY_SERVER_TOKEN=", "DELAY_SERVER_BINARY=",
					"DELAY_SERVER_IMAGE="}, way.environ(t)...)
				c.run(t, environ)
			})
		}
	}
}

// run runs the test with environ added to the environment.
func (c clientTest) run(t *testing.T, environ []string) {
	t.Helper()
	for _, args := range [][]string{c.build, c.command} {
		if args == nil {
			continue
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = clientsDir + c.dir
		cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), environ...)
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
	}
}

// runningServer starts the program with a token and returns the variables of a client.
func runningServer(t *testing.T, binary string) []string {
	t.Helper()
	const token = "secret"
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{"PORT=0", "ADMIN_TOKEN=" + token}
	return []string{"DELAY_SERVER_URL=" + listens(t, cmd), "DELAY_SERVER_TOKEN=" + token}
}

// labelledImage returns delay-server's image with the label of this run, which its
// containers inherit.
func labelledImage(t *testing.T) string {
	t.Helper()
	requireLoopback(t)
	image := "flash-clients:" + dockertest.Run()
	cmd := exec.Command("docker", "build", "--quiet", "--tag", image, "-")
	cmd.Stdin = strings.NewReader("FROM " + images(t).delayServer + "\nLABEL " + label + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return image
}

// clientSamples are the blocks of code in a client's README and in /doc.
var clientSamples = map[string]struct {
	fence string // language of the README's blocks
	pre   string // id in recipes.html
	files []string
}{
	"python": {"python", "python", []string{"test_readme.py", "test_pytest.py", "conftest.py"}},
	"node":   {"js", "node", []string{"readme.test.mjs"}},
	"java":   {"java", "java", []string{"ReadmeTest.java", "OneServerTest.java"}},
}

// TestClientSamples checks that the documented code is code of the tests, which
// TestClients runs.
func TestClientSamples(t *testing.T) {
	recipes, err := os.ReadFile(root + "/delay-server/server/pages/recipes.html")
	if err != nil {
		t.Fatal(err)
	}
	for dir, s := range clientSamples {
		readme, err := os.ReadFile(clientsDir + dir + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		var tested strings.Builder
		for _, file := range s.files {
			text, err := os.ReadFile(clientsDir + dir + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			tested.WriteString(unindent(string(text)))
		}
		blocks := between(string(readme), "```"+s.fence+"\n", "```")
		shown := between(string(recipes), `<pre id="`+s.pre+`">`, "</pre>")
		if len(blocks) < 4 || len(shown) != 1 {
			t.Errorf("%s: got %d blocks of code in its README and %d in /doc, want at least 4 and 1",
				dir, len(blocks), len(shown))
		}
		for _, block := range append(blocks, html.UnescapeString(strings.Join(shown, ""))) {
			if !strings.Contains(tested.String(), unindent(block)) {
				t.Errorf("%s: no test has the sample\n%s", dir, block)
			}
		}
	}
}

// between returns the parts of text between start and end.
func between(text, start, end string) (parts []string) {
	for _, rest := range strings.Split(text, start)[1:] {
		part, _, _ := strings.Cut(rest, end)
		parts = append(parts, part)
	}
	return parts
}

// unindent returns the lines of text without their indentation.
func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
