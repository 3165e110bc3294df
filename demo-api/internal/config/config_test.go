package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"flash.test/demo-api/internal/config"
)

func TestDefaults(t *testing.T) {
	want := config.Config{
		Host: "localhost", Port: 5000,
		DatabaseConnections: 90,
		Calls:               2, MaxCalls: 1000, MaxInFlight: 10_000, Delay: "1000", MaxDelay: 10 * time.Minute, Timeout: 30 * time.Second, MaxHeaderSize: 32 << 10, WriteTimeout: 30 * time.Second,
		ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ShutdownTimeout: 10 * time.Second,
		LogFormat: "text",
	}
	for name, environ := range map[string][]string{
		"an empty environment": nil,
		"a usual one": {"PATH=/bin", "HOME=/", "HOSTNAME=demo", "LOGNAME=x", "TERM=xterm", "HTTP_PROXY=http://proxy:8080",
			"DELAY_SERVER_SERVICE_HOST=10.0.0.1", "DELAY_SERVER_PORT_3000_TCP=tcp://10.0.0.1:3000", "DELAY_SERVER_PORT=3000", "DEMO_API_PORT=5001",
			"DATABASE_PORT=tcp://10.0.0.2:5432", "DATABASE_SERVICE_HOST=10.0.0.2"},
		"settings that are set and empty": {"PORT=", "DELAY_SERVER_URL=", "DATABASE_URL=", "DELAY="},
	} {
		got, warnings, err := config.Load(environ)
		if err != nil || len(warnings) > 0 || got != want {
			t.Errorf("%s: Load = %+v, warnings %q, %v\nwant %+v and no warnings", name, got, warnings, err, want)
		}
	}
	if got := config.Default(); got != want {
		t.Errorf("Default() = %+v\nwant %+v", got, want)
	}
}

