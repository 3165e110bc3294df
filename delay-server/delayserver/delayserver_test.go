package delayserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delayserver"
	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/delaytest"
)

func run(t *testing.T, opts ...testcontainers.ContainerCustomizer) *delayserver.Container {
	t.Helper()
	c, err := delayserver.Run(t.Context(), image(t), append(opts, dockertest.Labels())...)
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantReply asks for a path and wants a status, and a body or a Server-Timing that
// matches pattern.
func wantReply(t *testing.T, c *delayserver.Container, path string, status int, pattern string) {
	t.Helper()
	base, err := c.URL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := res.Header.Get("Server-Timing") + "\n" + string(body)
	if res.StatusCode != status || !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("GET %s: got %d %q, want %d and what matches %q", path, res.StatusCode, got, status, pattern)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		opts    []testcontainers.ContainerCustomizer
		path    string
		status  int
		pattern string
	}{
		{"none", nil, "/delay/1", 200, `"delay":"1 ms"`},
		{"the longest delay", with(delayserver.WithMaxDelay(1500 * time.Millisecond)), "/delay/1501", 400, `1\.5s`},
		{"a time scale: a minute takes 6 ms", with(delayserver.WithTimeScale(0.0001)), "/delay/1m", 200, `asked;dur=60000, waited;dur=([6-9]\d{4}|\d{6,})\b`},
		{"Flash's own errors", with(delayserver.WithFlashCompat()), "/delay/x", 500, `Delay value should be valid number`},
		{"a token", with(delayserver.WithAdminToken("secret")), "/admin/clock", 401, `needs a token`},
		{"no token: a random one", nil, "/admin/clock", 401, `needs a token`},
		{"none for a token", with(delayserver.WithAdminToken("none")), "/admin/clock", 200, `"frozen":false`},
		{"a scenario", with(delayserver.WithScenario(strings.NewReader("routes:\n  - path: /stock\n    delay: 3ms\n"))), "/stock", 200, `asked;dur=3,`},
		{"a recording in capital letters", with(delayserver.WithRecording("a.CSV", strings.NewReader("latency_ms\n7\n"))), "/delay/recorded:a", 200, `asked;dur=7,`},
		{"a recording", with(delayserver.WithRecording("a.csv", strings.NewReader("latency_ms\n7\n"))), "/delay/recorded:a", 200, `asked;dur=7,`},
		{"the second of two recordings", with(
			delayserver.WithRecording("a.csv", strings.NewReader("latency_ms\n7\n")),
			delayserver.WithRecording("b.csv", strings.NewReader("latency_ms\n8\n"))), "/delay/recorded:b", 200, `asked;dur=8,`},
		{"a setting without an option", with(testcontainers.WithEnv(map[string]string{"ADMIN": "false"})), "/admin/clock", 404, `the admin API is off`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			wantReply(t, run(t, tc.opts...), tc.path, tc.status, tc.pattern)
		})
	}
}

func with(opts ...testcontainers.ContainerCustomizer) []testcontainers.ContainerCustomizer {
	return opts
}

func TestDelayURL(t *testing.T) {
	t.Parallel()
	url, err := run(t).DelayURL(t.Context(), 1500*time.Microsecond)
	if err != nil || !regexp.MustCompile(`^http://[^/]+:\d+/delay/1\.5$`).MatchString(url) {
		t.Errorf("DelayURL(1.5ms) = %q, %v; want http://HOST:PORT/delay/1.5", url, err)
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts []testcontainers.ContainerCustomizer
	}{
		{"a random token", nil},
		{"a token of the test's", with(delayserver.WithAdminToken("s=cret"))},
		{"none", with(delayserver.WithAdminToken("none"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := run(t, tc.opts...).Client(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Freeze(t.Context()); err != nil || !got.Frozen {
				t.Errorf("Freeze() = %+v, %v; want a frozen clock", got, err)
			}
		})
	}
}

// TestHelpersOfDelaytest: they serve a container as they do the server of a process.
func TestHelpersOfDelaytest(t *testing.T) {
	t.Parallel()
	slow := run(t)
	base, errURL := slow.URL(t.Context())
	token, errToken := slow.AdminToken(t.Context())
	if err := errors.Join(errURL, errToken); err != nil {
		t.Fatal(err)
	}
	srv := delaytest.ServerAt(t, base, client.WithToken(token))
	calls := srv.Run("calls")
	answered := make(chan error, 2)
	for range 2 {
		go func() {
			res, err := http.Get(calls.BarrierURL("both", 2))
			if err == nil {
				res.Body.Close()
			}
			answered <- err
		}()
	}
	if err := errors.Join(<-answered, <-answered); err != nil {
		t.Fatal(err)
	}
	delaytest.AssertConcurrent(t, calls, 2)
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	image := image(t)
	for _, tc := range []struct {
		name, image string
		opts        []testcontainers.ContainerCustomizer
		want        string
	}{
		{"an image's name that is none", "Not A Name", nil, `^run delay-server: .*invalid reference format`},
		{"an image that is missing", "flash-test-missing", nil, `^run delay-server: no image flash-test-missing \(deploy/offline/build .* makes flash-delay-server.*\): `},
		{"a setting that is wrong", image, with(delayserver.WithTimeScale(-1)), `^run delay-server: .*exited with code 2`},
		{"a recording of no known kind", image, with(delayserver.WithRecording("a.txt", strings.NewReader("7"))), `^run delay-server: .*recording "a.txt" is not accepted; accepted: a file name NAME.csv, NAME.jtl or NAME.har`},
		{"a recording in a folder", image, with(delayserver.WithRecording("a/b.csv", strings.NewReader("7"))), `^run delay-server: .*recording "a/b.csv" is not accepted`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := delayserver.Run(t.Context(), tc.image, append(tc.opts, dockertest.Labels())...)
			testcontainers.CleanupContainer(t, c)
			if err == nil || !regexp.MustCompile(tc.want).MatchString(err.Error()) {
				t.Errorf("Run() = %v, want an error that matches %q", err, tc.want)
			}
		})
	}
}

func TestErrorsWrap(t *testing.T) {
	t.Parallel()
	c := run(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	second, err := delayserver.Run(over, image(t), dockertest.Labels())
	testcontainers.CleanupContainer(t, second)
	check := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s when the context is over: got %v, want what wraps %v", call, err, context.Canceled)
		}
	}
	check("Run", err)
	_, err = c.URL(over)
	check("URL", err)
	_, err = c.DelayURL(over, time.Second)
	check("DelayURL", err)
	_, err = c.AdminToken(over)
	check("AdminToken", err)
	_, err = c.Client(over)
	check("Client", err)
}
