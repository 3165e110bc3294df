package dockertest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/delayserver"
)

// Host returns the address at which published ports of containers are reachable. It
// starts a delay-server from image to find out, and sets the address as
// TESTCONTAINERS_HOST_OVERRIDE. It fails the test if there is none.
func Host(t testing.TB, image string) string {
	t.Helper()
	hostOnce.Do(func() { hostAddr, errHost = host(image) })
	if errHost != nil {
		t.Fatal(errHost)
	}
	return hostAddr
}

var (
	hostOnce sync.Once
	hostAddr string
	errHost  error
)

func host(image string) (addr string, err error) {
	ctx := context.Background()
	c, err := delayserver.Run(ctx, image, Labels())
	defer func() {
		if e := testcontainers.TerminateContainer(c); err == nil {
			err = e
		}
	}()
	if err != nil {
		return "", err
	}
	if addr, err = c.Host(ctx); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "dockertest: published ports are reachable at %s\n", addr)
	return addr, os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", addr)
}

// Labels is an option that labels a container with this run.
func Labels() testcontainers.CustomizeRequestOption {
	return testcontainers.WithLabels(map[string]string{Label: current})
}
