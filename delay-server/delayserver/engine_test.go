package delayserver_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// underTest is an image of this source, built with no registry, under a name
// that no other run uses.
var underTest = struct {
	image string
	build func() error // once
	built bool
}{image: "delayserver-test:" + strings.ToLower(rand.Text()[:10])}

func TestMain(m *testing.M) {
	// The tests end their containers themselves; the image of the reaper, which
	// would, cannot be had without a registry.
	if os.Getenv("TESTCONTAINERS_RYUK_DISABLED") == "" {
		os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	other := underTest.image + "-demo-api" // which deploy/offline/build makes too
	underTest.build = sync.OnceValue(func() error {
		underTest.built = true
		return command("../../deploy/offline/build", "DELAY_SERVER_IMAGE="+underTest.image, "DEMO_API_IMAGE="+other)
	})
	code := m.Run()
	if underTest.built {
		if err := exec.Command("docker", "rmi", underTest.image, other).Run(); err != nil {
			fmt.Fprintln(os.Stderr, "docker rmi:", err)
		}
	}
	os.Exit(code)
}

// image returns the image under test. Without a Docker engine the test is
// skipped, or with REQUIRE_DOCKER=1 it fails.
func image(t *testing.T) string {
	t.Helper()
	if err := exec.Command("docker", "version").Run(); err != nil {
		if os.Getenv("REQUIRE_DOCKER") == "1" {
			t.Fatalf("REQUIRE_DOCKER=1: no Docker engine answers: %v", err)
		}
		t.Skipf("no Docker engine answers: %v", err)
	}
	if err := underTest.build(); err != nil {
		t.Fatal(err)
	}
	return underTest.image
}

func command(name string, environ ...string) error {
	cmd := exec.Command(name)
	cmd.Env = append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
