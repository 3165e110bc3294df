package httpkit

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/settings"
	"flash.test/delay-server/kit/version"
)

// Config has the settings of both programs. A program's settings embed it.
type Config struct {
	Host          string `env:"HOST" envDefault:"localhost" help:"address to listen on; localhost is 127.0.0.1 and ::1, 0.0.0.0 is all"`
	PublishedPort *int   `env:"PUBLISHED_PORT" help:"host port of the container, for the URLs printed at start; 0 if it is random"`

	MaxHeaderSize   int           `env:"MAX_HEADER_SIZE" envDefault:"32768" help:"bytes of request line and header, at least 16384; larger ones get 431"`
	ReadTimeout     time.Duration `env:"READ_TIMEOUT" envDefault:"10s" help:"time to receive a request's header, and again its body"`
	WriteTimeout    time.Duration `env:"WRITE_TIMEOUT" envDefault:"30s" help:"time to send a response, or each 32 KB of it; then the connection ends"`
	IdleTimeout     time.Duration `env:"IDLE_TIMEOUT" envDefault:"2m" help:"time to keep an idle connection open"`
	ShutdownDelay   time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" help:"time to keep serving after SIGTERM while /readyz answers 503"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" help:"time for waiting requests to finish after SHUTDOWN_DELAY; the rest get 503"`

	OTLPEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector (OTLP over HTTP), such as http://localhost:4318"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" help:"debug (logs each request), info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`
}

// Validate returns one error for each invalid setting, joined.
func (c Config) Validate() error {
	var v settings.Validation
	v.Check(c.PublishedPort == nil || IsPort(*c.PublishedPort), "PUBLISHED_PORT: value is invalid: use 0 to 65535")
	v.Check(c.MaxHeaderSize >= program.MinHeaderSize && c.MaxHeaderSize <= http.DefaultMaxHeaderBytes,
		"MAX_HEADER_SIZE: %d is invalid: use %d to %d",
		c.MaxHeaderSize, program.MinHeaderSize, http.DefaultMaxHeaderBytes)
	v.Check(c.ReadTimeout > 0, "READ_TIMEOUT: %v is invalid: use more than 0", c.ReadTimeout)
	v.Check(c.WriteTimeout > 0, "WRITE_TIMEOUT: %v is invalid: use more than 0", c.WriteTimeout)
	v.Check(c.IdleTimeout > 0, "IDLE_TIMEOUT: %v is invalid: use more than 0", c.IdleTimeout)
	v.Check(c.ShutdownDelay >= 0, "SHUTDOWN_DELAY: %v is invalid: use 0 or more", c.ShutdownDelay)
	v.Check(c.ShutdownTimeout >= 0, "SHUTDOWN_TIMEOUT: %v is invalid: use 0 or more", c.ShutdownTimeout)
	v.Check(c.OTLPEndpoint == "" || IsBaseURL(c.OTLPEndpoint),
		"OTEL_EXPORTER_OTLP_ENDPOINT: %q is invalid: use a URL such as http://localhost:4318", c.OTLPEndpoint)
	v.Check(c.LogFormat == "text" || c.LogFormat == "json", "LOG_FORMAT: %q is invalid: use text or json", c.LogFormat)
	return v.Err()
}

// NewLogger returns a logger to w with the level and format of c.
func (c Config) NewLogger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// HTTP returns a server of handler with the timeouts and limits of c. The caller
// sets the rest.
func (c Config) HTTP(handler http.Handler, log *slog.Logger) program.HTTP {
	return program.HTTP{
		Handler:           handler,
		Log:               log,
		ReadHeaderTimeout: c.ReadTimeout,
		IdleTimeout:       c.IdleTimeout,
		WriteTimeout:      c.WriteTimeout,
		MaxHeaderSize:     c.MaxHeaderSize,
		ShutdownDelay:     c.ShutdownDelay,
		ShutdownTimeout:   c.ShutdownTimeout,
	}
}

// IsPort reports whether n is a port to listen on, or 0.
func IsPort(n int) bool { return n >= 0 && n <= 65535 }

// IsBaseURL reports whether s is an http or https URL to which a path can be added.
// User information is invalid: it would appear in responses and logs.
func IsBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && HasHost(u) && !strings.ContainsAny(s, "?#@")
}

// IsLink reports whether s is empty, a base URL, or a base URL with port 0: the program is
// published at a random port.
func IsLink(s string) bool { return s == "" || IsBaseURL(s) || hasRandomPort(s) }

// Link returns the URL of a link to s, for which IsLink is true, or "" if it is unknown.
func Link(s string) string {
	if hasRandomPort(s) {
		return ""
	}
	return s
}

func hasRandomPort(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Port() != "0" {
		return false
	}
	u.Host = strings.TrimSuffix(u.Host, ":0")
	return IsBaseURL(u.String())
}

// IsLocal reports whether a base URL is of a program on this machine. Browsers on other
// machines reach it by another host.
func IsLocal(baseURL string) bool {
	u, err := url.Parse(baseURL)
	return err == nil && program.IsLoopback(u.Hostname())
}

// HasHost reports whether u has a host, and no port or a valid one.
func HasHost(u *url.URL) bool {
	port, err := strconv.Atoi(u.Port())
	return u.Hostname() != "" && (u.Port() == "" || err == nil && port > 0 && IsPort(port))
}

// Announce prints b with the published port or, if LOG_FORMAT is json, logs its address.
func (c Config) Announce(b program.Banner, stdout io.Writer, log *slog.Logger) {
	if c.LogFormat == "json" {
		log.Info("listening", "url", program.URLs("http", b.Listening)[0], "version", version.Get().Version)
		return
	}
	b.PublishedPort = c.PublishedPort
	b.Write(stdout)
}
