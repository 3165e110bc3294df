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

// testImage is built from this source without a registry.
var testImage = dockertest.Tag("delayserver")

var build = sync.OnceValue(func() error {
	cmd := exec.Command("../../deploy/offline/build", "delay-server")
	cmd.Env = append(os.Environ(), "DELAY_SERVER_IMAGE="+testImage)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
})

// image builds testImage once and returns it. Without a Docker engine it skips the
// test, or fails it if REQUIRE_DOCKER=1.
func image(t *testing.T) string {
	t.Helper()
	dockertest.Require(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return testImage
}
