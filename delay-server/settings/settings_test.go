package settings_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/settings"
)

type config struct {
	Host     string        `env:"HOST" envDefault:"127.0.0.1" help:"where to listen"`
	MaxDelay time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"longest wait"`
	MaxCalls int           `env:"MAX_CALLS" envDefault:"7" help:"most calls"`
	Hosts    []string      `env:"ORIGINS" help:"a list"`
	Level    slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"how much is logged"`
	Compat   bool          `env:"COMPAT" envDefault:"false" help:"old ways"`
}

func TestLoad(t *testing.T) {
	var c config
	err := settings.Load([]string{"MAX_DELAY=3s", "ORIGINS=a,b", "LOG_LEVEL=debug", "HOST=", "PATH=/bin", "HOSTNAME=box"}, &c, "MAX_")
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxDelay != 3*time.Second || strings.Join(c.Hosts, "+") != "a+b" || c.Level != slog.LevelDebug {
		t.Errorf("got %+v, want what the environment says", c)
	}
	if c.Host != "127.0.0.1" || c.MaxCalls != 7 || c.Compat {
		t.Errorf("got %+v, want the defaults for what is unset or empty", c)
	}
}

func TestLoadReportsAllAtOnce(t *testing.T) {
	var c config
	err := settings.Load([]string{
		"MAX_DELAY=5", "MAX_CALLS=many", "LOG_LEVEL=loud", "COMPAT=perhaps", // of the wrong form
		"MAX_DEALY=1s", "HOTS=x", // near misses
		"MAX_SPEED=3", // a known prefix
	}, &c, "MAX_")
	if err == nil {
		t.Fatal("Load of seven bad settings = nil")
	}
	want := []string{
		"HOTS: no such setting: did you mean HOST?",
		"MAX_DEALY: no such setting: did you mean MAX_DELAY?",
		"MAX_SPEED: no such setting: those that begin with MAX_ are MAX_DELAY, MAX_CALLS",
		`MAX_DELAY: "5" is not accepted: want a Go duration, such as 500ms, 10s or 2m`,
		`MAX_CALLS: "many" is not accepted: want a whole number`,
		`LOG_LEVEL: "loud" is not accepted: want debug, info, warn or error`,
		`COMPAT: "perhaps" is not accepted: want true or false`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestLoadLetsKubernetesLinksPass(t *testing.T) {
	var c config
	err := settings.Load([]string{
		"MAX_SERVICE_HOST=10.0.0.1", "MAX_SERVICE_PORT=3000", "MAX_PORT=tcp://10.0.0.1:3000", "MAX_PORT_3000_TCP_ADDR=10.0.0.1",
	}, &c, "MAX_")
	if err != nil {
		t.Errorf("got %v, want nil", err)
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
