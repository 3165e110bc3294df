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

// get requests a path of the container and returns the reply and its body.
func get(t *testing.T, c *delayserver.Container, path string) (*http.Response, string) {
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
	return res, string(body)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	recording := func(filename, csv string) testcontainers.ContainerCustomizer {
		return delayserver.WithRecording(filename, strings.NewReader(csv))
	}
	scenario := strings.NewReader("routes:\n  - path: /stock\n    delay: 3ms\n")
	for _, tc := range []struct {
		name    string
		opts    []testcontainers.ContainerCustomizer
		path    string
		status  int
		pattern string // of Server-Timing and body
	}{
		{"defaults", nil, "/delay/1", 200, `"delay":"1 ms"`},
		{"WithMaxDelay", with(delayserver.WithMaxDelay(1500 * time.Millisecond)),
			"/delay/1501", 400, `1\.5s`},
		{"WithTimeScale", with(delayserver.WithTimeScale(0.0001)),
			"/delay/1m", 200, `asked;dur=60000, waited;dur=([6-9]\d{4}|\d{6,})\b`},
		{"WithFlashCompat", with(delayserver.WithFlashCompat()),
			"/delay/x", 500, `Delay value should be valid number`},
		{"WithAdminToken", with(delayserver.WithAdminToken("secret")), "/admin/clock", 401, tokenRequired},
		{"random token", nil, "/admin/clock", 401, tokenRequired},
		{"WithAdminToken none", with(delayserver.WithAdminToken("none")), "/admin/clock", 200, `"frozen":false`},
		{"WithScenario", with(delayserver.WithScenario(scenario)), "/stock", 200, `asked;dur=3,`},
		{"WithRecording", with(recording("a.csv", "latency_ms\n7\n")),
			"/delay/recorded:a", 200, `asked;dur=7,`},
		{"WithRecording, upper-case extension", with(recording("a.CSV", "latency_ms\n7\n")),
			"/delay/recorded:a", 200, `asked;dur=7,`},
		{"WithRecording twice", with(recording("a.csv", "latency_ms\n7\n"), recording("b.csv", "latency_ms\n8\n")),
			"/delay/recorded:b", 200, `asked;dur=8,`},
		{"WithEnv", with(testcontainers.WithEnv(map[string]string{"ADMIN": "false"})),
			"/admin/clock", 404, adminDisabled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res, body := get(t, run(t, tc.opts...), tc.path)
			got := res.Header.Get("Server-Timing") + "\n" + body
			if res.StatusCode != tc.status || !regexp.MustCompile(tc.pattern).MatchString(got) {
				t.Errorf("GET %s: got %d %q, want %d %q", tc.path, res.StatusCode, got, tc.status, tc.pattern)
			}
		})
	}
}

const (
	tokenRequired = `"type":"` + string(client.ProblemTokenRequired) + `"`
	adminDisabled = `"type":"` + string(client.ProblemAdminDisabled) + `"`
)

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
		{"random token", nil},
		{"WithAdminToken", with(delayserver.WithAdminToken("s=cret"))},
		{"WithAdminToken none", with(delayserver.WithAdminToken("none"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := run(t, tc.opts...).Client(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Freeze(t.Context()); err != nil || !got.Frozen {
				t.Errorf("Freeze() = %+v, %v; want it frozen", got, err)
			}
		})
	}
}

func TestScenario(t *testing.T) {
	t.Parallel()
	c := run(t, delayserver.WithScenario(strings.NewReader("routes: [{path: /stock, body: first}]")))
	if err := c.Scenario(t.Context(), "routes: [{path: /stock, body: second}]"); err != nil {
		t.Fatal(err)
	}
	err := c.Scenario(t.Context(), "routes: [{path: /stock, dely: 1s}]")
	if !errors.Is(err, client.ProblemInvalidScenario) || !strings.Contains(err.Error(), "scenario:1:25: unknown key") {
		t.Errorf("Scenario with an error: got %v, want its line", err)
	}
	if _, body := get(t, c, "/stock"); body != "second" {
		t.Errorf("GET /stock: got %q, want the second scenario", body)
	}
}

func TestDelaytest(t *testing.T) {
	t.Parallel()
	slow := run(t)
	base, err := slow.URL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := slow.AdminToken(t.Context())
	if err != nil {
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

func TestRunErrors(t *testing.T) {
	t.Parallel()
	image := image(t)
	for _, tc := range []struct {
		name, image string
		opts        []testcontainers.ContainerCustomizer
		want        string
	}{
		{"invalid image name", "Not A Name", nil, `^run delay-server: .*invalid reference format`},
		{"missing image", "flash-test-missing", nil,
			`^run delay-server: no image flash-test-missing \(deploy/offline/build .*\): `},
		{"invalid setting", image, with(delayserver.WithTimeScale(-1)),
			`^run delay-server: .*exited with code 2`},
		{"unknown format of a recording", image,
			with(delayserver.WithRecording("a.txt", strings.NewReader("7"))),
			`^run delay-server: .*recording "a.txt" is invalid: use a file name NAME.csv, NAME.jtl or NAME.har`},
		{"recording with a directory", image,
			with(delayserver.WithRecording("a/b.csv", strings.NewReader("7"))),
			`^run delay-server: .*recording "a/b.csv" is invalid`},
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
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	second, err := delayserver.Run(canceled, image(t), dockertest.Labels())
	testcontainers.CleanupContainer(t, second)
	check := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want it to wrap %v", call, err, context.Canceled)
		}
	}
	check("Run", err)
	_, err = c.URL(canceled)
	check("URL", err)
	_, err = c.DelayURL(canceled, time.Second)
	check("DelayURL", err)
	_, err = c.AdminToken(canceled)
	check("AdminToken", err)
	_, err = c.Client(canceled)
	check("Client", err)
}
