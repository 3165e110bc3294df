// Package config is the settings of demo-api.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/settings"
)

// Config is the one list of settings. The tags name the environment variable,
// its default and its line in the table of --help.
type Config struct {
	Host string `env:"HOST" envDefault:"localhost" help:"address to listen on; localhost is 127.0.0.1 and ::1, 0.0.0.0 is all (the image's default)"`
	Port int    `env:"PORT" envDefault:"5000" help:"port to listen on; 0 for any free one"`

	PublishedPort *int `env:"PUBLISHED_PORT" help:"port of the host at which a container engine publishes PORT, for the addresses printed at the start; 0 for one that the engine chose"`

	DelayServerURL   string `env:"DELAY_SERVER_URL" help:"the slow service to call, such as http://localhost:3000; none runs one in this process"`
	DelayServerToken string `env:"DELAY_SERVER_TOKEN" help:"its ADMIN_TOKEN, where it has one: a race reads the peak in flight with it"`

	DatabaseURL         string `env:"DATABASE_URL" help:"the database that ?db= asks, such as postgres://user:password@localhost:5432/demo; none is an SQLite in this process"`
	DatabaseConnections int    `env:"DATABASE_CONNECTIONS" envDefault:"90" help:"the most connections to it at once, fewer than it takes; a query beyond waits for one, which counts into its call"`

	Calls       int           `env:"CALLS" envDefault:"2" help:"calls that a request without ?calls= makes"`
	MaxCalls    int           `env:"MAX_CALLS" envDefault:"1000" help:"the most that ?calls= may ask for, 1 to 4000"`
	MaxInFlight int           `env:"MAX_IN_FLIGHT" envDefault:"10000" help:"calls at once, over all requests: one that could go beyond is answered 503"`
	Delay       string        `env:"DELAY" envDefault:"1000" help:"delay of each call of a request without ?delay=, as delay-server reads it"`
	MaxDelay    time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"a longer fixed delay is answered 400, never cut"`
	Timeout     time.Duration `env:"TIMEOUT" envDefault:"30s" help:"time for one call; one that takes longer fails the request, with 504"`

	MaxHeaderSize int `env:"MAX_HEADER_SIZE" envDefault:"32768" help:"bytes of a request's line and header, 16384 or more; a larger one is answered 431, or its connection ended"`

	ReadTimeout     time.Duration `env:"READ_TIMEOUT" envDefault:"10s" help:"time for a client to send its headers, and again its body"`
	WriteTimeout    time.Duration `env:"WRITE_TIMEOUT" envDefault:"30s" help:"time for a client to take an answer, or each 32 KB of one, from when it is due; then its connection is ended, or its stream of HTTP/2"`
	IdleTimeout     time.Duration `env:"IDLE_TIMEOUT" envDefault:"2m" help:"time that a connection is kept open between requests; one to DELAY_SERVER_URL 90s at the most"`
	ShutdownDelay   time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" help:"time to serve on after SIGTERM while /readyz answers 503, for load balancers to see it; then SHUTDOWN_TIMEOUT begins"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" help:"time for waiting requests to finish after SIGTERM; those left are answered 503"`

	OTLPEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector to send traces to by OTLP over HTTP, such as http://localhost:4318; none sends none"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" help:"debug (a line for each request), info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`
}

// prefixes begin the names of settings and of nothing else that is usual in an
// environment: a variable that begins so and is no setting gets a warning.
var prefixes = []string{"DELAY_", "DATABASE_", "CALLS_", "MAX_", "TIMEOUT_", "READ_", "WRITE_", "IDLE_", "SHUTDOWN_", "LOG_"}

// mostCalls keeps Server-Timing, which names each call in about 20 bytes,
// below the 100 KB that curl takes as one line of a header.
const mostCalls = 4000

// Default returns the settings of an empty environment.
func Default() Config {
	var c Config
	if _, err := settings.Load(nil, &c); err != nil {
		panic(err) // a default of the tags above cannot be read
	}
	return c
}

// Load reads the settings from environ, which has the form of os.Environ. The
// warnings name what only resembles a setting. The error joins all that is wrong
// with the settings, one error a setting.
func Load(environ []string) (c Config, warnings []string, err error) {
	c = Default() // what cannot be read stays valid: it is reported once
	warnings, err = settings.Load(environ, &c, prefixes...)
	return c, warnings, errors.Join(err, c.Validate())
}

// Table writes the table of all settings with their defaults.
func Table(w io.Writer) error { return settings.Table(w, Config{}) }

