package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/query"
	"flash.test/delay-server/kit/settings"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/ideal"
	"flash.test/demo-api/internal/upstream"
)

// caller makes the calls of a command.
type caller struct {
	server delayServer
	client *upstream.Client
	runID  string
	stderr io.Writer
}

// newCaller returns a caller. onFailure is called with the error of an embedded
// delay-server that ends before close is called.
func newCaller(cfg config.Config, stderr io.Writer, onFailure func(error)) (*caller, error) {
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn) // an embedded delay-server logs its drain
	server, err := connectDelayServer(cfg, "", cfg.NewLogger(stderr), onFailure)
	if err != nil {
		return nil, err
	}
	client := upstream.New(server.url, cfg.Timeout, cfg.MaxCalls)
	client.Token = cfg.DelayServerToken
	return &caller{server, client, query.NewRunID(), stderr}, nil
}

// call makes call i of samples and returns the status of its response.
func (c *caller) call(ctx context.Context, samples ideal.Samples, i int) (status int, err error) {
	text, seed := samples.Call(i)
	return c.client.Get(ctx, upstream.Request{Delay: text, RunID: c.runID, Seed: seed})
}

func (c *caller) close() {
	c.client.Close()
	c.server.stop()
}

// usageError returns the error of a command's flags.
func usageError(command string, err error) error {
	return fmt.Errorf("%s: %w\ndemo-api %s %w", command, err, command, program.ErrUsage)
}

// checkDelay adds an error to v if the flag --delay is invalid.
func checkDelay(v *settings.Validation, text string, maxDelay time.Duration) {
	d, err := delay.Parse(text)
	v.Check(err == nil, "--delay: %v", err)
	fixed, _ := d.Fixed()
	v.Check(fixed <= maxDelay, "--delay: %q is too long: use at most %v (MAX_DELAY)", text, maxDelay)
}

// printFlags prints a table of the flags.
func printFlags(w io.Writer, set *flag.FlagSet) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FLAG\tDEFAULT\tDESCRIPTION")
	set.VisitAll(func(f *flag.Flag) {
		value, help := flag.UnquoteUsage(f)
		fmt.Fprintf(tw, "--%s %s\t%s\t%s\n", f.Name, value, cmp.Or(f.DefValue, "(none)"), help)
	})
	return tw.Flush()
}
