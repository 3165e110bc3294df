package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/kit/settings"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/ideal"
	"flash.test/demo-api/internal/sweep"
)

// runSweep measures both ways with growing numbers of calls. It prints a table to
// stdout, draws a progress bar on stderr if that is a terminal, and draws a chart
// at the end, also of a sweep that was stopped or failed.
func runSweep(ctx context.Context, args []string, cfg config.Config, stdout, stderr io.Writer) error {
	flags, err := parseSweepFlags(args, cfg, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return usageError("sweep", err)
	}
	if err := flags.checkOut(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	caller, err := newCaller(cfg, stderr, cancel)
	if err != nil {
		return err
	}
	defer caller.close()
	samples, err := ideal.Draw(flags.delay, slices.Max(flags.Counts), rand.Uint64(), cfg.MaxDelay)
	if err != nil {
		return err // unreachable: parseSweepFlags has parsed it
	}
	flags.Waits = samples.Waits()
	flags.Call = func(ctx context.Context, i int) (int, error) { return caller.call(ctx, samples, i) }

	fmt.Fprintf(stdout, "%s, delay-server at %s\n\n", flags.title(), caller.server.displayAddr())
	points, err := measure(ctx, flags.Sweep, stdout, stderr)
	printNotes(stdout, points, flags.Sweep)
	return errors.Join(err, flags.drawChart(points, stdout))
}

// sweepFlags are the flags of the command.
type sweepFlags struct {
	sweep.Sweep
	delay string // a form that delay.Parse reads
	out   string // file of the chart; "" for none
}

const sweepHelp = `demo-api sweep measures growing numbers of calls, one after another and all at once.

usage:
  demo-api sweep --calls 1,2,4,…,1000 --delay 100ms --out sweep.svg

`

// parseSweepFlags parses the flags. After --help, it prints the help to help and
// returns flag.ErrHelp.
func parseSweepFlags(args []string, cfg config.Config, help io.Writer) (sweepFlags, error) {
	var f sweepFlags
	calls := sweep.Doubling(cfg.MaxCalls)
	set := flag.NewFlagSet("sweep", flag.ContinueOnError)
	set.StringVar(&calls, "calls", calls, "ascending `COUNTS` of calls, up to MAX_CALLS; … or ... doubles")
	set.StringVar(&f.delay, "delay", sweep.Delay, "`DELAY` of each call, as for delay-server")
	set.IntVar(&f.Limit, "limit", 0, "maximum number of `CALLS` at once; 0 for no limit")
	set.DurationVar(&f.Budget, "budget", sweep.Budget, "maximum `TIME` of one sequential measurement")
	set.StringVar(&f.out, "out", "", "`FILE` of the chart, .svg or .png")
	set.SetOutput(io.Discard)
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(help, sweepHelp)
		return f, errors.Join(err, printFlags(help, set))
	} else if err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	var err error
	if f.Counts, err = sweep.ParseCounts(calls, cfg.MaxCalls); err != nil {
		err = fmt.Errorf("--calls: %w", err)
	}
	return f, errors.Join(err, f.validate(cfg.MaxDelay))
}

// validate returns one error for each invalid flag, joined.
func (f sweepFlags) validate(maxDelay time.Duration) error {
	var v settings.Validation
	checkDelay(&v, f.delay, maxDelay)
	v.Check(f.Limit >= 0, "--limit: %d is invalid: use 1 or more, or 0 for no limit", f.Limit)
	v.Check(f.Budget > 0, "--budget: %v is invalid: use more than 0", f.Budget)
	format := f.format()
	v.Check(f.out == "" || format == "svg" || format == "png",
		"--out: %q is invalid: use a name that ends in .svg or .png", f.out)
	return v.Err()
}

// format returns the format of the chart: the extension of its file.
func (f sweepFlags) format() string {
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(f.out)), ".")
}

// title returns the title of the chart.
func (f sweepFlags) title() string {
	text := "Calls of " + f.delay
	if !strings.ContainsFunc(f.delay, func(c rune) bool { return c > '9' }) {
		text += " ms"
	}
	if f.Limit > 0 {
		text += fmt.Sprintf(", at most %d at once", f.Limit)
	}
	return text
}

// measure returns the points of a sweep, and prints each as a row of a table.
func measure(ctx context.Context, s sweep.Sweep, stdout, stderr io.Writer) ([]sweep.Point, error) {
	bar, stop := startProgress(stderr, s.Counts)
	defer stop()
	bar.printAbove(stdout, sweep.Header(s.Limit)+"\n")
	var points []sweep.Point
	for p, err := range s.Points(ctx) {
		if n := len(points); err != nil {
			return points, fmt.Errorf("sweep ended at %d calls, after %d of %d counts: %w",
				s.Counts[n], n, len(s.Counts), err)
		}
		points = append(points, p)
		bar.advance()
		bar.printAbove(stdout, p.Row(s.Limit)+"\n")
	}
	return points, nil
}

// printNotes prints the notes below the table.
func printNotes(w io.Writer, points []sweep.Point, s sweep.Sweep) {
	fmt.Fprintln(w)
	if n := len(points); n > 0 && points[n-1].Sequential == 0 {
		fmt.Fprintf(w, "≈ marks an estimate, – an unknown time: they are over %v (--budget).\n", s.Budget)
	}
	if knee, ok := sweep.Knee(points); ok {
		fmt.Fprintf(w, "From %d calls on, %s is no longer flat.\n", knee.Calls, sweep.ConcurrentTitle(s.Limit))
	}
}

// checkOut returns an error if the chart cannot be written, before anything is
// measured. It keeps an existing chart.
func (f sweepFlags) checkOut() error {
	if f.out == "" {
		return nil
	}
	if info, err := os.Stat(f.out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("sweep --out: %s is not a file", f.out)
	}
	file, err := os.Create(f.tempFile())
	if err != nil {
		return fmt.Errorf("sweep --out: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(f.tempFile()))
}

// tempFile is renamed to the file of the chart once it is complete.
func (f sweepFlags) tempFile() string { return f.out + ".part" }

// drawChart draws the chart of points, if there are any, and prints its name.
func (f sweepFlags) drawChart(points []sweep.Point, stdout io.Writer) error {
	if f.out == "" || len(points) == 0 {
		return nil
	}
	var chart bytes.Buffer
	if err := sweep.Chart(&chart, f.format(), f.title(), f.Limit, points, f.Ideal()); err != nil {
		return err
	}
	temp := f.tempFile()
	if err := errors.Join(os.WriteFile(temp, chart.Bytes(), 0o666), os.Rename(temp, f.out)); err != nil {
		return errors.Join(fmt.Errorf("sweep --out: %w", err), os.Remove(temp))
	}
	fmt.Fprintf(stdout, "Chart: %s\n", f.out)
	return nil
}
