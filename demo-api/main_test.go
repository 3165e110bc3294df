package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/wiretest"

	"flash.test/demo-api/internal/config"
)

// runMain makes the test binary run the program, for tests of a process.
const runMain = "DEMO_API_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		stdout string // a part of it
		err    string // a part of it
	}{
		{"help", []string{"--help"}, 0, "DELAY_SERVER_URL", ""},
		{"help has the defaults", []string{"-h"}, 0, "1000                       largest ?calls=", ""},
		{"help without dashes", []string{"help"}, 0, "healthcheck", ""},
		{"version", []string{"--version"}, 0, "demo-api dev (commit ", ""},
		{"unknown", []string{"--prot=5001"}, 2, "", `unknown argument "--prot=5001"`},
		{"empty", []string{""}, 2, "", `unknown argument ""`},
		{"two", []string{"healthcheck", "--help"}, 2, "", "2 arguments given: use at most one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := demoAPI.Run(t.Context(), tc.args, nil, &stdout, &stderr)
			if got := program.ExitStatus(err); got != tc.status || !strings.Contains(fmt.Sprint(err), tc.err) {
				t.Errorf("run(%q) = %v, status %d; want %s, status %d", tc.args, err, got, tc.err, tc.status)
			}
			if !strings.Contains(stdout.String(), tc.stdout) {
				t.Errorf("run(%q) wrote %q, want %q in it", tc.args, stdout.String(), tc.stdout)
			}
		})
	}
}

func TestAllBadSettingsAreReported(t *testing.T) {
	environ := []string{
		"PATH=/bin", "PORT=70000", "CALLS=two", "DELAY=soon", "MAX_CALL=5", "DELAY_SERVER_URL=localhost:3000",
	}
	for _, args := range [][]string{nil, {"healthcheck"}} {
		err := demoAPI.Run(t.Context(), args, environ, io.Discard, io.Discard)
		if program.ExitStatus(err) != 2 {
			t.Errorf("run(%q) with bad settings: status %d, want 2", args, program.ExitStatus(err))
		}
		for _, want := range []string{
			"PORT: 70000", `CALLS: "two"`, `delay "soon"`, "did you mean MAX_CALLS?",
			`DELAY_SERVER_URL: "localhost:3000"`, "--help",
		} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("run(%q) = %v\nwant %s in it", args, err, want)
			}
		}
	}
}

func TestTakenPort(t *testing.T) {
	port := wiretest.Listen(t).Addr().(*net.TCPAddr).Port
	var stdout bytes.Buffer
	err := demoAPI.Run(t.Context(), nil, []string{fmt.Sprintf("PORT=%d", port)}, &stdout, io.Discard)
	want := fmt.Sprintf("such as PORT=%d demo-api (on macOS, AirPlay takes 5000)", port%65535+1)
	if program.ExitStatus(err) != 1 || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("run on a taken port = %v, status %d; want status 1 and %s", err, program.ExitStatus(err), want)
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout is %q, want none", stdout.String())
	}
}

// running is the program in another goroutine.
type running struct {
	base   string // http://localhost:port
	slow   string // http://127.0.0.1:port of the embedded delay-server
	banner string
	stop   func() error
}

// run runs the program on a free port and reads its banner.
func run(t *testing.T, environ ...string) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := demoAPI.Run(ctx, nil, append(environ, "PORT=0"), stdout, io.Discard)
		stdout.CloseWithError(fmt.Errorf("run ended: %w", err))
		ended <- err
	}()
	r := running{stop: func() error {
		cancel()
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(20 * time.Second):
			return errors.New("Run is still running 20s after its context")
		}
	}}
	t.Cleanup(func() { _ = r.stop() })
	r.banner, r.base, r.slow = readBanner(t, out)
	go func() { _, _ = io.Copy(io.Discard, out) }() // else the pipe blocks the program
	return r
}

// readBanner reads the banner, and the URLs in it.
func readBanner(t *testing.T, out io.Reader) (text, base, slow string) {
	t.Helper()
	buf := make([]byte, 4096)
	for !strings.HasSuffix(text, "\n\n") || strings.Count(text, "\n\n") < 2 { // after the page, after the commands
		n, err := out.Read(buf)
		text += string(buf[:n])
		if err != nil {
			t.Fatalf("read the banner: %v, after %q", err, text)
		}
	}
	between := func(before, after string) string {
		_, rest, _ := strings.Cut(text, before)
		found, _, _ := strings.Cut(rest, after)
		return found
	}
	return text, between("time curl ", "/get_data"), strings.TrimSuffix(slowURL.FindString(text), "/delay/1000/")
}

var slowURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+/delay/1000/`)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSuffix(string(body), "\n") // only demo-api sends one
}

func TestEmbeddedDelayServer(t *testing.T) {
	r := run(t, "DELAY=10")
	for _, line := range []string{
		"demo-api dev: open " + r.base + "/ in a browser\n\n",
		"  time curl " + r.base + "/get_data  ",
		"  time curl " + r.base + "/async_get_data  ",
		"  time curl '" + r.base + "/async_get_data?calls=3'  ",
		"  time curl '" + r.base + "/async_get_data?db=500'  ",
		"a query of 500 ms replaces the last call, to SQLite in this process\n",
		"  time curl " + r.slow + "/delay/1000/  ",
	} {
		if !strings.Contains(r.banner, line) {
			t.Errorf("the banner is\n%s\nwant %q in it", r.banner, line)
		}
	}
	for url, want := range map[string]string{
		r.base + "/get_data":               `{"r1":200,"r2":200}`,
		r.base + "/async_get_data?calls=3": `{"r1":200,"r2":200,"r3":200}`,
		r.base + "/async_get_data?db=1":    `{"r1":200,"db":200}`,
		r.slow + "/delay/1/":               `{"status":200,"message":"Mock response from Flash","delay":"1 ms"}`,
	} {
		if code, body := get(t, url); code != 200 || body != want {
			t.Errorf("GET %s = %d %s, want 200 %s", url, code, body, want)
		}
	}
	if err := r.stop(); err != nil {
		t.Errorf("run, stopped = %v, want nil", err)
	}
}

// An embedded delay-server has the same MAX_DELAY.
func TestMaxDelay(t *testing.T) {
	r := run(t, "MAX_DELAY=30m")
	if code, body := get(t, r.base+"/get_data?calls=0&delay=25m"); code != 200 {
		t.Errorf("delay=25m = %d %s, want 200", code, body)
	}
	if code, body := get(t, r.base+"/get_data?delay=31m"); code != 400 {
		t.Errorf("delay=31m = %d %s, want 400", code, body)
	}
	if code, body := get(t, r.slow+"/delay/31m"); code != 400 || !strings.Contains(body, "30m") {
		t.Errorf("delay-server: /delay/31m = %d %s, want 400 with 30m", code, body)
	}
}

func TestEmbeddedDelayServerLinksBack(t *testing.T) {
	r := run(t)
	if _, body := get(t, r.base+"/"); !strings.Contains(body, `<a href="`+r.slow+`" data-embedded>delay-server</a>`) {
		t.Errorf("GET /: no link to %s in\n%s", r.slow, body)
	}
	if _, body := get(t, r.slow+"/"); !strings.Contains(body, `<a href="`+r.base+`" data-local>demo-api</a>`) {
		t.Errorf("delay-server: GET /: no link to %s in\n%s", r.base, body)
	}
}

func TestExternalDelayServer(t *testing.T) {
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) })
	elsewhere := httptest.NewServer(teapot)
	defer elsewhere.Close()
	r := run(t, "DELAY_SERVER_URL="+elsewhere.URL+"/")
	if code, body := get(t, r.base+"/get_data"); code != 200 || body != `{"r1":418,"r2":418}` {
		t.Errorf("GET /get_data = %d %s, want 200 and the statuses of DELAY_SERVER_URL", code, body)
	}
	if strings.Contains(r.banner, "/delay/1000/") {
		t.Errorf("the banner is %q, want no embedded delay-server", r.banner)
	}
}

// Only a query needs the database.
func TestUnreachableDatabase(t *testing.T) {
	address := wiretest.ClosedAddr(t)
	r := run(t, "DELAY=1", "DATABASE_URL=postgres://demo:secret@"+address+"/demo")
	want := "replaces the last call, to " + address + "\n"
	if !strings.Contains(r.banner, want) || strings.Contains(r.banner, "secret") {
		t.Errorf("the banner is\n%s\nwant %q in it, and no password", r.banner, want)
	}
	if code, body := get(t, r.base+"/get_data"); code != 200 {
		t.Errorf("GET /get_data = %d %s, want 200", code, body)
	}
	code, body := get(t, r.base+"/get_data?db=1")
	if code != 502 || !strings.Contains(body, address+": connection refused") {
		t.Errorf("GET /get_data?db=1 = %d %s, want 502 with the address of the database", code, body)
	}
}

func TestEmbeddedDelayServerFails(t *testing.T) {
	ln := wiretest.Listen(t)
	ln.Close()
	failed := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	stop, err := startDelayServer(ln, config.Default(), "", log, func(err error) { failed <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	err = <-failed
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "delay-server in this process: ") {
		t.Errorf("it failed with %v, want the error of its listener", err)
	}
}
