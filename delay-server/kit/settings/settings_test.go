package settings_test

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/settings"
)

type config struct {
	Host     string        `env:"HOST" envDefault:"127.0.0.1" help:"where to listen"`
	Port     int           `env:"PORT" envDefault:"3000" help:"port"`
	TLSPort  int           `env:"TLS_PORT" envDefault:"3443" help:"port with TLS"`
	MaxDelay time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"longest wait"`
	MaxCalls int           `env:"MAX_CALLS" envDefault:"7" help:"most calls"`
	Hosts    []string      `env:"ORIGINS" help:"a list"`
	Level    slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"how much is logged"`
	Compat   bool          `env:"COMPAT" envDefault:"false" renamed:"OLD_WAYS" help:"old ways"`
}

func TestLoad(t *testing.T) {
	var c config
	environ := []string{"MAX_DELAY=3s", "ORIGINS=a,b", "LOG_LEVEL=debug", "HOST=", "PATH=/bin", "HOSTNAME=box"}
	warnings, err := settings.Load(environ, &c, "MAX_")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("got warnings %q, error %v, want neither", warnings, err)
	}
	if c.MaxDelay != 3*time.Second || strings.Join(c.Hosts, "+") != "a+b" || c.Level != slog.LevelDebug {
		t.Errorf("got %+v, want the values of the environment", c)
	}
	if c.Host != "127.0.0.1" || c.MaxCalls != 7 || c.Compat {
		t.Errorf("got %+v, want defaults for unset and empty variables", c)
	}
}

type duration struct {
	Max time.Duration `env:"MAX" envDefault:"1s"`
	Min time.Duration `env:"MIN" envDefault:"1ms"`
}

func (d duration) Validate() error {
	var v settings.Validation
	v.Check(d.Max > 0, "MAX: not above 0")
	v.Check(d.Min > 0, "MIN: not above 0")
	return v.Err()
}

func TestRead(t *testing.T) {
	d, warnings, err := settings.Read[duration]([]string{"MAX=x", "MIN=0s", "min=1s"})
	want := "MAX: \"x\" is invalid: use a Go duration such as 500ms, 10s or 2m\nMIN: not above 0"
	if err == nil || err.Error() != want || len(warnings) != 1 || d != (duration{Max: time.Second}) {
		t.Errorf("got %+v, warnings %q, error %v; want the default of MAX, one warning and %s", d, warnings, err, want)
	}
	if got := settings.Default[duration](); got != (duration{Max: time.Second, Min: time.Millisecond}) {
		t.Errorf("Default: got %+v", got)
	}
}

func TestLoadReadsOldNames(t *testing.T) {
	var c config
	warnings, err := settings.Load([]string{"OLD_WAYS=true"}, &c)
	want := "OLD_WAYS: renamed to COMPAT; the old name still works"
	if err != nil || !c.Compat || len(warnings) != 1 || warnings[0] != want {
		t.Errorf("got %v, warnings %q, error %v; want true and %q", c.Compat, warnings, err, want)
	}
	_, err = settings.Load([]string{"OLD_WAYS=true", "COMPAT=false"}, &c)
	if want := "OLD_WAYS and COMPAT conflict: OLD_WAYS is the old name of COMPAT"; err == nil || err.Error() != want {
		t.Errorf("both names: got %v, want %s", err, want)
	}
}

