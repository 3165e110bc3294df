// Package dockertest helps tests to use containers on any machine with a Docker
// engine and the docker command, even in a dev container or without a registry.
//
// It finds the address at which published ports are reachable. It replaces the
// reaper of testcontainers, whose image needs a registry: it removes containers,
// networks, volumes and images that killed test runs left behind.
//
// It is for the tests of this repository. Its API may change.
package dockertest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Label is the label of containers, networks and images that a test run creates.
// Its value is [Run].
const Label = "flash.test.run"

// current is the test run of this process.
var current = newRun()

// Run returns the unique name of this test run, in lower-case letters and digits.
func Run() string { return current }

// Tag returns a name for an image that this run builds.
func Tag(image string) string { return imagePrefix + image + ":" + current }

// Project returns a name for a Compose project of this run, distinct for each n.
func Project(n string) string { return projectPrefix + current + "-" + strings.ToLower(n) }

// Main implements TestMain. It runs the tests of a package. Before them it removes what
// dead runs left behind, and after them what this run left.
func Main(m *testing.M) { os.Exit(run(m)) }

// parallel is the default of -parallel. It may exceed the number of processors, since
// tests with containers mostly wait.
const parallel = "6"

func run(m *testing.M) int {
	flag.Parse()
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "test.parallel" })
	if !isSet {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, "dockertest:", err)
			return 1
		}
	}
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // sweep replaces it
	}
	lock, err := lockRun(current)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dockertest:", err)
		return 1
	}
	defer lock.end()
	if engine() == nil {
		sweep()
		defer remove(current)
	}
	return m.Run()
}

// engine returns nil if a Docker engine answers, or else the reason.
var engine = sync.OnceValue(func() error {
	_, err := docker("version")
	return err
})

// Require skips the test if no Docker engine answers, or fails it if
// REQUIRE_DOCKER=1.
func Require(t testing.TB) {
	t.Helper()
	if err := engine(); err != nil {
		Missing(t, "no Docker engine answers: %v", err)
	}
}

// Missing skips a test that needs something this machine lacks, or fails it if
// REQUIRE_DOCKER=1.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("REQUIRE_DOCKER") == "1" {
		t.Fatalf("REQUIRE_DOCKER=1: "+format, args...)
	}
	t.Skipf(format, args...)
}

// docker runs the docker command and returns its standard output.
func docker(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).Output()
	if exit, ok := err.(*exec.ExitError); ok {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
