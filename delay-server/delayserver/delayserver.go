// Package delayserver runs delay-server in a container for a test, as a module of
// testcontainers-go.
package delayserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delay"
)

const port = "3000/tcp"

// Container is a delay-server in a container.
type Container struct {
	testcontainers.Container
}

// Run starts a container of the image and returns once the server is ready. Of
// its settings, those without an option here are set by testcontainers.WithEnv.
// The error wraps testcontainers' own; the container is not nil where there is
// one to terminate all the same.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	moduleOpts := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(port),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/readyz").WithPort(port).
			WithStatusCodeMatcher(func(status int) bool { return status == http.StatusOK })),
	}, opts...)
	ctr, err := testcontainers.Run(ctx, img, moduleOpts...)
	var c *Container
	if ctr != nil {
		c = &Container{Container: ctr}
	}
	if err != nil {
		return c, fmt.Errorf("run delay-server: %w", err)
	}
	return c, nil
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

// Client returns a client of the server's admin API, with the token of
// WithAdminToken where there is one. The error is the engine's.
func (c *Container) Client(ctx context.Context) (*client.Client, error) {
	url, err := c.URL(ctx)
	if err != nil {
		return nil, err
	}
	inspect, err := c.Inspect(ctx)
	if err != nil {
		return nil, fmt.Errorf("settings of delay-server: %w", err)
	}
	var token string
	for _, setting := range inspect.Config.Env {
		if value, ok := strings.CutPrefix(setting, "ADMIN_TOKEN="); ok {
			token = value
		}
	}
	return client.New(url, client.WithToken(token))
}