func TestLoadReportsAllErrors(t *testing.T) {
	var c config
	_, err := settings.Load([]string{
		"MAX_DELAY=5", "MAX_CALLS=many", "LOG_LEVEL=loud", "COMPAT=perhaps", // invalid values
		"MAX_DEALY=1s", "HOTS=x", // misspelt names
	}, &c, "MAX_")
	if err == nil {
		t.Fatal("Load of six bad settings = nil")
	}
	want := []string{
		"HOTS: unknown setting; did you mean HOST?",
		"MAX_DEALY: unknown setting; did you mean MAX_DELAY?",
		`MAX_DELAY: "5" is invalid: use a Go duration such as 500ms, 10s or 2m`,
		`MAX_CALLS: "many" is invalid: use a whole number`,
		`LOG_LEVEL: "loud" is invalid: use debug, info, warn or error`,
		`COMPAT: "perhaps" is invalid: use true or false`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestLoadIgnoresForeignVariables(t *testing.T) {
	want := config{Host: "127.0.0.1", Port: 3000, MaxDelay: 10 * time.Minute, MaxCalls: 7}
	for _, tc := range []struct {
		name    string
		environ []string
	}{
		{"Kubernetes service max", []string{
			"MAX_SERVICE_HOST=10.0.0.1", "MAX_SERVICE_PORT=3000", "MAX_SERVICE_PORT_HTTP=3000",
			"MAX_PORT=tcp://10.0.0.1:3000", "MAX_PORT_3000_TCP=tcp://10.0.0.1:3000", "MAX_PORT_3000_TCP_PROTO=tcp",
			"MAX_PORT_3000_TCP_PORT=3000", "MAX_PORT_3000_TCP_ADDR=10.0.0.1"}},
		{"service tls: its URL has a setting's name", []string{
			"TLS_PORT=tcp://10.0.0.1:443", "TLS_SERVICE_HOST=10.0.0.1", "TLS_PORT_443_TCP=tcp://10.0.0.1:443"}},
		{"services whose URL is almost a setting's name", []string{
			"TL_PORT=tcp://10.0.0.1:443", "TLSS_PORT=udp://10.0.0.1:53", "LS_PORT=sctp://10.0.0.1:53"}},
		{"service host", []string{"HOST_PORT=tcp://10.0.0.1:80", "HOST_SERVICE_HOST=10.0.0.1"}},
		{"ports of a compose file", []string{"MAX_PORT=3000"}},
		{"Marathon ports", []string{"PORTS=31000,31001", "PORT0=31000", "PORT_8080=31000"}},
		{"systemd journal", []string{"JOURNAL_STREAM=8:1234"}},
		{"C build", []string{"CHOST=x86_64-pc-linux-gnu", "SED=/bin/sed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c config
			warnings, err := settings.Load(tc.environ, &c, "MAX_", "TLS_", "JOURNAL_")
			if err != nil || len(warnings) > 0 {
				t.Errorf("got warnings %q, error %v, want neither", warnings, err)
			}
			if want.TLSPort = 3443; !reflect.DeepEqual(c, want) {
				t.Errorf("got %+v, want the defaults %+v", c, want)
			}
		})
	}
}

func TestLoadWarns(t *testing.T) {
	for _, tc := range []struct{ name, environ, want string }{
		{"only the prefix is known", "MAX_SPEED=3",
			"MAX_SPEED: unknown setting; settings with prefix MAX_: MAX_DELAY, MAX_CALLS"},
		{"GNU ls", "TIME_STYLE=long-iso", "TIME_STYLE: unknown setting; settings with prefix TIME_: "},
		{"a secret from a file", "TLS_PORT_FILE=/run/secrets/port",
			"TLS_PORT_FILE: unknown setting; TLS_PORT is not read from a file"},
		{"lower case", "max_delay=1s", "max_delay: unknown setting; did you mean MAX_DELAY?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c config
			warnings, err := settings.Load([]string{tc.environ, "PATH=/bin"}, &c, "MAX_", "TIME_")
			if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], tc.want) {
				t.Errorf("Load(%s): got warnings %q, error %v, want %q", tc.environ, warnings, err, tc.want)
			}
		})
	}
}

func TestLoadRejectsMisspeltNames(t *testing.T) {
	for _, environ := range []string{
		"TLS_PORT=http", "PORT=tcp://10.0.0.1:80", "TL_PORT=443", "PROT=80", "POTR=80", "HSOT=x", "PORTT=80",
	} {
		var c config
		if warnings, err := settings.Load([]string{environ}, &c, "TLS_"); err == nil {
			t.Errorf("Load(%s): got warnings %q and no error, want an error", environ, warnings)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := settings.Table(&b, config{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MAX_DELAY  10m        longest wait\n", "ORIGINS    (none)     a list\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table has no line %q:\n%s", want, b.String())
		}
	}
}
