package e2e

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

const (
	delayServerPort = "3000/tcp"
	demoAPIPort     = "5000/tcp"
)

// start runs an image under the restrictions of docker-compose.yml, with its port published
// on one address, and returns when its health check passes.
func start(t *testing.T, image, port string,
	opts ...testcontainers.ContainerCustomizer) *testcontainers.DockerContainer {
	t.Helper()
	// DOCKER_HOST may be a name: then publish on all addresses.
	host, _ := netip.ParseAddr(dockertest.Host(t, images(t).delayServer))
	opts = append(opts,
		dockertest.Labels(),
		testcontainers.WithExposedPorts(port),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.ReadonlyRootfs = true
			c.CapDrop = []string{"ALL"}
			c.SecurityOpt = []string{"no-new-privileges:true"}
			c.PortBindings = mobynet.PortMap{
				mobynet.MustParsePort(port): {{HostIP: host}},
			}
		}),
		// The image's health check at a shorter interval.
		testcontainers.WithConfigModifier(func(c *container.Config) {
			c.Healthcheck = &container.HealthConfig{Interval: 300 * time.Millisecond, Timeout: time.Second, Retries: 1}
		}),
		testcontainers.WithWaitStrategy(wait.ForHealthCheck().WithStartupTimeout(patience)),
	)
	c, err := testcontainers.Run(t.Context(), image, opts...)
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatalf("start %s: %v", image, err)
	}
	return c
}

// baseURL asks the engine each time: a restarted container has another port.
func baseURL(t *testing.T, c *testcontainers.DockerContainer, port string) string {
	t.Helper()
	url, err := c.PortEndpoint(t.Context(), port, "http")
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// bothWays runs a test with delay-server's event loops and without.
func bothWays(t *testing.T, test func(t *testing.T, eventLoop testcontainers.CustomizeRequestOption)) {
	for _, on := range []string{"true", "false"} {
		t.Run("EVENT_LOOP="+on, func(t *testing.T) {
			t.Parallel()
			test(t, testcontainers.WithEnv(map[string]string{"EVENT_LOOP": on}))
		})
	}
}

// startBoth runs both programs, delay-server with opts, on a new network.
func startBoth(t *testing.T, opts ...testcontainers.ContainerCustomizer) (delayServer,
	demoAPI *testcontainers.DockerContainer) {
	t.Helper()
	image := images(t)
	net, err := network.New(t.Context(), network.WithLabels(map[string]string{dockertest.Label: dockertest.Run()}))
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, net)
	delayServer = start(t, image.delayServer, delayServerPort,
		append(opts, network.WithNetwork([]string{"delay-server"}, net))...)
	demoAPI = start(t, image.demoAPI, demoAPIPort, network.WithNetwork([]string{"demo-api"}, net),
		testcontainers.WithEnv(map[string]string{"DELAY_SERVER_URL": "http://delay-server:3000"}))
	return delayServer, demoAPI
}

func logs(t *testing.T, c *testcontainers.DockerContainer) string {
	t.Helper()
	r, err := c.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTutorialInContainers(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, eventLoop testcontainers.CustomizeRequestOption) {
		delayServer, demoAPI := startBoth(t, eventLoop)
		tutorial(t, stack{baseURL(t, delayServer, delayServerPort), baseURL(t, demoAPI, demoAPIPort)})
	})
}

func TestDemoAPIAlone(t *testing.T) {
	t.Parallel()
	c := start(t, images(t).demoAPI, demoAPIPort)
	getBody(t, baseURL(t, c, demoAPIPort)+"/async_get_data?delay=1", `{"r1":200,"r2":200}`)
}

func TestUnreachableUpstream(t *testing.T) {
	t.Parallel()
	delayServer, demoAPI := startBoth(t)
	url := baseURL(t, demoAPI, demoAPIPort) + "/async_get_data?delay=1"
	getBody(t, url, `{"r1":200,"r2":200}`)

	must(t, nil, "docker", "kill", delayServer.GetContainerID())
	got, err := get(url)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != http.StatusBadGateway || !strings.HasPrefix(got.kind, "application/problem+json") {
		t.Errorf("GET %s without delay-server: got %d %s %q, want 502 application/problem+json", url,
			got.status, got.kind, got.body)
	}

	must(t, nil, "docker", "start", delayServer.GetContainerID())
	wiretest.Eventually(t, "demo-api answers 200 again", func() bool {
		r, err := get(url)
		return err == nil && r.status == http.StatusOK
	})
}

func TestStopLetsWaitingRequestFinish(t *testing.T) {
	t.Parallel()
	bothWays(t, stopLetsWaitingRequestFinish)
}

func stopLetsWaitingRequestFinish(t *testing.T, eventLoop testcontainers.CustomizeRequestOption) {
	c := start(t, images(t).delayServer, delayServerPort, eventLoop)
	base := baseURL(t, c, delayServerPort)

	const asked = 3 * time.Second
	type result struct {
		reply
		err error
	}
	answered := make(chan result, 1)
	go func() {
		r, err := get(base + "/delay/3000")
		answered <- result{r, err}
	}()
	wiretest.Eventually(t, "/metrics shows the waiting request", func() bool {
		r, err := get(base + "/metrics")
		return err == nil && strings.Contains(r.body, "\ndelay_server_waiting 1\n")
	})

	grace := patience
	if err := c.Stop(t.Context(), &grace); err != nil {
		t.Fatal(err)
	}
	got := <-answered
	if got.err != nil || got.status != http.StatusOK || got.took < asked {
		t.Errorf("GET /delay/3000 while stopping: got %d after %v, error %v; want 200 after at least %v", got.status,
			got.took, got.err, asked)
	}
	state, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state.ExitCode != 0 {
		t.Errorf("exit status after SIGTERM: got %d, want 0", state.ExitCode)
	}
	log := logs(t, c)
	for _, want := range []string{"draining waiting=1", "stopped aborted=0"} {
		if !strings.Contains(log, want) {
			t.Errorf("log after SIGTERM: got\n%s\nwant %q in it", log, want)
		}
	}
}
