package delayserver_test

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
)

func TestMain(m *testing.M) { dockertest.Main(m) }

// underTest is an image of this source, built with no registry.
var underTest = dockertest.Tag("delayserver")

var build = sync.OnceValue(func() error {
	cmd := exec.Command("../../deploy/offline/build", "delay-server")
	cmd.Env = append(os.Environ(), "DELAY_SERVER_IMAGE="+underTest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

// image returns the image under test. Without a Docker engine the test is
// skipped, or with REQUIRE_DOCKER=1 it fails.
func image(t *testing.T) string {
	t.Helper()
	dockertest.Require(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return underTest
}
