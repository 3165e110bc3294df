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

	"flash.test/delay-server/program"
	delayserver "flash.test/delay-server/server"
	"flash.test/delay-server/tracing"
	"flash.test/delay-server/version"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// serve runs demo-api until ctx is done, and a delay-server of its own where
// the settings name none. That one ends last: its answers are being waited for.
func serve(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	ln, err := program.Listen(ctx, "demo-api", cfg.Host, "PORT", cfg.Port)
	if err != nil {
		return err
	}
	defer ln.Close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	url, where, stop, err := slowService(cfg, log, end)
	if err != nil {
		return err
	}
	defer stop()
	slow := upstream.New(url, cfg.Timeout, cfg.MaxCalls)
	slow.Token = cfg.DelayServerToken
	traces, err := tracing.Start(ctx, "demo-api", cfg.OTLPEndpoint, log)
	if err != nil {
		return program.BadSettings("demo-api", err)
	}
	defer traces.Close()
	slow.Trace(traces)
	defer slow.Close()
	database, err := upstream.OpenDatabase(cfg.DatabaseURL, cfg.Timeout, cfg.DatabaseConnections)
	if err != nil {
		return err
	}
	defer database.Close()
	app := server.New(server.Options{
		Calls: cfg.Calls, MaxCalls: cfg.MaxCalls, Delay: cfg.Delay, MaxDelay: cfg.MaxDelay,
		MaxInFlight: cfg.MaxInFlight,
		ReadTimeout: cfg.ReadTimeout, IdleTimeout: cfg.IdleTimeout, ShutdownTimeout: cfg.ShutdownTimeout,
		UpstreamURL: url, Tracing: traces,
	}, slow, database, log)
	greet(stdout, ln.Addr(), url, where, database.Address())
	if err := app.Serve(ctx, ln); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) { // which a signal is too
		return err
	}
	return nil
}

// slowService returns the URL of the delay-server to call and, in words, where
// that is: the one of the settings, or one in this process until stop is called.
// Where that ends by itself, failed is told why.
func slowService(cfg config.Config, log *slog.Logger, failed func(error)) (url, where string, stop func(), err error) {
	if cfg.DelayServerURL != "" {
		return cfg.DelayServerURL, "", func() {}, nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", nil, fmt.Errorf("delay-server in this process: %w", err)
	}
	stop, err = startDelayServer(ln, cfg, log, failed)
	return "http://" + ln.Addr().String(), " (in this process)", stop, err
}

// startDelayServer serves delay-server on ln until stop is called, which
// returns when it has ended. Where it ends by itself, failed is told why.
func startDelayServer(ln net.Listener, cfg config.Config, log *slog.Logger, failed func(error)) (stop func(), err error) {
	settings := delayserver.DefaultConfig()
	settings.MaxDelay, settings.OTLPEndpoint = cfg.MaxDelay, cfg.OTLPEndpoint
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
func greet(w io.Writer, listening net.Addr, url, where, database string) {
	fmt.Fprintf(w, "demo-api %s on http://%s, calling delay-server at %s%s\n\n", version.Get().Version, listening, url, where)
	base := "http://" + typed(listening)
	tw := tabwriter.NewWriter(w, 0, 0, 4, ' ', 0)
	fmt.Fprintf(tw, "  time curl %s/get_data\tone call after another: the sum of their times\n", base)
	fmt.Fprintf(tw, "  time curl %s/async_get_data\tall calls at once: the time of the slowest\n", base)
	fmt.Fprintf(tw, "  time curl '%s/async_get_data?calls=3'\ta third call: no longer than two\n", base)
	fmt.Fprintf(tw, "  time curl '%s/async_get_data?db=500'\ta query of 500 ms in place of the last call, to %s\n", base, database)
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
