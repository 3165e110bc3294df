package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// endpoints are the tutorial's endpoints, with the number of calls in flight at once.
var endpoints = []struct {
	path          string
	rounds, calls int // rounds of calls
}{
	{"/get_data", 2, 1},
	{"/async_get_data", 1, 2},
}

// TestTutorialsOwnCode runs the tutorial's unmodified app in Python, and demo-api, against
// a delay-server that answers for https://flash.siwalik.in.
func TestTutorialsOwnCode(t *testing.T) {
	t.Parallel()
	python := requirePython(t)
	slow, secure, ca := serveAsFlash(t)
	stacks := map[string]string{"the tutorial's app": startApp(t, python, secure, ca),
		"demo-api": startDemoAPI(t, slow)}
	steer, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	for name, base := range stacks {
		t.Run(name+" by the clock", func(t *testing.T) { inRealTime(t, base) })
	}
	if _, err := steer.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, base := range stacks {
		t.Run(name+" call by call", func(t *testing.T) { callByCall(t, steer, base) })
	}
}

// inRealTime measures as the tutorial's reader does, up to three times on a busy machine.
func inRealTime(t *testing.T, base string) {
	const call = time.Second
	for range 3 {
		var took []time.Duration
		for _, e := range endpoints {
			d, err := answers(base + e.path)
			if err != nil {
				t.Fatal(err)
			}
			if floor := time.Duration(e.rounds) * call; d < floor {
				t.Errorf("GET %s: answered after %v, want at least %v", e.path, d, floor)
			}
			took = append(took, d)
		}
		t.Logf("sequential %v, concurrent %v", took[0], took[1])
		if took[1].Seconds() <= 0.9*took[0].Seconds() { // ideally 1/2
			return
		}
	}
	t.Error("concurrent/sequential: got more than 0.9 in each of 3 tries")
}

// callByCall freezes delay-server's clock and ends the calls round by round. In each round,
// the calls that the endpoint makes at once are in flight.
func callByCall(t *testing.T, steer *admin.Client, base string) {
	for _, e := range endpoints {
		answered := make(chan error, 1)
		go func() {
			_, err := answers(base + e.path)
			answered <- err
		}()
		for round := range e.rounds {
			clock, err := steer.AwaitClock(t.Context(), e.calls)
			if err != nil || clock.Waiting != e.calls {
				t.Fatalf("GET %s, round %d: got %d calls in flight, error %v; want %d", e.path, round+1,
					clock.Waiting, err, e.calls)
			}
			if _, err := steer.Advance(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// answers fetches url and returns the time it took. It is an error if the response is not
// the tutorial's.
func answers(url string) (time.Duration, error) {
	got, err := get(url)
	if err != nil {
		return 0, err
	}
	var statuses map[string]int
	_ = json.Unmarshal([]byte(got.body), &statuses)
	if want := map[string]int{"r1": 200, "r2": 200}; got.status != 200 ||
		!strings.HasPrefix(got.kind, "application/json") || !maps.Equal(statuses, want) {
		return 0, fmt.Errorf("GET %s: got %d %s %q, want 200 application/json %v", url, got.status,
			got.kind, got.body, want)
	}
	return got.took, nil
}

// serveAsFlash runs a delay-server for flash.siwalik.in until the test ends. It returns the
// URL without TLS, the port with TLS, and the authority's certificate file.
func serveAsFlash(t *testing.T) (url string, port int, ca string) {
	t.Helper()
	config := server.DefaultConfig()
	config.ShutdownTimeout = 0
	config.TLSHosts, config.TLSDir = []string{"flash.siwalik.in"}, t.TempDir()
	srv, err := server.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := wiretest.Listen(t), wiretest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, plain, srv.TLS(secure)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + plain.Addr().String(), secure.Addr().(*net.TCPAddr).Port, filepath.Join(config.TLSDir, "ca.pem")
}

// requirePython returns a Python with the modules of the tutorial's app. Without one the
// test is skipped, or fails if CI is set.
func requirePython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import asgiref, flask, httpx").Run() == nil {
			return python
		}
	}
	const what = "no Python with Flask, its async extra and httpx: install python3-flask, python3-asgiref and " +
		"python3-httpx"
	if os.Getenv("CI") != "" {
		t.Fatal("CI is set: " + what)
	}
	t.Skip(what)
	return ""
}

// startApp runs the tutorial's app and returns its URL. The app trusts ca and connects to
// port instead of flash.siwalik.in.
func startApp(t *testing.T, python string, port int, ca string) string {
	t.Helper()
	path, err := filepath.Abs("testdata/python")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-m", "flask", "--app=original", "run", "--port=0")
	cmd.Dir = filepath.Join(root, "deploy/tutorial/python")
	cmd.Env = []string{"SSL_CERT_FILE=" + ca, "PYTHONPATH=" + path, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		"FLASH_PORT=" + strconv.Itoa(port)}
	return listens(t, cmd)
}

// startDemoAPI runs demo-api, with slow as its delay-server, and returns its URL.
func startDemoAPI(t *testing.T, slow string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "demo-api")
	must(t, nil, "go", "build", "-C", "demo-api", "-o", binary, ".")
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{"PORT=0", "DELAY_SERVER_URL=" + slow}
	return listens(t, cmd)
}

// listens starts a program that runs until the test ends, and returns the first URL it
// prints.
func listens(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed at the end of the test
		in.Close()
	}()
	t.Cleanup(func() { <-ended })
	var said string
	for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
		if url := regexp.MustCompile(`http://(localhost|[\d.]+):\d+`).FindString(lines.Text()); url != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return url
		}
	}
	t.Fatalf("%s ended before it listened:\n%s", cmd, said)
	return ""
}
