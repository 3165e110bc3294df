package program_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flash.test/delay-server/kit/program"
)

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, 0},
		{"usage", fmt.Errorf("invalid settings:\n%w", program.ErrUsage), 2},
		{"any other", errors.New("no space left"), 1},
	} {
		if got := program.ExitStatus(tc.err); got != tc.want {
			t.Errorf("%s: ExitStatus(%v) = %d, want %d", tc.name, tc.err, got, tc.want)
		}
	}
}

type settings struct{ greeting string }

func TestCommands(t *testing.T) {
	errBad := errors.New("no such bird")
	sing := func(_ context.Context, args []string, s settings, stdout, _ io.Writer) error {
		fmt.Fprintf(stdout, "sing %s %q", s.greeting, args)
		if len(args) > 2 {
			return fmt.Errorf("%w\n%w", errBad, program.ErrUsage)
		}
		return nil
	}
	p := program.Program[settings]{
		Name: "aviary", Purpose: "aviary sings.",
		Load: func(environ []string) (settings, []string, error) {
			if len(environ) == 0 {
				return settings{}, nil, errors.New("GREETING: none")
			}
			return settings{environ[0]}, nil, nil
		},
		Table: func(w io.Writer) error { _, err := fmt.Fprintln(w, "GREETING"); return err },
		Serve: func(_ context.Context, s settings, stdout, _ io.Writer) error {
			fmt.Fprint(stdout, "serve ", s.greeting)
			return nil
		},
		Commands: []program.Command[settings]{{Name: "sing", Help: "sing a song", Run: sing}},
	}
	for _, tc := range []struct {
		name   string
		args   []string
		hello  string // in the environment
		stdout string
		status int
	}{
		{"no argument serves", nil, "hello", "serve hello", 0},
		{"a command", []string{"sing"}, "hello", "sing hello []", 0},
		{"a command with arguments", []string{"sing", "--loud", "--help"}, "hello",
			`sing hello ["--loud" "--help"]`, 0},
		{"a command that rejects its arguments", []string{"sing", "a", "b", "c"}, "hello",
			`sing hello ["a" "b" "c"]`, 2},
		{"invalid settings, before any command", []string{"sing"}, "", "", 2},
		{"arguments for a command that takes none", []string{"serve", "sing"}, "hello", "", 2},
		{"unknown command", []string{"sings"}, "hello", "", 2},
	} {
		var stdout strings.Builder
		var environ []string
		if tc.hello != "" {
			environ = []string{tc.hello}
		}
		err := p.Run(t.Context(), tc.args, environ, &stdout, io.Discard)
		if stdout.String() != tc.stdout || program.ExitStatus(err) != tc.status {
			t.Errorf("%s: Run(%q) wrote %q, %v, status %d; want %q, status %d",
				tc.name, tc.args, stdout.String(), err, program.ExitStatus(err), tc.stdout, tc.status)
		}
	}

	var help strings.Builder
	if err := p.Run(t.Context(), []string{"--help"}, nil, &help, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"aviary sings.\n\nusage:\n  aviary                    serve until",
		"\n  aviary sing               sing a song\n",
		"\n  aviary healthcheck        check",
		"\n\nGREETING\n",
	} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("--help prints\n%s\nwant %q in it", help.String(), want)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	answering := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Errorf("got a request for %s, want /healthz", r.URL.Path)
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	healthy, unhealthy := answering(200), answering(503)
	_, port, _ := strings.Cut(healthy, ":")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := ln.Addr().String()
	ln.Close()
	for _, tc := range []struct{ name, addr, want string }{
		{"healthy", healthy, ""},
		{"healthy, listening on all IPv4 addresses", "0.0.0.0:" + port, ""},
		{"healthy, listening on all addresses", ":" + port, ""},
		{"unhealthy", unhealthy, "/healthz: 503 Service Unavailable"},
		{"gone", gone, "connection refused"},
		{"invalid address", "here", "missing port"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // is ignored
			err := program.Healthcheck(t.Context(), tc.addr)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Healthcheck(%s) = %v, want %q", tc.addr, err, tc.want)
			}
		})
	}
}

func TestWarningsAreLoggedBeforeAServerOrCommand(t *testing.T) {
	nothing := func(context.Context, settings, io.Writer, io.Writer) error { return nil }
	p := program.Program[settings]{
		Name: "aviary",
		Load: func([]string) (settings, []string, error) {
			return settings{}, []string{"BIRD_STYLE: unknown setting"}, nil
		},
		Addr:   func(settings) (string, int) { return "127.0.0.1", 1 },
		Logger: func(_ settings, w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) },
		Serve:  nothing,
		Commands: []program.Command[settings]{{
			Name: "sing",
			Run:  func(context.Context, []string, settings, io.Writer, io.Writer) error { return nil },
		}},
	}
	for _, tc := range []struct {
		name string
		args []string
		want int
	}{
		{"serve", nil, 1},
		{"a command", []string{"sing"}, 1},
		{"healthcheck", []string{"healthcheck"}, 0},
	} {
		var stderr strings.Builder
		_ = p.Run(t.Context(), tc.args, nil, io.Discard, &stderr) // healthcheck finds no server
		if got := strings.Count(stderr.String(), `level=WARN msg="BIRD_STYLE: unknown setting"`); got != tc.want {
			t.Errorf("%s: warned %d times, want %d, in:\n%s", tc.name, got, tc.want, &stderr)
		}
	}
}
