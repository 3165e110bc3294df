package main

import (
	"context"
	"errors"
	"io"

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/tracing"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// serve runs demo-api until ctx is done. An embedded delay-server ends last: the
// drain waits for its responses.
func serve(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	lns, err := program.Listen(ctx, "demo-api", cfg.Host, "PORT", cfg.Port)
	if err != nil {
		return err
	}
	for _, ln := range lns {
		defer ln.Close()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slow, err := connectDelayServer(cfg, program.URLs("http", lns[0].Addr())[0], log, cancel)
	if err != nil {
		return err
	}
	defer slow.stop()
	traces, err := tracing.Start(ctx, "demo-api", cfg.OTLPEndpoint, log)
	if err != nil {
		return program.BadSettings("demo-api", err)
	}
	defer traces.Close()
	client := upstream.New(slow.url, cfg.Timeout, cfg.MaxCalls)
	client.KeepIdle(cfg.IdleTimeout)
	client.Token = cfg.DelayServerToken
	client.Trace(traces)
	defer client.Close()
	database, err := upstream.OpenDatabase(cfg.DatabaseURL, cfg.Timeout, cfg.DatabaseConnections)
	if err != nil {
		return err
	}
	defer database.Close()
	app := server.New(server.Options{
		Calls: cfg.Calls, MaxCalls: cfg.MaxCalls, Delay: cfg.Delay, MaxDelay: cfg.MaxDelay,
		MaxInFlight: cfg.MaxInFlight, HTTP: cfg.Config, UpstreamURL: slow.url, Tracing: traces,
		DelayServerLink: slow.link, Embedded: slow.embedded,
		AgainstHosts: cfg.Against(), Timeout: cfg.Timeout,
	}, client, database, log)
	cfg.Announce(program.Banner{
		Name: "demo-api", Listening: lns[0].Addr(),
		Commands: func(base string) [][2]string { return commands(base, slow, database.Address()) },
	}, stdout, log)
	if err := app.Serve(ctx, lns...); err != nil {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) { // the cause of a signal
		return err
	}
	return nil
}

// commands returns commands to try, each with what it shows. It has none for a
// delay-server elsewhere, whose URL may be unreachable for the user.
func commands(base string, slow delayServer, database string) [][2]string {
	all := [][2]string{
		{"time curl " + base + "/get_data", "one call after another: the sum of their times"},
		{"time curl " + base + "/async_get_data", "all calls at once: the time of the slowest"},
		{"time curl '" + base + "/async_get_data?calls=3'", "a third call: as long as two"},
		{"time curl '" + base + "/async_get_data?db=500'", "a query of 500 ms replaces the last call, to " + database},
	}
	if slow.embedded {
		all = append(all, [2]string{"time curl " + slow.url + "/delay/1000/", "one call, to delay-server itself"})
	}
	return all
}
