// Package delayserver runs delay-server in a container for a test, as a module of
// testcontainers-go.
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

// Container is a delay-server in a container.
type Container struct {
	testcontainers.Container
	ready *ready
}

// Run starts a container of the image and returns once the server is ready. Of
// its settings, those without an option here are set by testcontainers.WithEnv.
// Without WithAdminToken, the server gets a random token: see [Container.AdminToken].
//
// Where testcontainers runs in a container itself, such as a dev container, Run finds
// out whether published ports answer on loopback or at the gateway.
//
// The error wraps testcontainers' own, and says what to do where the image or the
// image of testcontainers' reaper is missing; the container is not nil where there is
// one to terminate all the same.
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

// missing reports whether the engine has no such image.
func missing(ctx context.Context, img string) bool {
	cli, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return false
	}
	defer cli.Close()
	_, err = cli.ImageInspect(ctx, img)
	return errdefs.IsNotFound(err)
}

// Host returns the address at which the published port answers. The error is the
// engine's.
func (c *Container) Host(ctx context.Context) (string, error) {
	if c.ready.host != "" {
		return c.ready.host, nil
	}
	return c.Container.Host(ctx)
}

// PortEndpoint returns [Container.Host] and the port that p is published at, after
// proto and "://" unless proto is empty. The error is the engine's.
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

// Endpoint is [Container.PortEndpoint] of the server's port.
func (c *Container) Endpoint(ctx context.Context, proto string) (string, error) {
	return c.PortEndpoint(ctx, port, proto)
}

// URL returns where the server answers, such as http://localhost:32768, without a
// slash at its end. The error is the engine's.
func (c *Container) URL(ctx context.Context) (string, error) {
	url, err := c.PortEndpoint(ctx, port, "http")
	if err != nil {
		return "", fmt.Errorf("URL of delay-server: %w", err)
	}
	return url, nil
}

// DelayURL returns a URL that is answered after d. The error is URL's.
func (c *Container) DelayURL(ctx context.Context, d time.Duration) (string, error) {
	url, err := c.URL(ctx)
	if err != nil {
		return "", err
	}
	return url + "/delay/" + delay.Milliseconds(d), nil
}

// AdminToken returns the token that the server's admin API needs: that of
// WithAdminToken, or the random one of Run. It is "" for none, as with ADMIN=false.
// The helpers of delaytest take it:
//
//	srv := delaytest.ServerAt(t, url, client.WithToken(token))
//
// The error is the engine's.
func (c *Container) AdminToken(ctx context.Context) (string, error) {
	inspect, err := c.Inspect(ctx) // a container that is reused has the token of an earlier Run
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

// Client returns a client of the server's admin API, with its AdminToken. The
// error is the engine's.
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
