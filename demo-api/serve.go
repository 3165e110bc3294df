package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/tracing"
	"flash.test/delay-server/kit/version"
	delayserver "flash.test/delay-server/server"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// serve runs demo-api until ctx is done, and a delay-server of its own where
// the settings name none. That one ends last: its answers are being waited for.
func serve(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	lns, err := program.Listen(ctx, "demo-api", cfg.Host, "PORT", cfg.Port)
	if err != nil {
		return err
	}
	for _, ln := range lns {
		defer ln.Close()
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	url, where, stop, err := slowService(cfg, log, end)
	if err != nil {
		return err
	}
	defer stop()
	slow := upstream.New(url, cfg.Timeout, cfg.MaxCalls)
	slow.KeepIdle(cfg.IdleTimeout)
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
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, MaxHeaderSize: cfg.MaxHeaderSize, IdleTimeout: cfg.IdleTimeout,
		ShutdownDelay: cfg.ShutdownDelay, ShutdownTimeout: cfg.ShutdownTimeout,
		UpstreamURL: url, Tracing: traces,
	}, slow, database, log)
	announce(cfg, lns[0].Addr(), func(base string) [][2]string {
		return commands(base, url, where, database.Address())
	}, stdout, log)
	if err := app.Serve(ctx, lns...); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) { // which a signal is too
		return err
	}
	return nil
}

// announce says where the server listens: in words that a person can type, or,
// with LOG_FORMAT=json, in a line of the log.
func announce(cfg config.Config, addr net.Addr, commands func(base string) [][2]string, stdout io.Writer, log *slog.Logger) {
	if cfg.LogFormat == "json" {
		log.Info("listening", "url", program.URLs("http", addr)[0], "version", version.Get().Version)
		return
	}
	program.Banner{Name: "demo-api", Listening: addr, PublishedPort: cfg.PublishedPort, Commands: commands}.Write(stdout)
}

// slowService returns the URL of the delay-server to call and, in words, where
// it runs: the one of the settings, or one in this process until stop is called.
// failed is called with the error if that one ends by itself.
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

// commands are what to type first. The URL of a delay-server elsewhere is left
// out: it may be one that only this program can reach.
func commands(base, delayServer, where, database string) [][2]string {
	all := [][2]string{
		{"time curl " + base + "/get_data", "one call after another: the sum of their times"},
		{"time curl " + base + "/async_get_data", "all calls at once: the time of the slowest"},
		{"time curl '" + base + "/async_get_data?calls=3'", "a third call: no longer than two"},
		{"time curl '" + base + "/async_get_data?db=500'", "a query of 500 ms in place of the last call, to " + database},
	}
	if where != "" {
		all = append(all, [2]string{"time curl " + delayServer + "/delay/1000/", "one call, to delay-server itself" + where})
	}
	return all
}
