package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"text/tabwriter"
	"time"

	"flash.test/delay-server/program"
	delayserver "flash.test/delay-server/server"
	"flash.test/delay-server/version"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// serve runs demo-api until ctx is done, and a delay-server of its own where
// the settings name none. That one ends last: its answers are being waited for.
func serve(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	ln, err := program.Listen(ctx, "demo-api", cfg.Host, cfg.Port)
	if err != nil {
		return err
	}
	defer ln.Close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	url, where := cfg.DelayServerURL, ""
	if url == "" {
		loopback, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("delay-server in this process: %w", err)
		}
		stop, err := startDelayServer(loopback, cfg.MaxDelay, log, end)
		if err != nil {
			return err
		}
		defer stop()
		url, where = "http://"+loopback.Addr().String(), " (in this process)"
	}
	slow := upstream.New(url, cfg.Timeout, cfg.MaxCalls)
	defer slow.Close()
	app := server.New(server.Options{
		Calls: cfg.Calls, MaxCalls: cfg.MaxCalls, Delay: cfg.Delay, MaxDelay: cfg.MaxDelay,
		ReadTimeout: cfg.ReadTimeout, IdleTimeout: cfg.IdleTimeout, ShutdownTimeout: cfg.ShutdownTimeout,
		UpstreamURL: url,
	}, slow, log)
	greet(stdout, ln.Addr(), url, where)
	if err := app.Serve(ctx, ln); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) { // which a signal is too
		return err
	}
	return nil
}

// startDelayServer serves delay-server on ln until stop is called, which
// returns when it has ended. Where it ends by itself, failed is told why.
func startDelayServer(ln net.Listener, maxDelay time.Duration, log *slog.Logger, failed func(error)) (stop func(), err error) {
	settings := delayserver.DefaultConfig()
	settings.MaxDelay = maxDelay
	srv, err := delayserver.New(settings, log.With("program", "delay-server"))
	if err != nil {
		return nil, fmt.Errorf("delay-server in this process: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ctx, ln); err != nil {
			failed(fmt.Errorf("delay-server in this process: %w", err))
		}
	}()
	return func() { cancel(); <-ended }, nil
}

// greet prints what to type.
func greet(w io.Writer, listening net.Addr, url, where string) {
	fmt.Fprintf(w, "demo-api %s on http://%s, calling delay-server at %s%s\n\n", version.Get().Version, listening, url, where)
	base := "http://" + typed(listening)
	tw := tabwriter.NewWriter(w, 0, 0, 4, ' ', 0)
	fmt.Fprintf(tw, "  time curl %s/get_data\tone call after another: the sum of their times\n", base)
	fmt.Fprintf(tw, "  time curl %s/async_get_data\tall calls at once: the time of the slowest\n", base)
	fmt.Fprintf(tw, "  time curl '%s/async_get_data?calls=3'\ta third call: no longer than two\n", base)
	fmt.Fprintf(tw, "  time curl %s/delay/1000/\tone call, to delay-server itself\n\n", url)
	tw.Flush()
}

// typed returns the host and port to type on this machine for an address that
// is listened on.
func typed(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() && !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
}
