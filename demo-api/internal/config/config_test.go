package config_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/httpkit"

	"flash.test/demo-api/internal/config"
)

func TestDefaults(t *testing.T) {
	want := config.Config{
		Port:                5000,
		DatabaseConnections: 90,
		AgainstHosts:        []string{"localhost", "127.0.0.1", "[::1]"},
		Calls:               2, MaxCalls: 1000, MaxInFlight: 10_000,
		Delay: "1000", MaxDelay: 10 * time.Minute, Timeout: 30 * time.Second,
		Config: httpkit.Config{
			Host: "localhost", MaxHeaderSize: 32 << 10,
			ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
			IdleTimeout: 2 * time.Minute, ShutdownTimeout: 10 * time.Second,
			LogFormat: "text",
		},
	}
	for name, environ := range map[string][]string{
		"an empty environment": nil,
		"the environment of a container": {
			"PATH=/bin", "HOME=/", "HOSTNAME=demo", "LOGNAME=x", "TERM=xterm", "HTTP_PROXY=http://proxy:8080",
			"DELAY_SERVER_SERVICE_HOST=10.0.0.1", "DELAY_SERVER_PORT_3000_TCP=tcp://10.0.0.1:3000",
			"DELAY_SERVER_PORT=3000", "DEMO_API_PORT=5001",
			"DATABASE_PORT=tcp://10.0.0.2:5432", "DATABASE_SERVICE_HOST=10.0.0.2",
		},
		"empty settings": {"PORT=", "DELAY_SERVER_URL=", "DATABASE_URL=", "DELAY="},
	} {
		got, warnings, err := config.Load(environ)
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Load = %+v, warnings %q, %v\nwant %+v and no warnings", name, got, warnings, err, want)
		}
	}
	if got := config.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("Default() = %+v\nwant %+v", got, want)
	}
}

func TestValid(t *testing.T) {
	for _, environ := range [][]string{
		{"PORT=0"}, {"PORT=65535"}, {"HOST=::"}, {"SHUTDOWN_TIMEOUT=0s"}, {"LOG_LEVEL=debug", "LOG_FORMAT=json"},
		{"CALLS=0"}, {"CALLS=4000", "MAX_CALLS=4000"}, {"CALLS=1", "MAX_CALLS=1"},
		{"DELAY=random"}, {"DELAY=1.5s"}, {"DELAY=10m"}, {"DELAY=20m", "MAX_DELAY=20m"},
		{"DELAY_SERVER_URL=http://delay-server:3000"}, {"DELAY_SERVER_URL=https://example.com/flash/"},
		{"DATABASE_URL=postgres://localhost"}, {"DATABASE_URL=postgres://demo@[::1]:5432/demo"},
		{"DATABASE_URL=postgresql://demo:p%40ss@db:5432/demo?sslmode=disable"},
		{"AGAINST_HOSTS=none"}, {"AGAINST_HOSTS=host.docker.internal,[::1]:5001,10.0.0.7:80"},
		{"AGAINST_HOSTS=*"}, {"AGAINST_HOSTS=localhost,192.168.0.0/16,fd00::/8"},
		{"DATABASE_CONNECTIONS=1"}, {"MAX_IN_FLIGHT=1001"}, {"MAX_IN_FLIGHT=2", "MAX_CALLS=1", "CALLS=1"},
		{"DELAY_SERVER_URL=http://delay-server:3000", "DELAY_SERVER_TOKEN=s3cret!"},
		{"DELAY_SERVER_URL=http://delay-server:3000", "DELAY_SERVER_PUBLIC_URL=http://localhost:3000"},
	} {
		if _, _, err := config.Load(environ); err != nil {
			t.Errorf("Load(%q) = %v, want no error", environ, err)
		}
	}
}

