package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository, as seen from this package.
const root = "../.."

// The stamps of the images under test.
const (
	testVersion = "1.2.3-e2e"
	testCommit  = "0123456789abcdef"
)

// tags names both images, as docker-compose.yml and deploy/offline read them.
type tags struct{ delayServer, demoAPI string }

// newTags returns names that no other run uses.
func newTags() tags {
	run := strings.ToLower(rand.Text()[:10])
	return tags{"flash-e2e-delay-server:" + run, "flash-e2e-demo-api:" + run}
}

func (t tags) environ() []string {
	return []string{"DELAY_SERVER_IMAGE=" + t.delayServer, "DEMO_API_IMAGE=" + t.demoAPI}
}

var underTest = struct {
	tags
	build func() error // deploy/offline/build, once
	built bool
}{tags: newTags()}

func TestMain(m *testing.M) {
	// The tests end their containers themselves; the image of the reaper, which
	// would, cannot be had without a registry.
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	underTest.build = sync.OnceValue(func() error {
		underTest.built = true
		_, err := command(buildEnviron(underTest.tags, testVersion), "deploy/offline/build")
		return err
	})
	code := m.Run()
	if underTest.built {
		if _, err := command(nil, "docker", "rmi", underTest.delayServer, underTest.demoAPI); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

func buildEnviron(t tags, version string) []string {
	return append(t.environ(), "VERSION="+version, "COMMIT="+testCommit)
}

// images returns the images under test and skips the test where there is no engine.
func images(t *testing.T) tags {
	t.Helper()
	requireEngine(t)
	if err := underTest.build(); err != nil {
		t.Fatal(err)
	}
	return underTest.tags
}

var engineAnswers = sync.OnceValue(func() error {
	_, err := command(nil, "docker", "version")
	return err
})

func requireEngine(t *testing.T) {
	t.Helper()
	if err := engineAnswers(); err != nil {
		missing(t, "no Docker engine answers: %v", err)
	}
}

// missing ends a test that needs what this machine has not: it is skipped, or
// with REQUIRE_DOCKER=1 it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("REQUIRE_DOCKER") == "1" {
		t.Fatalf("REQUIRE_DOCKER=1: "+format, args...)
	}
	t.Skipf(format, args...)
}

// command runs a program at the top of the repository, with environ added to
// the environment. It returns what it wrote; the error holds that too.
func command(environ []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), fmt.Errorf("%s: %w\n%s%s", cmd, err, &stdout, &stderr)
	}
	return stdout.String() + stderr.String(), nil
}

// must runs a program as command does and fails the test where that fails.
func must(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	out, err := command(environ, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}