// NewLogger returns a logger to w of the level and format that c asks for.
func (c Config) NewLogger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// Validate returns all that is wrong with c, joined: one error a setting, which
// names it as the environment does.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Port >= 0 && c.Port <= 65535, "PORT: %d is invalid: use 0 to 65535", c.Port)
	check(c.PublishedPort == nil || *c.PublishedPort >= 0 && *c.PublishedPort <= 65535, "PUBLISHED_PORT: value is invalid: use 0 to 65535")
	check(c.MaxCalls >= 1 && c.MaxCalls <= mostCalls, "MAX_CALLS: %d is invalid: use 1 to %d", c.MaxCalls, mostCalls)
	check(c.Calls >= 0 && c.Calls <= c.MaxCalls, "CALLS: %d is invalid: use 0 to %d, which is MAX_CALLS", c.Calls, c.MaxCalls)
	check(c.MaxInFlight > c.MaxCalls, "MAX_IN_FLIGHT: %d is invalid: use more than %d, which is MAX_CALLS: a race makes one call more", c.MaxInFlight, c.MaxCalls)
	check(c.MaxDelay > 0, "MAX_DELAY: %v is invalid: use more than 0", c.MaxDelay)
	check(c.Timeout > 0, "TIMEOUT: %v is invalid: use more than 0", c.Timeout)
	check(c.ReadTimeout > 0, "READ_TIMEOUT: %v is invalid: use more than 0", c.ReadTimeout)
	check(c.WriteTimeout > 0, "WRITE_TIMEOUT: %v is invalid: use more than 0", c.WriteTimeout)
	check(c.MaxHeaderSize >= program.MinHeaderSize && c.MaxHeaderSize <= http.DefaultMaxHeaderBytes, "MAX_HEADER_SIZE: %d is invalid: use %d to %d", c.MaxHeaderSize, program.MinHeaderSize, http.DefaultMaxHeaderBytes)
	check(c.IdleTimeout > 0, "IDLE_TIMEOUT: %v is invalid: use more than 0", c.IdleTimeout)
	check(c.ShutdownDelay >= 0, "SHUTDOWN_DELAY: %v is invalid: use 0 or more", c.ShutdownDelay)
	check(c.ShutdownTimeout >= 0, "SHUTDOWN_TIMEOUT: %v is invalid: use 0 or more", c.ShutdownTimeout)
	check(c.LogFormat == "text" || c.LogFormat == "json", "LOG_FORMAT: %q is invalid: use text or json", c.LogFormat)
	check(c.OTLPEndpoint == "" || isBase(c.OTLPEndpoint), "OTEL_EXPORTER_OTLP_ENDPOINT: %q is invalid: use a URL such as http://localhost:4318; what the collector has to be told besides, in OTEL_EXPORTER_OTLP_HEADERS", c.OTLPEndpoint)
	check(c.DelayServerURL == "" || isBase(c.DelayServerURL),
		"DELAY_SERVER_URL: %q is invalid: use http://host:port or https://host:port, with a path or without, and no more", c.DelayServerURL)
	check(!strings.ContainsFunc(c.DelayServerToken, func(r rune) bool { return r <= ' ' || r > '~' }), "DELAY_SERVER_TOKEN: it has characters that are not accepted: want visible ASCII characters")
	check(c.DelayServerToken == "" || c.DelayServerURL != "", "DELAY_SERVER_TOKEN: it is set, and DELAY_SERVER_URL, whose it is, is not: want both or neither")
	check(c.DatabaseConnections >= 1, "DATABASE_CONNECTIONS: %d is invalid: use 1 or more", c.DatabaseConnections)
	err := checkDatabase(c.DatabaseURL)
	check(err == nil, "DATABASE_URL: %v", err) // not wrapped: see checkDatabase
	d, err := delay.Parse(c.Delay)
	check(err == nil, "DELAY: %w", err)
	fixed, _ := d.Fixed()
	check(fixed <= c.MaxDelay, "DELAY: %q is longer than MAX_DELAY, %v", c.Delay, c.MaxDelay)
	return errors.Join(errs...)
}

// isBase reports whether s is a URL to which a path can be added. User info
// is refused: it would appear in answers and logs.
func isBase(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return isPlace(u) && !strings.ContainsAny(s, "?#@")
}

// isPlace reports whether u has a host, and no port or one that there can be.
func isPlace(u *url.URL) bool {
	port, err := strconv.Atoi(u.Port())
	return u.Hostname() != "" && (u.Port() == "" || err == nil && port >= 1 && port <= 65535)
}

// checkDatabase returns why s is no URL of a PostgreSQL database, in a text
// without its password. What is no URL at all is not repeated: where in it a
// password might be is not known.
func checkDatabase(s string) error {
	if s == "" {
		return nil
	}
	const want = "use postgres://user:password@host:port/database, with ?sslmode= and the like or without"
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("value is not a URL: " + want)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" || !isPlace(u) || u.Fragment != "" {
		return errors.New("value is invalid: " + want)
	}
	if _, err := pgconn.ParseConfig(s); err != nil {
		return fmt.Errorf("%v: %s", err, want)
	}
	return nil
}