// kit/settings and kit/httpkit test what both programs share.
func TestInvalid(t *testing.T) {
	const database = "use postgres://user:password@host:port/database"
	for _, tc := range []struct{ environ, want string }{
		{"PORT=65536", "PORT: 65536 is invalid: use 0 to 65535"},
		{"PORT=-1", "PORT: -1 is invalid: use 0 to 65535"},
		{"CALLS=-1", "CALLS: -1 is invalid: use 0 to 1000 (MAX_CALLS)"},
		{"CALLS=1001", "CALLS: 1001 is invalid: use 0 to 1000 (MAX_CALLS)"},
		{"MAX_CALLS=4001", "MAX_CALLS: 4001 is invalid: use 1 to 4000"},
		{"MAX_CALLS=1", "CALLS: 2 is invalid: use 0 to 1 (MAX_CALLS)"},
		{"MAX_IN_FLIGHT=1000", "MAX_IN_FLIGHT: 1000 is invalid: use more than 1000 (MAX_CALLS)"},
		{"DELAY=soon", `DELAY: delay "soon" is invalid (unknown form)`},
		{"DELAY=11m", `DELAY: "11m" is too long: use at most 10m0s (MAX_DELAY)`},
		{"MAX_DELAY=999ms", `DELAY: "1000" is too long: use at most 999ms (MAX_DELAY)`},
		{"TIMEOUT=0s", "TIMEOUT: 0s is invalid: use more than 0"},
		{"READ_TIMEOUT=-1s", "READ_TIMEOUT: -1s is invalid: use more than 0"},
		{"DELAY_SERVER_URL=localhost:3000",
			`DELAY_SERVER_URL: "localhost:3000" is invalid: use http://host:port or https://host:port`},
		{"DELAY_SERVER_PUBLIC_URL=http://localhost:3000",
			"DELAY_SERVER_PUBLIC_URL: value is invalid: it needs DELAY_SERVER_URL"},
		{"DELAY_SERVER_TOKEN=s3cret!", "DELAY_SERVER_TOKEN: value is invalid: it needs DELAY_SERVER_URL"},
		{"AGAINST_HOSTS=http://localhost",
			`AGAINST_HOSTS: "http://localhost" is invalid: use *, none, or hosts such as `},
		{"AGAINST_HOSTS=user@localhost", `AGAINST_HOSTS: "user@localhost" is invalid: `},
		{"AGAINST_HOSTS=localhost:0", `AGAINST_HOSTS: "localhost:0" is invalid: `},
		{"AGAINST_HOSTS=*.example.com", `AGAINST_HOSTS: "*.example.com" is invalid: `},
		{"AGAINST_HOSTS=10.0.0.0/33", `AGAINST_HOSTS: "10.0.0.0/33" is invalid: `},
		{"AGAINST_HOSTS=::ffff:10.0.0.0/104", `AGAINST_HOSTS: "::ffff:10.0.0.0/104" is invalid: `},
		{"DATABASE_CONNECTIONS=0", "DATABASE_CONNECTIONS: 0 is invalid: use 1 or more"},
		{"DATABASE_URL=localhost:5432", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=mysql://demo:secret@db/demo", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=postgres:///demo", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=postgres://demo:secret@/demo", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=postgres://demo:secret@db:0/demo", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=postgres://demo:secret@a,b/demo#x", "DATABASE_URL: value is invalid: " + database},
		{"DATABASE_URL=postgres://demo:secret@db:port/demo", "DATABASE_URL: value is not a URL: " + database},
		{"DATABASE_URL=postgres://demo:sec/ret@db/demo", "DATABASE_URL: value is not a URL: " + database},
		{"DATABASE_URL=postgres://demo:se%zzcret@db/demo", "DATABASE_URL: value is not a URL: " + database},
		{"DATABASE_URL=postgres://demo:secret@db/demo?sslmode=requir",
			"DATABASE_URL: cannot parse `postgres://demo:xxxxx@db/demo?sslmode=requir`"},
		{"DATABASE_URL=postgres://demo@db/demo?password=secret&sslmode=requir",
			"DATABASE_URL: cannot parse `postgres://demo@db/demo?password=xxxxx&sslmode=requir`"},
	} {
		t.Run(tc.environ, func(t *testing.T) {
			_, _, err := config.Load([]string{tc.environ})
			got := fmt.Sprint(err)
			if !strings.HasPrefix(got, tc.want) || strings.Contains(got, "\n") {
				t.Errorf("Load(%s) = %s\nwant one error: %s…", tc.environ, got, tc.want)
			}
			isURL := strings.Contains(tc.environ, "DATABASE_URL")
			if isURL && (strings.Contains(got, "sec") || strings.Contains(got, "ret@")) {
				t.Errorf("Load(%s) = %s: the password is in it", tc.environ, got)
			}
		})
	}
}

func TestAllErrorsAreReported(t *testing.T) {
	_, _, err := config.Load([]string{"PORT=x", "TIMEOUT=0s", "LOG_FORMAT=xml", "CALL=1"})
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != 4 {
		t.Errorf("four invalid settings: got %d lines, want 4:\n%v", len(lines), err)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := config.Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"PORT", "DELAY_SERVER_URL", "DELAY_SERVER_PUBLIC_URL",
		"DELAY_SERVER_TOKEN", "DATABASE_URL", "DATABASE_CONNECTIONS",
		"CALLS", "MAX_CALLS", "MAX_IN_FLIGHT", "DELAY", "MAX_DELAY", "TIMEOUT", "HOST", "LOG_FORMAT",
	} {
		if !strings.Contains(b.String(), "\n"+name+" ") {
			t.Errorf("no line for %s in\n%s", name, &b)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct{ environ, want string }{
		{"DATABASE_HOST=db", "DATABASE_HOST: unknown setting; settings with prefix DATABASE_: DATABASE_URL, "},
		{"DATABASE_URL_FILE=/url", "DATABASE_URL_FILE: unknown setting; DATABASE_URL is not read from a file"},
		{"DELAY_SERVER=http://host", "DELAY_SERVER: unknown setting; settings with prefix DELAY_: DELAY_SERVER_URL"},
		{"MAX_WAIT=5", "MAX_WAIT: unknown setting; settings with prefix MAX_: MAX_CALLS, MAX_IN_FLIGHT, MAX_DELAY"},
		{"LOG_COLOUR=yes", "LOG_COLOUR: unknown setting"},
	} {
		_, warnings, err := config.Load([]string{tc.environ})
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], tc.want) {
			t.Errorf("Load(%s): got warnings %q, error %v, want one: %s…", tc.environ, warnings, err, tc.want)
		}
	}
}
