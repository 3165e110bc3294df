// Goproxy writes our modules, and all modules that they need, to a folder that
// GOPROXY=file://DIR serves. deploy/offline/modules runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "deploy/offline/modules:", err)
		os.Exit(1)
	}
}

// run writes the modules of the repository in the current folder.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("goproxy", flag.ContinueOnError)
	version := flags.String("version", "", "`version` of our modules, by default the commit's tag or pseudo-version")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("got %d arguments, want one folder", flags.NArg())
	}
	dir, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		return err
	}
	ours, err := readModules(ctx, *version)
	if err != nil {
		return err
	}
	p := proxy{dir: dir}
	for _, m := range ours {
		if err := p.addOurs(m); err != nil {
			return err
		}
	}
	others, err := p.addNeeded(ctx, ours)
	if err != nil {
		return err
	}
	if err := p.writeLists(); err != nil {
		return err
	}
	fmt.Fprintf(out, `wrote %d modules at %s, and %d that they need, to %s; in another module, also without a network:

export GOPROXY=%s GOSUMDB=off
go get %s/delaytest
`, len(ours), ours[0].version, others, dir, fileURL(dir), ours[0].path)
	return nil
}
