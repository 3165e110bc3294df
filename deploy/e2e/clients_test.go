package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

// A clientTest is a command that runs the tests of a client in delay-server/clients/DIR.
type clientTest struct {
	name, dir string
	debian    string   // packages that the command needs
	check     []string // succeeds if they are installed
	command   []string
}

// Debian's modules belong to Debian's Python, which need not be the first in PATH.
var clientTests = []clientTest{
	{"Python, unittest", "python", "python3", []string{"python3", "--version"},
		[]string{"python3", "-W", "error", "-m", "unittest", "--verbose"}},
	{"Python, pytest", "python", "python3-pytest", []string{"/usr/bin/python3", "-m", "pytest", "--version"},
		[]string{"/usr/bin/python3", "-m", "pytest", "-v", "-p", "no:cacheprovider"}},
}

// TestClients runs the tests of each client in delay-server/clients with a server that
// runs already, with the program, and with a container.
func TestClients(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "delay-server")
	must(t, nil, "go", "build", "-C", "delay-server", "-o", binary, ".")
	for _, way := range []struct {
		name    string
		environ func(t *testing.T) []string
	}{
		{"URL", func(t *testing.T) []string { return append(runningServer(t, binary), "DELAY_SERVER_BINARY="+binary) }},
		{"program", func(*testing.T) []string { return []string{"DELAY_SERVER_BINARY=" + binary} }},
		{"container", func(t *testing.T) []string { return []string{"DELAY_SERVER_IMAGE=" + labelledImage(t)} }},
	} {
		for _, c := range clientTests {
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
	cmd := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...)
	cmd.Dir = filepath.Join(root, "delay-server/clients", c.dir)
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), environ...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%s: %v", cmd, err)
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
