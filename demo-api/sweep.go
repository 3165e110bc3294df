package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/program"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/upstream"
)

// sweepCommand measures both ways over more and more calls: a table on stdout
// as it goes, a bar on stderr where that is a terminal, and a chart at the end.
// A sweep that is stopped or that fails draws what was measured before.
func sweepCommand(ctx context.Context, args []string, cfg config.Config, stdout, stderr io.Writer) error {
	asked, err := readSweep(args, cfg, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return fmt.Errorf("sweep: %w\ndemo-api sweep %w", err, program.ErrUsage)
	}
	if err := asked.checkOut(); err != nil {
		return err
	}
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn) // that a delay-server of its own drains is no news
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	url, where, stop, err := slowService(cfg, cfg.NewLogger(stderr), end)
	if err != nil {
		return err
	}
	defer stop()
	slow := upstream.New(url, cfg.Timeout, cfg.MaxCalls)
	defer slow.Close()
	run := rand.Text()
	asked.Call = func(ctx context.Context) (int, error) {
		return slow.Get(ctx, upstream.Request{Delay: asked.delay, RunID: run})
	}

	fmt.Fprintf(stdout, "%s, of delay-server at %s%s\n\n", asked.title(), url, where)
	points, err := measure(ctx, asked.Sweep, stdout, stderr)
	explain(stdout, points, asked.Sweep)
	return errors.Join(err, asked.draw(points, stdout))
}

// sweepAsked is what a command line asks for.
type sweepAsked struct {
	sweep.Sweep
	delay string // a form that delay.Parse reads
	out   string // a file for the chart; "" for none
}

const sweepHelp = `demo-api sweep makes more and more calls, one after another and all at once, and tells how long they took.

usage:
  demo-api sweep --calls 1,2,4,…,1000 --delay 100ms --out sweep.svg

`

// readSweep reads the arguments. The error is flag.ErrHelp after --help, which
// is then written to help, or what is wrong with them.
func readSweep(args []string, cfg config.Config, help io.Writer) (sweepAsked, error) {
	var asked sweepAsked
	calls := sweep.Doubling(cfg.MaxCalls)
	flags := flag.NewFlagSet("sweep", flag.ContinueOnError)
	flags.StringVar(&calls, "calls", calls, "`COUNTS` of calls, ascending, up to MAX_CALLS; … or ... between two doubles from the one to the other")
	flags.StringVar(&asked.delay, "delay", sweep.Delay, "`DELAY` of each call, as delay-server reads it")
	flags.IntVar(&asked.Limit, "limit", 0, "the most `CALLS` at once; 0 for no limit")
	flags.DurationVar(&asked.Budget, "budget", sweep.Budget, "the longest `TIME` to spend on one measurement of calls one after another")
	flags.StringVar(&asked.out, "out", "", "`FILE` for the chart, .svg or .png; none draws no chart")
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, sweepHelp)
		return asked, errors.Join(err, describe(help, flags))
	} else if err != nil {
		return asked, err
	}
	if flags.NArg() > 0 {
		return asked, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	var err error
	if asked.Counts, err = sweep.ParseCounts(calls, cfg.MaxCalls); err != nil {
		err = fmt.Errorf("--calls: %w", err)
	}
	return asked, errors.Join(err, asked.check(cfg.MaxDelay))
}

// describe writes a table of the flags.
func describe(w io.Writer, flags *flag.FlagSet) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FLAG\tDEFAULT\t")
	flags.VisitAll(func(f *flag.Flag) {
		value, help := flag.UnquoteUsage(f)
		fmt.Fprintf(tw, "--%s %s\t%s\t%s\n", f.Name, value, cmp.Or(f.DefValue, "(none)"), help)
	})
	return tw.Flush()
}

