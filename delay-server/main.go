// Delay-server answers HTTP requests as slowly as they ask.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"flash.test/delay-server/internal/config"
	"flash.test/delay-server/server"
	"flash.test/delay-server/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "delay-server:", err)
	}
	os.Exit(status(err))
}

// errUsage marks an error of the one who started the program: exit status 2.
var errUsage = errors.New("delay-server --help lists what is accepted")

func status(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		return 1
	}
}

const usage = `delay-server answers HTTP requests as slowly as they ask: GET /delay/1000 is answered after 1000 ms.

usage:
  delay-server               serve until SIGTERM or SIGINT
  delay-server healthcheck   ask the server at HOST and PORT whether it is well: exit status 0 or 1
  delay-server --version     print version, commit and Go version
  delay-server --help        print this

Settings are environment variables. One that is misspelt or out of range stops the start with exit status 2.

`

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	command := "serve"
	if len(args) > 1 {
		return fmt.Errorf("%d arguments: want one at most\n%w", len(args), errUsage)
	} else if len(args) == 1 {
		command = args[0]
	}
	switch command {
	case "--help", "-h", "help":
		fmt.Fprint(stdout, usage)
		return config.Table(stdout)
	case "--version", "version":
		_, err := fmt.Fprintln(stdout, "delay-server", version.Get())
		return err
	case "serve", "healthcheck":
	default:
		return fmt.Errorf("argument %q is not known\n%w", command, errUsage)
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return fmt.Errorf("bad settings:\n%w\n%w", err, errUsage)
	}
	if command == "healthcheck" {
		return healthcheck(ctx, cfg)
	}
	return serve(ctx, cfg, stderr)
}

func serve(ctx context.Context, cfg server.Config, stderr io.Writer) error {
	log := cfg.NewLogger(stderr)
	srv, err := server.New(cfg, log)
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr())
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: choose another port, PORT=%d delay-server", err, cfg.Port+1)
	}
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String()
	log.Info("delay-server listens", "url", url, "try", "curl "+url+"/delay/1000/", "version", version.Get().Version)
	return srv.Serve(ctx, ln)
}

// healthcheck asks the server that runs with the same settings: an image
// without a shell has nothing else to ask with.
func healthcheck(ctx context.Context, cfg server.Config) error {
	host := cfg.Host
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)) + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	reply, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answered %s", url, reply.Status)
	}
	return nil
}
