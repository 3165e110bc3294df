package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/kit/wiretest"
)

// eachImage runs a test for both images.
func eachImage(t *testing.T, test func(t *testing.T, image, port string)) {
	t.Parallel()
	image := images(t)
	for _, program := range []struct{ name, image, port string }{
		{"delay-server", image.delayServer, delayServerPort},
		{"demo-api", image.demoAPI, demoAPIPort},
	} {
		t.Run(program.name, func(t *testing.T) {
			t.Parallel()
			test(t, program.image, program.port)
		})
	}
}

// The engine reports the user, since the image has no id(1).
func TestProcessIsUser65532(t *testing.T) {
	eachImage(t, func(t *testing.T, image, port string) {
		c := start(t, image, port)
		lines := strings.Split(must(t, nil, "docker", "top", c.GetContainerID(), "-eo", "pid,uid,gid"), "\n")
		var uid, gid string
		if _, err := fmt.Sscan(lines[len(lines)-1], new(string), &uid, &gid); err != nil ||
			uid != "65532" || gid != "65532" {
			t.Errorf("docker top: got %q, want user and group 65532", lines)
		}
	})
}

func TestVersionIsStamped(t *testing.T) {
	eachImage(t, func(t *testing.T, image, _ string) {
		got := must(t, nil, "docker", "run", "--rm", "--label", label, image, "--version")
		for _, want := range []string{testVersion, testCommit[:7]} {
			if !strings.Contains(got, want) {
				t.Errorf("--version: got %q, want %q in it", got, want)
			}
		}
		var labels map[string]string
		out := must(t, nil, "docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image)
		if err := json.Unmarshal([]byte(out), &labels); err != nil {
			t.Fatal(err)
		}
		for label, want := range map[string]string{
			"org.opencontainers.image.version":  testVersion,
			"org.opencontainers.image.revision": testCommit,
		} {
			if labels[label] != want {
				t.Errorf("label %s: got %q, want %q", label, labels[label], want)
			}
		}
	})
}

func TestHealthcheckFailsWithoutServer(t *testing.T) {
	eachImage(t, func(t *testing.T, image, _ string) {
		out, err := command(nil, "docker", "run", "--rm", "--label", label, image, "healthcheck")
		if err == nil || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("healthcheck where nothing listens: got %q, error %v, want exit status 1", out, err)
		}
	})
}

// A process that is stopped but has not exited is unhealthy.
func TestHealthFollowsProcess(t *testing.T) {
	eachImage(t, func(t *testing.T, image, port string) {
		c := start(t, image, port)
		signal(t, c, syscall.SIGSTOP)
		defer signal(t, c, syscall.SIGCONT)
		awaitHealth(t, c, container.Unhealthy)
		signal(t, c, syscall.SIGCONT)
		awaitHealth(t, c, container.Healthy)
	})
}

func signal(t *testing.T, c *testcontainers.DockerContainer, s syscall.Signal) {
	t.Helper()
	must(t, nil, "docker", "kill", "--signal", fmt.Sprint(int(s)), c.GetContainerID())
}

func awaitHealth(t *testing.T, c *testcontainers.DockerContainer, want container.HealthStatus) {
	t.Helper()
	wiretest.Eventually(t, "health is "+string(want), func() bool {
		state, err := c.State(t.Context())
		return err == nil && state.Health != nil && state.Health.Status == want
	})
}
