package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// runUntil starts run on a free port and returns its URL and a function that
// does what SIGTERM does and returns run's error.
func runUntil(t *testing.T, environ ...string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- delayServer.Run(ctx, nil, append(environ, "PORT=0"), stdout, io.Discard)
		stdout.Close()
	}()
	lines := bufio.NewScanner(out)
	lines.Scan()
	banner := regexp.MustCompile(`^delay-server dev: open (http://localhost:\d+)/ in a browser$`)
	if found := banner.FindStringSubmatch(lines.Text()); found != nil {
		url = found[1]
	} else {
		t.Fatalf("first line: got %q, want the page's address; Run ended with %v", lines.Text(), <-done)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return url, func() error { cancel(); return <-done }
}

func TestServeHealthcheckAndStop(t *testing.T) {
	url, stop := runUntil(t)
	reply, err := http.Get(url + "/delay/1")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != 200 {
		t.Errorf("GET /delay/1: status %d, want 200", reply.StatusCode)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	for _, host := range []string{"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1"} {
		environ := []string{"HOST=" + host, "PORT=" + port}
		if err := delayServer.Run(t.Context(), []string{"healthcheck"}, environ, io.Discard, io.Discard); err != nil {
			t.Errorf("healthcheck of a running server, HOST=%s: %v", host, err)
		}
	}
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		reply, err := http.Get("http://" + host + ":" + port + "/delay/1")
		if err != nil {
			t.Fatalf("HOST=localhost: %v, want both loopback addresses to be listened on", err)
		}
		reply.Body.Close()
	}
	if err := stop(); err != nil {
		t.Errorf("run ended with %v, want nil", err)
	}
	err = delayServer.Run(t.Context(), []string{"healthcheck"}, []string{"PORT=" + port}, io.Discard, io.Discard)
	if program.ExitStatus(err) != 1 {
		t.Errorf("healthcheck of a stopped server: %v, want exit status 1", err)
	}
}

// TestLogSaysWhoMayWrite also runs the command to try that the log has.
func TestLogSaysWhoMayWrite(t *testing.T) {
	const random, open = "writing to the admin API needs this random token", "ADMIN_TOKEN=none: every client may freeze"
	for _, tc := range []struct {
		name, want string // a part of the log; "" if the log must not mention the admin API
		try        bool   // the log has a command to try
		environ    []string
	}{
		{"loopback", "", false, nil},
		{"all addresses", random, true, []string{"HOST=0.0.0.0"}},
		{"all addresses, JSON", random, true, []string{"HOST=0.0.0.0", "LOG_FORMAT=json"}},
		{"ADMIN_TOKEN", "", false, []string{"HOST=0.0.0.0", "ADMIN_TOKEN=s3cret"}},
		{"ADMIN_TOKEN=none", open, false, []string{"HOST=0.0.0.0", "ADMIN_TOKEN=none"}},
		{"ADMIN=false", "", false, []string{"HOST=0.0.0.0", "ADMIN=false"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			logs, stderr := io.Pipe()
			stdout := io.Discard
			if tc.want == "" {
				stdout = canceller(cancel) // when it listens
			}
			done := make(chan error, 1)
			go func() {
				done <- delayServer.Run(ctx, nil, append(tc.environ, "PORT=0"), stdout, stderr)
				stderr.Close()
			}()
			var log strings.Builder
			for lines := bufio.NewScanner(logs); lines.Scan(); log.WriteString(lines.Text() + "\n") {
				if tc.want == "" || !strings.Contains(lines.Text(), tc.want) {
					continue
				}
				try := regexp.MustCompile(`try"?[=:]"(.*?)"`).FindStringSubmatch(lines.Text())
				if (try != nil) != tc.try {
					t.Errorf("%s\nhas the command %q, want one: %v", lines.Text(), try, tc.try)
				}
				if try != nil {
					out,
						err := exec.CommandContext(t.Context(), "sh", "-c",
						try[1]+` -sw '%{http_code}'`).CombinedOutput()
					if string(out) != "204" {
						t.Errorf("%s\nprints %q, error %v; want 204", try[1], out, err)
					}
				}
				cancel()
			}
			if err := <-done; err != nil {
				t.Errorf("run ended with %v, want nil", err)
			}
			mentions := regexp.MustCompile(`(?i)token|admin`).MatchString(log.String())
			if mentions != (tc.want != "") || !strings.Contains(log.String(), tc.want) {
				t.Errorf("log:\n%s\nwant %q, or no mention of the admin API", &log, tc.want)
			}
		})
	}
}

// canceller is a writer that calls itself whenever something is written.
type canceller context.CancelFunc

func (c canceller) Write(b []byte) (int, error) { c(); return len(b), nil }

func TestTakenPort(t *testing.T) {
	port := wiretest.Listen(t).Addr().(*net.TCPAddr).Port
	for setting, others := range map[string][]string{
		"PORT":     nil,
		"TLS_PORT": {"PORT=0", "TLS_HOSTS=localhost", "TLS_DIR=" + t.TempDir()},
	} {
		err := delayServer.Run(t.Context(), nil, append(others, setting+"="+strconv.Itoa(port)), io.Discard, io.Discard)
		want := "choose another port, such as " + setting + "=" + strconv.Itoa(port%65535+1)
		if program.ExitStatus(err) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is taken: got %v, want exit status 1 and %q", setting, err, want)
		}
	}
}