// check returns all that is wrong with what was asked for.
func (a sweepAsked) check(maxDelay time.Duration) error {
	var errs []error
	d, err := delay.Parse(a.delay)
	if err != nil {
		errs = append(errs, fmt.Errorf("--delay: %w", err))
	}
	if fixed, _ := d.Fixed(); fixed > maxDelay {
		errs = append(errs, fmt.Errorf("--delay: %q is longer than MAX_DELAY, %v", a.delay, maxDelay))
	}
	if a.Limit < 0 {
		errs = append(errs, fmt.Errorf("--limit: %d is invalid: use 1 or more, or 0 for no limit", a.Limit))
	}
	if a.Budget <= 0 {
		errs = append(errs, fmt.Errorf("--budget: %v is invalid: use more than 0", a.Budget))
	}
	if f := a.format(); a.out != "" && f != "svg" && f != "png" {
		errs = append(errs, fmt.Errorf("--out: %q is invalid: use a name that ends in .svg or .png", a.out))
	}
	return errors.Join(errs...)
}

// format returns the format of the chart, by the name of its file.
func (a sweepAsked) format() string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(a.out)), ".")
}

// title says what is measured.
func (a sweepAsked) title() string {
	text := "Calls of " + a.delay
	if !strings.ContainsFunc(a.delay, func(c rune) bool { return c > '9' }) {
		text += " ms"
	}
	if a.Limit > 0 {
		text += fmt.Sprintf(", at most %d at once", a.Limit)
	}
	return text
}

// measure writes the table as it is measured, and returns what was.
func measure(ctx context.Context, s sweep.Sweep, stdout, stderr io.Writer) ([]sweep.Point, error) {
	bar, stop := startBar(stderr, s.Counts)
	defer stop()
	bar.above(stdout, sweep.Header(s.Limit)+"\n")
	var points []sweep.Point
	for p, err := range s.Points(ctx) {
		if err != nil {
			return points, fmt.Errorf("sweep ended at %d calls, after %d of %d counts: %w", s.Counts[len(points)], len(points), len(s.Counts), err)
		}
		points = append(points, p)
		bar.measured()
		bar.above(stdout, p.Row(s.Limit)+"\n")
	}
	return points, nil
}

// explain says what in the table needs a word.
func explain(w io.Writer, points []sweep.Point, s sweep.Sweep) {
	fmt.Fprintln(w)
	if n := len(points); n > 0 && points[n-1].Sequential == 0 {
		fmt.Fprintf(w, "≈ and – are no measurements: those would take over %v (--budget). ≈ is the calls times their mean in the last one.\n", s.Budget)
	}
	if knee, ok := sweep.Knee(points); ok {
		fmt.Fprintf(w, "At %d calls, %s is no longer flat: half as long again as before, or more.\n", knee.Calls, sweep.AtOnce(s.Limit))
	}
}

// checkOut fails where no chart can be written, before all that takes time. An
// older chart stays until there is a new one.
func (a sweepAsked) checkOut() error {
	if a.out == "" {
		return nil
	}
	if info, err := os.Stat(a.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("sweep --out: %s is not a file", a.out)
	}
	file, err := os.Create(a.part())
	if err != nil {
		return fmt.Errorf("sweep --out: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(a.part()))
}

// part is where the chart is written before it takes the place of an older one.
func (a sweepAsked) part() string { return a.out + ".part" }

// draw draws the chart, if one is asked for and there is something to draw, and
// says where it is.
func (a sweepAsked) draw(points []sweep.Point, stdout io.Writer) error {
	if a.out == "" || len(points) == 0 {
		return nil
	}
	var chart bytes.Buffer
	if err := sweep.Chart(&chart, a.format(), a.title(), a.Limit, points); err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(a.part(), chart.Bytes(), 0o666), os.Rename(a.part(), a.out)); err != nil {
		return errors.Join(fmt.Errorf("sweep --out: %w", err), os.Remove(a.part()))
	}
	fmt.Fprintf(stdout, "Chart: %s\n", a.out)
	return nil
}
