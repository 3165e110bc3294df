package delayserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// ready waits until the server is ready, and finds the address at which its published
// port answers. It implements [wait.Strategy].
type ready struct{ host string }

const (
	startTimeout = time.Minute
	pollInterval = 50 * time.Millisecond
)

func (r *ready) WaitUntilReady(ctx context.Context, target wait.StrategyTarget) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	hosts, err := hosts(ctx, target)
	if err != nil {
		return err
	}
	for {
		state, err := target.State(ctx)
		if err != nil {
			return err
		}
		if !state.Running {
			return fmt.Errorf("container exited with code %d", state.ExitCode)
		}
		if mapped, err := target.MappedPort(ctx, port); err == nil {
			if r.host = firstAnswering(ctx, hosts, mapped.Port()); r.host != "" {
				return nil
			}
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return fmt.Errorf("not ready at %s (to try another address, set TESTCONTAINERS_HOST_OVERRIDE): %w",
				strings.Join(hosts, " or "), ctx.Err())
		}
	}
}

// hosts returns the addresses to try: testcontainers' choice, and before it loopback
// where the engine is reached by a local socket. In a container testcontainers chooses a
// gateway, which answers if the engine is outside, but may not if it is inside too.
func hosts(ctx context.Context, target wait.StrategyTarget) ([]string, error) {
	host, err := target.Host(ctx)
	if err != nil {
		return nil, err
	}
	if os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") != "" || host == "localhost" {
		return []string{host}, nil
	}
	cli, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	if engine, err := url.Parse(cli.DaemonHost()); err != nil || engine.Scheme != "unix" && engine.Scheme != "npipe" {
		return []string{host}, err
	}
	return []string{"127.0.0.1", host}, nil
}

// near asks without the proxy of the environment, since the engine is this machine's.
var near = http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// firstAnswering returns the first of hosts at which a server on port says that it is
// ready, or "" where none does.
func firstAnswering(ctx context.Context, hosts []string, port string) string {
	for i, host := range hosts {
		if !answers(ctx, host, port) {
			continue
		}
		// It may have become ready since an earlier one was asked.
		for _, earlier := range hosts[:i] {
			if answers(ctx, earlier, port) {
				return earlier
			}
		}
		return host
	}
	return ""
}

func answers(ctx context.Context, host, port string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := near.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// advise adds to an error of testcontainers what to do about it, where that is known.
func advise(ctx context.Context, img string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if strings.Contains(err.Error(), "reaper: ") {
		return fmt.Errorf("start testcontainers' reaper, which removes the containers of killed tests "+
			"(without its image testcontainers/ryuk, set TESTCONTAINERS_RYUK_DISABLED=true): %w", err)
	}
	if missing(ctx, img) {
		return fmt.Errorf("no image %s (deploy/offline/build in the repository of delay-server makes flash-delay-server, "+
			"without a registry): %w", img, err)
	}
	return err
}
