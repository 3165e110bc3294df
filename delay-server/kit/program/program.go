// Package program is what delay-server and demo-api have in common as
// programs: the command line, the self-probe, listening, and serving until a
// drain is over.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"flash.test/delay-server/kit/version"
)

// Program is a server that is set by its environment, with settings C.
type Program[C any] struct {
	Name    string // such as delay-server
	Purpose string // a sentence for --help

	// Load returns the settings, what in environ only resembles a setting, and
	// all that is wrong with them.
	Load   func(environ []string) (settings C, warnings []string, err error)
	Table  func(io.Writer) error           // of the settings, for --help
	Addr   func(C) (host string, port int) // where Serve listens
	Logger func(C, io.Writer) *slog.Logger // of the settings, for the warnings

	// Serve serves until ctx is done and all is drained.
	Serve func(ctx context.Context, settings C, stdout, stderr io.Writer) error

	Commands []Command[C] // what else it does
}

// Command is something that a program does when its first argument is Name.
type Command[C any] struct {
	Name string // such as sweep
	Help string // a line for --help

	// Run does it: args are those behind Name. An error that is ErrUsage too is
	// one of the args.
	Run func(ctx context.Context, args []string, settings C, stdout, stderr io.Writer) error
}

// gcBallast is heap that is never touched, and so takes no memory. With it Go
// collects garbage once there are some 20 MB of it, in place of 4: /delay/0 by
// net/http, over 64 connections, is answered 84,000 times a second in place of
// 74,000, for 9 MB more. Twice as much brings nothing more.
const gcBallast = 8 << 20

// Main runs p as the process until SIGTERM or SIGINT and exits: with 2 for an
// error of the one who started it, with 1 for any other. A second signal ends
// the process at once.
func (p Program[C]) Main() {
	reserved := make([]byte, gcBallast)
	defer runtime.KeepAlive(reserved)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := p.Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
	}
	os.Exit(ExitStatus(err))
}

// ErrUsage marks an error of the one who started the program: Run returns it,
// wrapped, for an unknown argument and for bad settings.
var ErrUsage = errors.New("--help shows usage")

// BadSettings returns err as one of the settings of the program of that name.
func BadSettings(name string, err error) error {
	return fmt.Errorf("invalid settings:\n%w\n%s %w", err, name, ErrUsage)
}

// ExitStatus returns the exit status for what Run returned.
func ExitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	default:
		return 1
	}
}

// Run is the program: args are those behind its name, environ has the form of
// os.Environ. It ends with nil when ctx is done and all is drained. While it
// serves, the process ignores SIGPIPE: what nobody reads of its output is lost.
func (p Program[C]) Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	own := slices.IndexFunc(p.Commands, func(c Command[C]) bool { return c.Name == name })
	if own < 0 && len(args) > 0 {
		return fmt.Errorf("%d arguments: want one at most\n%s %w", 1+len(args), p.Name, ErrUsage)
	}
	switch name {
	case "--help", "-h", "help":
		p.usage(stdout)
		return p.Table(stdout)
	case "--version", "version":
		_, err := fmt.Fprintln(stdout, p.Name, version.Get())
		return err
	case "serve", "healthcheck":
	default:
		if own < 0 {
			return fmt.Errorf("unknown argument %q\n%s %w", name, p.Name, ErrUsage)
		}
	}
	settings, warnings, err := p.Load(environ)
	switch {
	case err != nil:
		return BadSettings(p.Name, err)
	case name == "healthcheck":
		return Healthcheck(ctx, p.addr(settings))
	}
	if own < 0 {
		// Else the system ends a server when the reader of its output goes. A command is to end then.
		signal.Ignore(syscall.SIGPIPE)
	}
	for _, warning := range warnings {
		p.Logger(settings, stderr).Warn(warning)
	}
	if own >= 0 {
		return p.Commands[own].Run(ctx, args, settings, stdout, stderr)
	}
	return p.Serve(ctx, settings, stdout, stderr)
}

// usage writes what the program is and how to call it.
func (p Program[C]) usage(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nusage:\n", p.Purpose)
	line := func(name, help string) { fmt.Fprintf(w, "  %-24s  %s\n", strings.TrimSpace(p.Name+" "+name), help) }
	line("", "serve until SIGTERM or SIGINT")
	for _, c := range p.Commands {
		line(c.Name, c.Help)
	}
	line("healthcheck", "ask the server at HOST and PORT whether it is well: exit status 0 or 1")
	line("--version", "print version, commit and Go version")
	line("--help", "print this")
	fmt.Fprint(w, "\nSettings are environment variables. One that is misspelt or out of range stops the start with exit status 2.\n\n")
}

func (p Program[C]) addr(settings C) string {
	host, port := p.Addr(settings)
	return net.JoinHostPort(Unbracket(host), fmt.Sprint(port))
}

// Healthcheck asks the server that listens on addr, host:port, for /healthz:
// an image without a shell has nothing else to ask with.
func Healthcheck(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	hosts := []string{host}
	switch strings.ToLower(host) {
	case Localhost: // by address: an image may have no resolver
		hosts = []string{"127.0.0.1", "::1"}
	case "", "0.0.0.0":
		hosts = []string{"127.0.0.1"}
	case "::":
		hosts = []string{"::1"}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, host := range hosts {
		if err = askHealthz(ctx, "http://"+net.JoinHostPort(host, port)+"/healthz"); err == nil {
			return nil
		}
	}
	return err
}

func askHealthz(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	direct := &http.Transport{DisableKeepAlives: true} // no proxy: the server is this machine's
	reply, err := direct.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("healthcheck: GET %s: %w", url, err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: GET %s: answered %s", url, reply.Status)
	}
	return nil
}
