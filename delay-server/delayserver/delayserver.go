// Package delayserver runs delay-server in a container for tests. It is a module
// for testcontainers-go.
//
//	slow, err := delayserver.Run(ctx, "flash-delay-server", delayserver.WithTimeScale(0.1))
//	testcontainers.CleanupContainer(t, slow)
//	if err != nil {
//		t.Fatal(err)
//	}
//	url, err := slow.DelayURL(ctx, time.Second) // answered after 100 ms
//
// A Go test of one program needs no container: package delaytest runs the server
// in the test's process. Its methods work on a container too:
//
//	token, err := slow.AdminToken(ctx)
//	srv := delaytest.ServerAt(t, url, client.WithToken(token))
package delayserver

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delay"
)

const port = "3000/tcp"

// A Container is a container that runs delay-server. Start it with [Run].
type Container struct {
	testcontainers.Container
	ready *ready
}

// Run starts a container of image img and returns once the server is ready, or with
// an error after one minute. Use [testcontainers.WithEnv] for settings that have no
// option here. The server gets a random admin token unless [WithAdminToken] sets
// one; see [Container.AdminToken].
//
// If the test itself runs in a container, such as a dev container, Run finds out
// whether published ports are reachable on loopback or at the gateway.
//
// The error wraps the error of testcontainers. It says what to do if img or the
// image of testcontainers' reaper is missing. The Container may be non-nil even if
// the error is: pass it to [testcontainers.CleanupContainer] before checking.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	ready := new(ready)
	moduleOpts := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(port),
		testcontainers.WithWaitStrategy(ready),
	}, opts...)
	moduleOpts = append(moduleOpts, testcontainers.CustomizeRequestOption(ensureToken))
	ctr, err := testcontainers.Run(ctx, img, moduleOpts...)
	var c *Container
	if ctr != nil {
		c = &Container{Container: ctr, ready: ready}
	}
	if err != nil {
		return c, fmt.Errorf("run delay-server: %w", advise(ctx, img, err))
	}
	return c, nil
}

// missing reports whether the engine lacks image img.
func missing(ctx context.Context, img string) bool {
	cli, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return false
	}
	defer cli.Close()
	_, err = cli.ImageInspect(ctx, img)
	return errdefs.IsNotFound(err)
}

// Host returns the address at which published ports are reachable.
func (c *Container) Host(ctx context.Context) (string, error) {
	if c.ready.host != "" {
		return c.ready.host, nil
	}
	return c.Container.Host(ctx)
}

// PortEndpoint returns HOST:PORT for the container's port p, such as 3000/tcp, or
// PROTO://HOST:PORT if proto is not empty.
func (c *Container) PortEndpoint(ctx context.Context, p, proto string) (string, error) {
	host, err := c.Host(ctx)
	if err != nil {
		return "", err
	}
	mapped, err := c.MappedPort(ctx, p)
	if err != nil {
		return "", err
	}
	endpoint := net.JoinHostPort(host, mapped.Port())
	if proto != "" {
		endpoint = proto + "://" + endpoint
	}
	return endpoint, nil
}

// Endpoint returns [Container.PortEndpoint] for the server's port.
func (c *Container) Endpoint(ctx context.Context, proto string) (string, error) {
	return c.PortEndpoint(ctx, port, proto)
}

// URL returns the server's base URL, such as http://localhost:32768, without
// trailing slash.
func (c *Container) URL(ctx context.Context) (string, error) {
	url, err := c.PortEndpoint(ctx, port, "http")
	if err != nil {
		return "", fmt.Errorf("URL of delay-server: %w", err)
	}
	return url, nil
}

// DelayURL returns a URL that is answered after d.
func (c *Container) DelayURL(ctx context.Context, d time.Duration) (string, error) {
	url, err := c.URL(ctx)
	if err != nil {
		return "", err
	}
	return url + "/delay/" + delay.Milliseconds(d), nil
}

// AdminToken returns the token for the server's admin API, for use with
// [client.WithToken]. It is "" if the API needs none or is disabled.
func (c *Container) AdminToken(ctx context.Context) (string, error) {
	inspect, err := c.Inspect(ctx) // a reused container has the token of an earlier Run
	if err != nil {
		return "", fmt.Errorf("settings of delay-server: %w", err)
	}
	for _, setting := range inspect.Config.Env {
		if token, ok := strings.CutPrefix(setting, "ADMIN_TOKEN="); ok && token != "none" {
			return token, nil
		}
	}
	return "", nil
}

// Scenario replaces the server's scenario by routes in YAML, as [WithScenario] sets it at
// the start. The error is [client.ProblemInvalidScenario] if the YAML has errors; the old
// scenario then stays. Client has more methods for scenarios, also of a single run.
func (c *Container) Scenario(ctx context.Context, yaml string) error {
	api, err := c.Client(ctx)
	if err != nil {
		return err
	}
	return api.PutScenario(ctx, yaml)
}

// Client returns a client of the server's admin API that sends its AdminToken.
func (c *Container) Client(ctx context.Context) (*client.Client, error) {
	url, err := c.URL(ctx)
	if err != nil {
		return nil, err
	}
	token, err := c.AdminToken(ctx)
	if err != nil {
		return nil, err
	}
	return client.New(url, client.WithToken(token))
}