func TestAccepted(t *testing.T) {
	for _, environ := range [][]string{
		{"PORT=0"}, {"PORT=65535"}, {"HOST=::"}, {"CALLS=0"}, {"CALLS=4000", "MAX_CALLS=4000"}, {"CALLS=1", "MAX_CALLS=1"},
		{"DELAY=random"}, {"DELAY=1.5s"}, {"DELAY=10m"}, {"DELAY=20m", "MAX_DELAY=20m"}, {"SHUTDOWN_TIMEOUT=0s"},
		{"DELAY_SERVER_URL=http://delay-server:3000"}, {"DELAY_SERVER_URL=https://example.com/flash/"}, {"DELAY_SERVER_URL=http://[::1]:3000"},
		{"DATABASE_URL=postgres://localhost"}, {"DATABASE_URL=postgresql://demo:p%40ss@db:5432/demo?sslmode=disable"}, {"DATABASE_URL=postgres://demo@[::1]:5432/demo"},
		{"DATABASE_CONNECTIONS=1"}, {"MAX_IN_FLIGHT=1001"}, {"MAX_IN_FLIGHT=2", "MAX_CALLS=1", "CALLS=1"},
		{"DELAY_SERVER_URL=http://delay-server:3000", "DELAY_SERVER_TOKEN=s3cret!"},
		{"LOG_LEVEL=debug", "LOG_FORMAT=json"}, {"LOG_LEVEL=WARN"},
	} {
		if _, _, err := config.Load(environ); err != nil {
			t.Errorf("Load(%q) = %v, want no error", environ, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct{ environ, want string }{
		{"PORT=65536", "PORT: 65536 is invalid: use 0 to 65535"},
		{"PORT=-1", "PORT: -1 is invalid: use 0 to 65535"},
		{"PORT=http", `PORT: "http" is invalid: use a whole number`},
		{"CALLS=-1", "CALLS: -1 is invalid: use 0 to 1000, which is MAX_CALLS"},
		{"CALLS=1001", "CALLS: 1001 is invalid: use 0 to 1000, which is MAX_CALLS"},
		{"MAX_CALLS=4001", "MAX_CALLS: 4001 is invalid: use 1 to 4000"},
		{"MAX_CALLS=1", "CALLS: 2 is invalid: use 0 to 1, which is MAX_CALLS"},
		{"DELAY=soon", `DELAY: delay "soon" is not understood`},
		{"DELAY=11m", `DELAY: "11m" is longer than MAX_DELAY, 10m0s`},
		{"MAX_DELAY=999ms", `DELAY: "1000" is longer than MAX_DELAY, 999ms`},
		{"MAX_DELAY=10", `MAX_DELAY: "10" is invalid: use a Go duration`},
		{"TIMEOUT=0s", "TIMEOUT: 0s is invalid: use more than 0"},
		{"READ_TIMEOUT=-1s", "READ_TIMEOUT: -1s is invalid: use more than 0"},
		{"IDLE_TIMEOUT=0s", "IDLE_TIMEOUT: 0s is invalid: use more than 0"},
		{"SHUTDOWN_TIMEOUT=-1s", "SHUTDOWN_TIMEOUT: -1s is invalid: use 0 or more"},
		{"LOG_FORMAT=xml", `LOG_FORMAT: "xml" is invalid: use text or json`},
		{"LOG_LEVEL=loud", `LOG_LEVEL: "loud" is invalid`},
		{"DELAY_SERVER_URL=localhost:3000", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=/delay", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=ftp://host", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://:3000", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://host:0", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://host:65536", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://user:secret@host", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://host?x=1", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://host#x", "DELAY_SERVER_URL: "},
		{"DELAY_SERVER_URL=http://a host", "DELAY_SERVER_URL: "},
		{"DATABASE_CONNECTIONS=0", "DATABASE_CONNECTIONS: 0 is invalid: use 1 or more"},
		{"DATABASE_CONNECTIONS=all", `DATABASE_CONNECTIONS: "all" is invalid: use a whole number`},
		{"DATABASE_URL=localhost:5432", "DATABASE_URL: value is invalid: use postgres://user:password@host:port/database"},
		{"DATABASE_URL=mysql://demo:secret@db/demo", "DATABASE_URL: value is invalid: use postgres://"},
		{"DATABASE_URL=postgres:///demo", "DATABASE_URL: value is invalid: use postgres://"},
		{"DATABASE_URL=postgres://demo:secret@/demo", "DATABASE_URL: value is invalid: use postgres://"},
		{"DATABASE_URL=postgres://demo:secret@db:0/demo", "DATABASE_URL: value is invalid: use postgres://"},
		{"DATABASE_URL=postgres://demo:secret@db:port/demo", "DATABASE_URL: value is not a URL: use postgres://"},
		{"DATABASE_URL=postgres://demo:sec/ret@db/demo", "DATABASE_URL: value is not a URL: use postgres://"},
		{"DATABASE_URL=postgres://demo:se%zzcret@db/demo", "DATABASE_URL: value is not a URL: use postgres://"},
		{"DATABASE_URL=postgres://demo:secret@a,b/demo#x", "DATABASE_URL: value is invalid: use postgres://"},
		{"DATABASE_URL=postgres://demo:secret@db/demo?sslmode=requir", "DATABASE_URL: cannot parse `postgres://demo:xxxxx@db/demo?sslmode=requir`"},
		{"DATABASE_URL=postgres://demo@db/demo?password=secret&sslmode=requir", "DATABASE_URL: cannot parse `postgres://demo@db/demo?password=xxxxx&sslmode=requir`"},
		{"DATABASE_ULR=postgres://db", "DATABASE_ULR: unknown setting; did you mean DATABASE_URL?"},
		{"CALL=3", "CALL: unknown setting; did you mean CALLS?"},
		{"DEALY=3", "DEALY: unknown setting; did you mean DELAY?"},
		{"DELAY_SERVER_ULR=http://host", "DELAY_SERVER_ULR: unknown setting; did you mean DELAY_SERVER_URL?"},
		{"MAX_IN_FLIGHT=1000", "MAX_IN_FLIGHT: 1000 is invalid: use more than 1000, which is MAX_CALLS"},
		{"MAX_IN_FLIGHT=0", "MAX_IN_FLIGHT: 0 is invalid"},
		{"DELAY_SERVER_TOKEN=s3cret!", "DELAY_SERVER_TOKEN: it is set, and DELAY_SERVER_URL, whose it is, is not"},
	} {
		t.Run(tc.environ, func(t *testing.T) {
			_, _, err := config.Load([]string{tc.environ})
			if got := fmt.Sprint(err); !strings.HasPrefix(got, tc.want) || strings.Contains(got, "\n") {
				t.Errorf("Load(%s) = %s\nwant one error: %s…", tc.environ, got, tc.want)
			}
			if got := fmt.Sprint(err); strings.Contains(tc.environ, "DATABASE_URL") && (strings.Contains(got, "sec") || strings.Contains(got, "ret@")) {
				t.Errorf("Load(%s) = %s: the password is in it", tc.environ, got)
			}
		})
	}
}

func TestAllReportedAtOnce(t *testing.T) {
	_, _, err := config.Load([]string{"PORT=x", "TIMEOUT=0s", "LOG_FORMAT=xml", "CALL=1"})
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != 4 {
		t.Errorf("four bad settings: got %d lines, want one each:\n%v", len(lines), err)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := config.Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HOST", "PORT", "DELAY_SERVER_URL", "DELAY_SERVER_TOKEN", "DATABASE_URL", "DATABASE_CONNECTIONS", "CALLS", "MAX_CALLS", "MAX_IN_FLIGHT", "DELAY", "MAX_DELAY", "TIMEOUT",
		"READ_TIMEOUT", "IDLE_TIMEOUT", "SHUTDOWN_TIMEOUT", "LOG_LEVEL", "LOG_FORMAT"} {
		if !strings.Contains(b.String(), "\n"+name+" ") {
			t.Errorf("no line for %s in\n%s", name, &b)
		}
	}
}

func TestNewLogger(t *testing.T) {
	for format, want := range map[string]string{"text": "level=WARN msg=hello\n", "json": `"level":"WARN","msg":"hello"}` + "\n"} {
		var b bytes.Buffer
		log := config.Config{LogLevel: slog.LevelWarn, LogFormat: format}.NewLogger(&b)
		log.Info("not this")
		log.Warn("hello")
		if !strings.HasSuffix(b.String(), want) || strings.Contains(b.String(), "not this") {
			t.Errorf("%s: got %q, want %q", format, b.String(), want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct{ environ, want string }{
		{"DATABASE_HOST=db", "DATABASE_HOST: unknown setting; settings with prefix DATABASE_: DATABASE_URL, DATABASE_CONNECTIONS"},
		{"DATABASE_URL_FILE=/run/secrets/url", "DATABASE_URL_FILE: unknown setting; DATABASE_URL is not read from a file"},
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
