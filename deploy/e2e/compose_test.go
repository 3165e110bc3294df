package e2e

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

// TestCompose runs docker-compose.yml with every Compose that is installed.
func TestCompose(t *testing.T) {
	t.Parallel()
	requireLoopback(t)
	image := images(t)
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		name := strings.Join(command, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project{command, environ(image)}
			version, err := p.try("version")
			if err != nil {
				dockertest.Missing(t, "%s is not installed: %v", name, err)
			}
			t.Log(strings.Split(version, "\n")[0])
			p.test(t)
		})
	}
}

// adminToken is the ADMIN_TOKEN that Compose passes to both programs.
const adminToken = "s3cret"

// project is docker-compose.yml with a unique project name and free ports.
type project struct {
	command []string
	environ []string
}

func environ(image tags) []string {
	return append(image.environ(),
		"COMPOSE_PROJECT_NAME="+dockertest.Project(rand.Text()[:6]),
		"DELAY_SERVER_PORT=0", "DEMO_API_PORT=0", "ADMIN_TOKEN="+adminToken)
}

func (p project) try(args ...string) (string, error) {
	return command(p.environ, p.command[0], append(slices.Clone(p.command[1:]), args...)...)
}

func (p project) run(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, p.environ, p.command[0], append(slices.Clone(p.command[1:]), args...)...)
}

func (p project) test(t *testing.T) {
	if got := p.run(t, "config", "--quiet"); got != "" {
		t.Errorf("config --quiet: got %q, want no warning", got)
	}
	t.Cleanup(func() {
		if _, err := p.try("down", "--volumes"); err != nil {
			t.Error(err)
		}
	})
	p.run(t, "up", "--detach", "--no-build")

	delayServer, demoAPI := p.inspect(t, "delay-server"), p.inspect(t, "demo-api")
	if delayServer.State.Health.Status != container.Healthy {
		t.Errorf("delay-server after up: got %s, want healthy, for demo-api depends on that",
			delayServer.State.Health.Status)
	}
	checkRestricted(t, delayServer)
	checkRestricted(t, demoAPI)
	for c, want := range map[*container.InspectResponse]string{&delayServer: "ADMIN_TOKEN=" + adminToken,
		&demoAPI: "DELAY_SERVER_TOKEN=" + adminToken} {
		if !slices.Contains(c.Config.Env, want) {
			t.Errorf("%s: got settings %q, want %s among them", c.Name, c.Config.Env, want)
		}
	}
	s := stack{published(t, delayServer), published(t, demoAPI)}
	s.awaitHealthz(t)
	tutorial(t, s)
	wiretest.Eventually(t, "demo-api is healthy", func() bool {
		return p.inspect(t, "demo-api").State.Health.Status == container.Healthy
	})
}

func (p project) inspect(t *testing.T, service string) container.InspectResponse {
	t.Helper()
	var found []container.InspectResponse
	out := must(t, nil, "docker", "container", "inspect", p.run(t, "ps", "--quiet", service))
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func checkRestricted(t *testing.T, c container.InspectResponse) {
	t.Helper()
	h := c.HostConfig
	if !h.ReadonlyRootfs || !slices.Equal(h.CapDrop, []string{"ALL"}) ||
		!slices.Equal(h.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Errorf("%s: got read-only root %v, dropped capabilities %v, security options %v; want true, [ALL], "+
			"[no-new-privileges:true]",
			c.Name, h.ReadonlyRootfs, h.CapDrop, h.SecurityOpt)
	}
	if stop := c.Config.StopTimeout; stop == nil {
		t.Errorf("%s: got no stop timeout, want one", c.Name)
	} else if *stop <= 10 {
		t.Errorf("%s: got stop timeout %d s, want more than SHUTDOWN_TIMEOUT, 10 s", c.Name, *stop)
	}
}

// published returns the base URL of a container's only port, which must be bound to
// loopback.
func published(t *testing.T, c container.InspectResponse) string {
	t.Helper()
	for _, bindings := range c.NetworkSettings.Ports {
		if len(bindings) == 1 && bindings[0].HostIP.String() == "127.0.0.1" {
			return "http://127.0.0.1:" + bindings[0].HostPort
		}
	}
	t.Fatalf("%s: got ports %v, want one, bound to 127.0.0.1", c.Name, c.NetworkSettings.Ports)
	return ""
}

// deploy/offline builds the images that docker-compose.yml runs.
func TestImageNamesAgree(t *testing.T) {
	for _, file := range []string{"docker-compose.yml", "deploy/offline/build", "deploy/offline/save"} {
		text, err := os.ReadFile(root + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"${DELAY_SERVER_IMAGE:-flash-delay-server}",
			"${DEMO_API_IMAGE:-flash-demo-api}"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: got no %s, want both images named alike in all files", file, want)
			}
		}
	}
}
