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

// ready is a [wait.Strategy] that waits until the server is ready, and finds the
// address at which its published port is reachable.
type ready struct{ host string }

const (
	startTimeout = time.Minute
	pollInterval = 50 * time.Millisecond
)

// WaitUntilReady implements [wait.Strategy].
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
			if r.host = firstReady(ctx, hosts, mapped.Port()); r.host != "" {
				return nil
			}
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return fmt.Errorf("not ready at %s (set TESTCONTAINERS_HOST_OVERRIDE to try another address): %w",
				strings.Join(hosts, " or "), ctx.Err())
		}
	}
}

// hosts returns the addresses to try: loopback if the engine is reached by a local
// socket, then the choice of testcontainers. In a container that is the gateway,
// which may be unreachable if the engine runs inside that container.
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

// probeClient ignores HTTP_PROXY: hosts are local.
var probeClient = http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// firstReady returns the first of hosts where the server on port is ready, or "".
func firstReady(ctx context.Context, hosts []string, port string) string {
	for i, host := range hosts {
		if !isReady(ctx, host, port) {
			continue
		}
		// The server may have become ready since an earlier host was probed.
		for _, earlier := range hosts[:i] {
			if isReady(ctx, earlier, port) {
				return earlier
			}
		}
		return host
	}
	return ""
}

func isReady(ctx context.Context, host, port string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := probeClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// advise wraps err, an error of testcontainers, with advice for known causes.
func advise(ctx context.Context, img string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if strings.Contains(err.Error(), "reaper: ") {
		return fmt.Errorf("start testcontainers' reaper "+
			"(set TESTCONTAINERS_RYUK_DISABLED=true if there is no image testcontainers/ryuk): %w", err)
	}
	if missing(ctx, img) {
		return fmt.Errorf("no image %s (deploy/offline/build in delay-server's repository "+
			"builds flash-delay-server without a registry): %w", img, err)
	}
	return err
}
