package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

// TestTutorialOverlay runs the part of deploy/compose/tutorial.yml that needs no registry,
// delay-server for flash.siwalik.in, and sends it a request from another container by that
// name.
func TestTutorialOverlay(t *testing.T) {
	t.Parallel()
	requireLoopback(t)
	image := images(t)
	for _, compose := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		name := strings.Join(compose, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project{append(compose, "-f", "docker-compose.yml", "-f", "deploy/compose/tutorial.yml"),
				environ(image)}
			if _, err := p.try("version"); err != nil {
				dockertest.Missing(t, "%s is not installed: %v", name, err)
			}
			p.testOverlay(t, image)
		})
	}
}

func (p project) testOverlay(t *testing.T, image tags) {
	if got := p.run(t, "config", "--quiet"); got != "" {
		t.Errorf("config --quiet: got %q, want no warning", got)
	}
	if got := strings.Fields(p.run(t, "config", "--services")); !slices.Contains(got, "tutorial") {
		t.Errorf("config --services: got %v, want tutorial among them", got)
	}
	t.Cleanup(func() {
		if _, err := p.try("down", "--volumes"); err != nil {
			t.Error(err)
		}
	})
	p.run(t, "up", "--detach", "--no-build", "delay-server")

	server := p.inspect(t, "delay-server")
	checkRestricted(t, server)
	url := published(t, server)
	wiretest.Eventually(t, url+"/ca.pem answers 200", func() bool {
		r, err := get(url + "/ca.pem")
		return err == nil && r.status == http.StatusOK
	})
	net, authority := slices.Collect(maps.Keys(server.NetworkSettings.Networks)), server.Mounts
	if len(net) != 1 || len(authority) != 1 {
		t.Fatalf("delay-server: got networks %v and mounts %v, want one of each", net, authority)
	}
	c := start(t, image.demoAPI, demoAPIPort, network.WithNetworkName(nil, net[0]),
		testcontainers.WithMounts(testcontainers.ContainerMount{
			Source: testcontainers.GenericVolumeMountSource{Name: authority[0].Name}, Target: "/tls", ReadOnly: true,
		}),
		testcontainers.WithEnv(
			map[string]string{"DELAY_SERVER_URL": "https://flash.siwalik.in", "SSL_CERT_FILE": "/tls/ca.pem"}))
	getBody(t, baseURL(t, c, demoAPIPort)+"/async_get_data?delay=1", `{"r1":200,"r2":200}`)
}
