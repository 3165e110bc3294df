package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
)

// root is the top of the repository, as seen from this package.
const root = "../.."

// The stamps of the images under test.
const (
	testVersion = "1.2.3-e2e"
	testCommit  = "0123456789abcdef"
)

// label marks containers that the docker command starts.
var label = dockertest.Label + "=" + dockertest.Run()

// tags names both images, as docker-compose.yml and deploy/offline read them.
type tags struct{ delayServer, demoAPI string }

// newTags returns the names of this run for both images; kind tells several apart.
func newTags(kind string) tags {
	return tags{dockertest.Tag(kind + "delay-server"), dockertest.Tag(kind + "demo-api")}
}

func (t tags) environ() []string {
	return []string{"DELAY_SERVER_IMAGE=" + t.delayServer, "DEMO_API_IMAGE=" + t.demoAPI}
}

var underTest = newTags("")

// build makes the images under test, once.
var build = sync.OnceValue(func() error {
	_, err := command(buildEnviron(underTest, testVersion), "deploy/offline/build")
	return err
})

func TestMain(m *testing.M) { dockertest.Main(m) }

func buildEnviron(t tags, version string) []string {
	return append(t.environ(), "VERSION="+version, "COMMIT="+testCommit)
}

// images returns the images under test and skips the test where there is no engine.
func images(t *testing.T) tags {
	t.Helper()
	dockertest.Require(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return underTest
}

// requireLoopback skips a test of docker-compose.yml, which publishes ports on loopback
// of the engine's machine, where that is not this one.
func requireLoopback(t *testing.T) {
	t.Helper()
	if host := dockertest.Host(t, images(t).delayServer); host != "127.0.0.1" && host != "localhost" {
		dockertest.Missing(t, "ports that docker-compose.yml publishes on loopback do not answer here: the engine "+
			"is at %s", host)
	}
}

// slow skips a test unless TEST_SLOW=1.
func slow(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("TEST_SLOW") != "1" {
		t.Skip(why + ": TEST_SLOW=1 runs it, as .ci/run does")
	}
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
