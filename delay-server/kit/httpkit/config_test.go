package httpkit_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/settings"
)

// program's settings embed Config, as both programs' do.
type programConfig struct {
	Port int `env:"PORT" envDefault:"3000" help:"port to listen on"`
	httpkit.Config
	Calls int `env:"CALLS" envDefault:"2" help:"calls"`
}

func load(t *testing.T, environ ...string) (programConfig, error) {
	t.Helper()
	var c programConfig
	_, err := settings.Load(environ, &c)
	return c, err
}

func TestConfigIsEmbedded(t *testing.T) {
	c, err := load(t, "HOST=::", "READ_TIMEOUT=3s", "CALLS=5")
	if err != nil || c.Host != "::" || c.ReadTimeout.Seconds() != 3 || c.Calls != 5 || c.LogFormat != "text" {
		t.Errorf("Load = %+v, %v", c, err)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	var names []string
	for _, s := range settings.List(c) {
		names = append(names, s.Name)
	}
	got := strings.Join(names, " ")
	if !strings.HasPrefix(got, "PORT HOST PUBLISHED_PORT ") || !strings.HasSuffix(got, " LOG_FORMAT CALLS") {
		t.Errorf("List: got %s, want the settings of Config between PORT and CALLS", got)
	}
}

func TestConfigErrorsNameTheSetting(t *testing.T) {
	for _, environ := range []string{
		"PUBLISHED_PORT=65536", "PUBLISHED_PORT=x", "MAX_HEADER_SIZE=1", "MAX_HEADER_SIZE=x",
		"READ_TIMEOUT=0s", "WRITE_TIMEOUT=-1s",
		"IDLE_TIMEOUT=soon", "SHUTDOWN_DELAY=-1s", "SHUTDOWN_TIMEOUT=-1s", "LOG_FORMAT=xml", "LOG_LEVEL=loud",
		"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318",
	} {
		name, _, _ := strings.Cut(environ, "=")
		c, err := load(t, environ)
		if err == nil {
			err = c.Validate()
		}
		if err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got error %v, want one that begins with %s", environ, err, name)
		}
	}
}

func TestNewLogger(t *testing.T) {
	for format, want := range map[string]string{
		"text": "level=WARN msg=hello\n",
		"json": `"level":"WARN","msg":"hello"}` + "\n",
	} {
		var b bytes.Buffer
		log := httpkit.Config{LogLevel: slog.LevelWarn, LogFormat: format}.NewLogger(&b)
		log.Info("not this")
		log.Warn("hello")
		if !strings.HasSuffix(b.String(), want) || strings.Contains(b.String(), "not this") {
			t.Errorf("%s: got %q, want %q", format, b.String(), want)
		}
	}
}

func TestIsBaseURL(t *testing.T) {
	for s, want := range map[string]bool{
		"http://localhost:4318":       true,
		"https://example.com/flash/":  true,
		"http://[::1]:3000":           true,
		"":                            false,
		"localhost:3000":              false,
		"/delay":                      false,
		"ftp://host":                  false,
		"http://":                     false,
		"http://:3000":                false,
		"http://host:0":               false,
		"http://host:65536":           false,
		"http://user:secret@host":     false,
		"http://host?x=1":             false,
		"http://host#x":               false,
		"http://a host":               false,
		"http://host/path?":           false,
		"HTTP://host":                 true,
		"http://host:3000/with%20gap": true,
	} {
		if got := httpkit.IsBaseURL(s); got != want {
			t.Errorf("IsBaseURL(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	for _, tc := range []struct {
		url   string
		valid bool
		link  string
		local bool
	}{
		{"", true, "", false},
		{"http://localhost:5000", true, "http://localhost:5000", true},
		{"http://127.0.0.2:5000/", true, "http://127.0.0.2:5000/", true},
		{"http://[::1]:5000", true, "http://[::1]:5000", true},
		{"https://demo.example.com", true, "https://demo.example.com", false},
		{"http://192.168.1.2:5000", true, "http://192.168.1.2:5000", false},
		{"http://localhost.example.com", true, "http://localhost.example.com", false},
		{"http://localhost:0", true, "", true},
		{"http://[::1]:0/", true, "", true},
		{"http://:0", false, "", false},
		{"ftp://localhost:0", false, "", true},
		{"localhost:5000", false, "", false},
		{"http://user@localhost", false, "", true},
	} {
		valid := httpkit.IsLink(tc.url)
		if valid != tc.valid || valid && httpkit.Link(tc.url) != tc.link || httpkit.IsLocal(tc.url) != tc.local {
			t.Errorf("%q: IsLink %v, Link %q, IsLocal %v; want %v, %q, %v", tc.url, valid, httpkit.Link(tc.url),
				httpkit.IsLocal(tc.url), tc.valid, tc.link, tc.local)
		}
	}
}
