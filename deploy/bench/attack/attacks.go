//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

// attack is one way to attack a server.
type attack struct {
	name  string
	paths map[target]string // by target; other targets are not attacked
	lines string            // additional header lines of each request, in HTTP/1.1
	env   []string          // additional settings of the server

	// strike attacks until it has finished or ctx is done. Its error says what the server
	// did wrong.
	strike func(ctx context.Context, s *site) error

	// held is whether the attackers keep their connections open after the strike, without
	// reading, for longer than any timeout: the server must close them.
	held bool

	log  bool // the site has the server's log
	ends bool // the strike ends the server, and checks how

	// check examines the server while the attackers are connected. It returns a note, and
	// an error that says what is wrong.
	check func(ctx context.Context, s *site) (string, error)

	bounds bounds
}

// ours are the paths for delay-server, with event loops and without.
func ours(path string) map[target]string {
	return map[target]string{delayServer: path, netHTTP: path}
}

// withNginx adds nginx, which serves the same paths.
func withNginx(path string) map[target]string {
	return map[target]string{delayServer: path, netHTTP: path, nginx: path}
}

// toNetHTTP is a header line that makes the event loops hand a connection over to net/http,
// where the request waits.
const toNetHTTP = "Upgrade: x\r\n"

var (
	// Thousands of connections within a second keep the processors busy for about a second,
	// mostly in the kernel.
	burst = bounds{p99: 30}

	// An open stream has a goroutine: 250 on each of 3 connections are 750, 60 times the
	// number of an idle server.
	streams = bounds{goroutines: 150}

	// In demo-api each stream makes a call to the same process: 2 descriptors.
	streamCalls = bounds{goroutines: 150, calls: 2 * 3 * 250}

	// 300 long answers are sent at the same time: another request waits until each has sent
	// a part. A server with long parts, or one that does not yield, is over 70.
	sharing = bounds{p99: 16}

	// Reset streams may have 250 goroutines on each of 4 connections.
	resets = bounds{goroutines: 150}

	// A wait over HTTP/2 has a goroutine and about 10 KB: 2,500 waits, 250 on each of 10
	// connections, have 25 MB, as much as an idle server.
	waits = bounds{memory: 2, goroutines: 400}
)

