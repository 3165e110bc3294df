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

// root is the top of the repository, relative to this package.
const root = "../.."

// Version and commit of the images under test.
const (
	testVersion = "1.2.3-e2e"
	testCommit  = "0123456789abcdef"
)

// label marks containers started by the docker command.
var label = dockertest.Label + "=" + dockertest.Run()

// tags are the names of both images, in the environment variables that docker-compose.yml
// and deploy/offline read.
type tags struct{ delayServer, demoAPI string }

// newTags returns unique names for both images.
func newTags(kind string) tags {
	return tags{dockertest.Tag(kind + "delay-server"), dockertest.Tag(kind + "demo-api")}
}

func (t tags) environ() []string {
	return []string{"DELAY_SERVER_IMAGE=" + t.delayServer, "DEMO_API_IMAGE=" + t.demoAPI}
}

var underTest = newTags("")

// build builds the images under test, once.
var build = sync.OnceValue(func() error {
	_, err := command(buildEnviron(underTest, testVersion), "deploy/offline/build")
	return err
})

func TestMain(m *testing.M) { dockertest.Main(m) }

func buildEnviron(t tags, version string) []string {
	return append(t.environ(), "VERSION="+version, "COMMIT="+testCommit)
}

// images returns the images under test, or skips the test without an engine.
func images(t *testing.T) tags {
	t.Helper()
	dockertest.Require(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return underTest
}

// requireLoopback skips a test of docker-compose.yml if the engine runs on another machine,
// since the ports are published on that machine's loopback.
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

// command runs a program at the top of the repository, with environ added to the
// environment. It returns the output, which the error contains too.
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

// must is command, but fails the test on error.
func must(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	out, err := command(environ, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}
