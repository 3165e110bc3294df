// Package dockertest lets tests with containers run on any machine that has a
// Docker engine, also in a dev container and without an image registry: it finds the
// address at which published ports answer, and in place of testcontainers' reaper,
// whose image comes from a registry, it removes what killed runs left behind. It needs
// the docker command.
//
// It serves the tests of this repository; its API may change.
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

// Label marks containers, networks and images with the run of the tests that made
// them. Its value is [Run].
const Label = "flash.test.run"

// current is the run of this process.
var current = newRun()

// Run returns the name of this run of the tests, which no other has. It consists of
// lower-case letters and digits.
func Run() string { return current }

// Tag returns a name for an image of this run.
func Tag(image string) string { return imagePrefix + image + ":" + current }

// Project returns a name for a Compose project of this run; n tells several apart.
func Project(n string) string { return projectPrefix + current + "-" + strings.ToLower(n) }

// Main runs the tests of a package, for TestMain. Before them it removes what dead runs
// left behind, and after them what is left of this one.
func Main(m *testing.M) { os.Exit(run(m)) }

// parallel is how many parallel tests run at once unless -parallel says otherwise: tests
// with containers wait much longer than they compute.
const parallel = "6"

func run(m *testing.M) int {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, "dockertest:", err)
			return 1
		}
	}
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // sweep does its work
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

// engine returns an error that says why no Docker engine answers.
var engine = sync.OnceValue(func() error {
	_, err := docker("version")
	return err
})

// Require skips the test where no Docker engine answers. With REQUIRE_DOCKER=1 the
// test fails instead.
func Require(t testing.TB) {
	t.Helper()
	if err := engine(); err != nil {
		Missing(t, "no Docker engine answers: %v", err)
	}
}

// Missing skips a test that lacks something of this machine. With REQUIRE_DOCKER=1 the
// test fails instead.
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