func TestServeWithTLS(t *testing.T) {
	dir := t.TempDir()
	url, stop := runUntil(t, "TLS_HOSTS=localhost", "TLS_DIR="+dir, "TLS_PORT=0")
	reply, err := http.Get(url + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	got, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("GET /ca.pem: got %d %s, want what is in TLS_DIR: %s, error %v", reply.StatusCode, got, want, err)
	}
	if err := stop(); err != nil {
		t.Errorf("run ended with %v, want nil", err)
	}
}

func TestCommandLine(t *testing.T) {
	timestamps := folder(t, "r.csv", "latency\n1767225600000\n1767225600100\n")
	for _, tc := range []struct {
		name          string
		args, environ []string
		status        int
		stdout, err   string
	}{
		{"help", []string{"--help"}, nil, 0, "  0                           waiting requests; more get 503", ""},
		{"help of TLS", []string{"--help"}, nil, 0, "  3443                        TLS port; 0 for any free one", ""},
		{"help with an invalid setting", []string{"--help"}, []string{"PORT=x"}, 0, "SETTING", ""},
		{"version", []string{"--version"}, nil, 0, "delay-server dev (commit ", ""},
		{"unknown argument", []string{"--prot=80"}, nil, 2, "", `unknown argument "--prot=80"`},
		{"two arguments", []string{"healthcheck", "now"}, nil, 2, "", "2 arguments"},
		{"invalid settings", nil, []string{"PORT=x", "MAX_DELAYS=1s"}, 2, "",
			"MAX_DELAYS: unknown setting; did you mean MAX_DELAY?\nPORT: "},
		{"no scenario", nil, []string{"PORT=0", "SCENARIO=none.yaml"}, 2, "", "invalid settings:\nSCENARIO: "},
		{"no recordings", nil, []string{"PORT=0", "RECORDINGS_DIR=none"}, 2, "", "invalid settings:\nRECORDINGS_DIR: "},
		{"recordings of timestamps", nil, []string{"PORT=0", "RECORDINGS_DIR=" + timestamps}, 2, "",
			"recording r: all 2 samples are above MAX_DELAY (10m0s)"},
		{"a host that is a URL", nil, []string{"PORT=0", "HOST=http://x"}, 1, "", "HOST: "},
		{"another machine's address", nil, []string{"PORT=0", "HOST=192.0.2.1"}, 1, "", "HOST: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout strings.Builder
			err := delayServer.Run(t.Context(), tc.args, tc.environ, &stdout, io.Discard)
			if got := program.ExitStatus(err); got != tc.status {
				t.Errorf("exit status %d (%v), want %d", got, err, tc.status)
			}
			if !strings.Contains(stdout.String(), tc.stdout) {
				t.Errorf("printed %q, want it to say %q", stdout.String(), tc.stdout)
			}
			if tc.err != "" && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %q, want it to say %q", err, tc.err)
			}
		})
	}
}

// folder returns a folder of one file.
func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLogNamesSkippedFilesAndUnknownSettings(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it drains as soon as it serves
	var log bytes.Buffer
	environ := []string{"PORT=0", "TIME_STYLE=long-iso", "RECORDINGS_DIR=" + folder(t, "notes.txt", "hello")}
	if err := delayServer.Run(ctx, nil, environ, io.Discard, &log); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg="TIME_STYLE: unknown setting`, `level=WARN msg="recordings: notes.txt is ignored`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, &log)
		}
	}
}

func TestBannerShowsARouteOfTheScenario(t *testing.T) {
	for _, tc := range []struct{ name, route, want string }{
		{"no parameters", "{path: /a}", "curl -i 'http://localhost:3000/a'"},
		{"parameters", "{path: '/a/{id}'}", "curl -i 'http://localhost:3000/a/"},
		{"other method", "{path: /a, method: POST}", "curl -i -X POST 'http://localhost:3000/a'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "s.yaml")
			if err := os.WriteFile(file, []byte("routes: ["+tc.route+"]"), 0o600); err != nil {
				t.Fatal(err)
			}
			config := server.DefaultConfig()
			config.Scenario = file
			srv, err := server.New(config, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			banner(srv, config, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000}).Write(&out)
			if !strings.Contains(out.String(), tc.want) {
				t.Errorf("the banner is\n%s\nwant %q in it", &out, tc.want)
			}
		})
	}
}

func TestBannerShowsThePagesOfARoom(t *testing.T) {
	closed := false
	for _, tc := range []struct {
		name  string
		set   func(*server.Config)
		pages string
	}{
		{"alone", func(*server.Config) {}, "/doc /live /board"},
		{"a room", func(c *server.Config) { c.BundleDir = "bundle" }, "/doc /live /get /board"},
		{"without a board", func(c *server.Config) { c.Board = &closed }, "/doc /live"},
		{"without the admin API", func(c *server.Config) { c.Admin = false }, "/doc"},
	} {
		config := server.DefaultConfig()
		tc.set(&config)
		var got []string
		for _, page := range pages(config, "") {
			got = append(got, page[0])
		}
		if strings.Join(got, " ") != tc.pages {
			t.Errorf("%s: got pages %v, want %s", tc.name, got, tc.pages)
		}
	}
}
