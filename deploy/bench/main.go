//go:build linux

// Bench puts the same loads on delay-server and its peers, in turn, over several rounds,
// and writes tables, targets and charts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"flash.test/deploy/bench/internal/peer"
	"flash.test/deploy/bench/internal/report"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == peer.ServeArgument { // a signal ends it at once
		fmt.Fprintf(os.Stderr, "bench: %v\n", peer.Serve(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run runs the command. args does not include its name.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := readOptions(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	delayServer := filepath.Join(dir, "delay-server")
	if err := build(ctx, delayServer); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	servers, err := choose("server", peer.Servers(delayServer, self), o.servers,
		func(s peer.Server) string { return s.Name })
	if err != nil {
		return err
	}
	results, err := measure(ctx, o, servers, stderr)
	// Write what was measured before an error or a signal, too.
	return errors.Join(err, write(results, o.out, stdout))
}

// options are the parsed command line.
type options struct {
	rounds  int
	short   bool // skips what no target compares
	loads   []load
	servers []string // empty for all
	out     string   // a folder; "" for none
}

// readOptions reads the arguments. The error is flag.ErrHelp after --help.
func readOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var only, servers string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 3, "number of `TIMES` to run each load on each server")
	flags.StringVar(&only, "only", "",
		"`LOADS` to run: names or prefixes, with commas between (one,even-10000); default: all")
	flags.StringVar(&servers, "servers", "", "`SERVERS` to measure, with commas between; default: all")
	flags.StringVar(&o.out, "out", "",
		"`DIR` for results.md, results.json and the charts; default: only print the table")
	flags.BoolVar(&o.short, "short", false,
		"a quick look: a fifth of the time and of the requests, and only the peers that targets compare")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q: --help shows usage", flags.Arg(0))
	}
	if o.rounds < 1 {
		return o, fmt.Errorf("--rounds: %d is invalid: use 1 or more", o.rounds)
	}
	o.servers = list(servers)
	var err error
	o.loads, err = choose("load", loads(o.short), list(only), func(l load) string { return l.name })
	return o, err
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' })
}

// choose returns the elements that asked names, in the order of all. A name that no element
// has stands for all names that begin with it and a hyphen.
func choose[T any](what string, all []T, asked []string, name func(T) string) ([]T, error) {
	if len(asked) == 0 {
		return all, nil
	}
	var names []string
	for _, t := range all {
		names = append(names, name(t))
	}
	chosen := map[string]bool{}
	for _, ask := range asked {
		found := slices.Contains(names, ask)
		for _, name := range names {
			if name == ask || !found && strings.HasPrefix(name, ask+"-") {
				chosen[name] = true
			}
		}
		if !found && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, ask+"-") }) {
			return nil, fmt.Errorf("unknown %s %q: use some of %s", what, ask, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool { return !chosen[name(t)] }), nil
}

// build builds delay-server. The working directory must be in its workspace.
func build(ctx context.Context, to string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", to, "flash.test/delay-server").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build of delay-server (run this inside its repository): %w\n%s", err, out)
	}
	return nil
}

// write writes the report to stdout, and to dir with the charts, unless dir is "".
func write(results *report.Results, dir string, stdout io.Writer) error {
	if len(results.Samples) == 0 {
		return nil
	}
	if err := results.Markdown(stdout, table); err != nil || dir == "" {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]func(io.Writer) error{
		"results.md":   func(w io.Writer) error { return results.Markdown(w, table) },
		"results.json": results.JSON,
	}
	for _, chart := range charts {
		if results.Has(chart) {
			files[chart.File+".svg"] = func(w io.Writer) error { return results.Draw(w, chart) }
		}
	}
	for name, write := range files {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := errors.Join(write(file), file.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