var attacks = []attack{
	{name: "window-doc", paths: withNginx("/doc"), strike: zeroWindow, held: true, bounds: streams},
	{name: "window-delay", paths: withNginx("/delay/0"), strike: zeroWindow, held: true, bounds: streams},
	{name: "window-garbage", paths: ours("/delay/0?fault=garbage"), strike: zeroWindow, held: true, bounds: streams},
	{name: "window-page", paths: map[target]string{demoAPI: "/"}, strike: zeroWindow, held: true, bounds: streams},
	{name: "window-call", paths: map[target]string{demoAPI: "/get_data?calls=1&delay=0"}, strike: zeroWindow,
		held: true, bounds: streamCalls},

	{name: "header-hpack", paths: withNginx("/delay/600000"), strike: manyFields},
	{name: "header-large", paths: withNginx("/delay/600000"), strike: largeHeaders},

	{name: "rapid-reset", paths: withNginx("/delay/1000"), strike: rapidReset, bounds: resets},
	{name: "fill", paths: withNginx("/delay/600000"), strike: fill, bounds: waits},

	{name: "slow-sse", paths: ours("/sse?count=100000&interval=0"), strike: slowReaders, bounds: sharing},
	{name: "slow-bytes", paths: withNginx("/bytes/10000000"), strike: slowReaders, bounds: sharing},

	// Filling the kernel's buffers with short answers takes longer than WRITE_TIMEOUT, so
	// connections may still be open.
	{name: "pipeline-delay", paths: withNginx("/delay/0"), strike: pipeline},
	{name: "pipeline-nethttp", paths: ours("/delay/0"), lines: toNetHTTP, strike: pipeline},
	{name: "pipeline-doc", paths: withNginx("/doc"), strike: pipeline, held: true},
	{name: "pipeline-bad", paths: withNginx("/delay/abc"), strike: pipeline, held: true},

	{name: "names-runs", paths: ours("/delay/0"), strike: runNames},
	{name: "names-pools", paths: ours("/delay/0"), strike: poolNames, check: metrics, bounds: waits},

	{name: "slow-header", paths: withNginx("/"), bounds: burst, held: true,
		strike: slowSenders(3000, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")},
	{name: "slow-body", paths: ours("/"), bounds: burst, held: true,
		strike: slowSenders(3000, "POST /delay/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")},
	{name: "idle", paths: withNginx("/delay/0"), strike: idle, held: true, bounds: burst},
	{name: "leave", paths: withNginx("/delay/60000"), strike: leaveAtOnce, bounds: burst},
	{name: "leave-nethttp", paths: ours("/delay/60000"), lines: toNetHTTP, strike: leaveAtOnce, bounds: burst},

	{name: "log-gone", paths: ours("/delay/0"), env: []string{"LOG_LEVEL=debug"}, strike: logGoes, log: true},
	{name: "log-gone", paths: map[target]string{demoAPI: "/get_data?calls=1&delay=0"}, env: []string{"LOG_LEVEL=debug"},
		strike: logGoes, log: true},
	{name: "terminate", paths: ours("/delay/600000"), strike: terminate, ends: true},
	{name: "terminate-nethttp", paths: ours("/delay/600000"), lines: toNetHTTP, strike: terminate, ends: true},
	{name: "terminate-calls", paths: map[target]string{demoAPI: "/get_data?calls=1&delay=600000"},
		strike: terminate, ends: true},

	{name: "flood-continuation", paths: withNginx("/"), strike: continuations, held: true},
	{name: "flood-ping", paths: withNginx("/"), held: true,
		strike: flood(func(c *conn2) { c.WritePing(false, [8]byte{}) })},
	{name: "flood-settings", paths: withNginx("/"), held: true, strike: flood(func(c *conn2) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	})},
}

// metrics checks the size of the server's metrics.
func metrics(ctx context.Context, s *site) (string, error) {
	client := http.Client{Transport: &http.Transport{}, Timeout: limit}
	defer client.CloseIdleConnections()
	status, text, err := get(ctx, &client, fmt.Sprintf("http://%v/metrics", s.addr))
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("GET /metrics: %d, %v", status, err)
	}
	const maxBytes = 256 << 10 // many times an idle server's
	if len(text) > maxBytes {
		err = fmt.Errorf("metrics of %d KB", len(text)>>10)
	}
	return fmt.Sprintf("metrics of %d KB", len(text)>>10), err
}

// logGoes closes the pipe of the server's log and makes the server write a line, which must
// not end the server.
func logGoes(ctx context.Context, s *site) error {
	if s.logged.Load() == 0 {
		return errors.New("its log: nothing was read")
	}
	if err := s.log.Close(); err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{}, Timeout: limit}
	defer client.CloseIdleConnections()
	for range 20 {
		status, _, err := get(ctx, &client, fmt.Sprintf("http://%v%s", s.addr, s.path))
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("without a reader of its log: GET %s: %d, %v", s.path, status, err)
		}
		s.sent.Add(1)
	}
	return nil
}

// terminate sends SIGTERM while 2,000 clients wait for far longer than SHUTDOWN_TIMEOUT:
// the server must exit in time, with status 0.
func terminate(ctx context.Context, s *site) error {
	err := s.requestEach(ctx, 2000)
	if err := errors.Join(err, s.process.Signal(syscall.SIGTERM)); err != nil {
		return err
	}
	const slack = 3 * time.Second // for a busy machine; usually it takes milliseconds
	for by := time.Now().Add(shutdownTimeout + slack); time.Now().Before(by); time.Sleep(10 * time.Millisecond) {
		if how, over := s.process.Ended(); over && how == "exit status 0" {
			return nil
		} else if over {
			return fmt.Errorf("SIGTERM: %s", how)
		}
	}
	return fmt.Errorf("SIGTERM: still running %v after SHUTDOWN_TIMEOUT", slack)
}
