package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/program"
	"flash.test/delay-server/kit/settings"
)

// Config is the one list of settings. The tags name the environment variable,
// its default and its line in the table of --help.
type Config struct {
	Host string `env:"HOST" envDefault:"localhost" help:"address to listen on; localhost is 127.0.0.1 and ::1, 0.0.0.0 is all (the image's default)"`
	Port int    `env:"PORT" envDefault:"3000" help:"port to listen on; 0 for any free one"`

	PublishedPort *int `env:"PUBLISHED_PORT" help:"port of the host at which a container engine publishes PORT, for the addresses printed at the start; 0 for one that the engine chose"`

	MaxDelay    time.Duration `env:"MAX_DELAY" envDefault:"10m" help:"a longer fixed delay is answered 400, never cut; a longer sample is drawn again"`
	MaxInFlight int           `env:"MAX_IN_FLIGHT" envDefault:"0" help:"requests that wait at once; one more is answered 503 with Retry-After; 0 is 100000, or as many as the memory limit of the container allows, which the log says at the start"`

	MaxInFlightPerConnection int `env:"MAX_IN_FLIGHT_PER_CONNECTION" envDefault:"250" help:"requests at once on one connection of HTTP/2, as SETTINGS_MAX_CONCURRENT_STREAMS tells clients; as many again may be reset each second before the connection is ended; raise it to load the server over one connection, to 10000 say"`
	MaxInFlightPerClient     int `env:"MAX_IN_FLIGHT_PER_CLIENT" envDefault:"0" help:"requests that wait at once from one client address (of IPv6, one /64); 0 is half of MAX_IN_FLIGHT, or all of it up to 1000"`

	MaxHeaderSize int `env:"MAX_HEADER_SIZE" envDefault:"32768" help:"bytes of a request's line and header, 16384 or more; a larger one is answered 431, or its connection ended"`

	MaxBodySize int64 `env:"MAX_BODY_SIZE" envDefault:"104857600" help:"bytes; a larger size= is answered 400"`

	Seed          *uint64 `env:"SEED" help:"seed of every request without seed=, so that samples repeat from run to run"`
	RecordingsDir string  `env:"RECORDINGS_DIR" help:"folder of NAME.csv, NAME.jtl and NAME.har, replayed by /delay/recorded:NAME"`
	Scenario      string  `env:"SCENARIO" help:"YAML file of routes to answer before all others; read again when it changes, and on SIGHUP"`

	TimeScale float64 `env:"TIME_SCALE" envDefault:"1" help:"how many seconds a wait of one second lasts: 0.1 is ten times as fast"`

	Admin       bool     `env:"ADMIN" envDefault:"true" help:"the API under /admin: runs, holds and the clock; false turns it off"`
	AdminToken  string   `env:"ADMIN_TOKEN" help:"clients of /admin must send it as Authorization: Bearer …; without it reading is open and, while HOST is not loopback, writing needs a random one, logged at the start; none lets every client write"`
	AdminHosts  []string `env:"ADMIN_HOSTS" envDefault:"none" help:"names with dots by which /admin may be asked without an ADMIN_TOKEN, by comma: none, or delay.example.com,*.example.org (* for any)"`
	JournalSize int      `env:"JOURNAL_SIZE" envDefault:"10000" help:"requests of runs that are remembered for /admin/runs; the oldest are dropped, counted"`

	EventLoop bool `env:"EVENT_LOOP" envDefault:"true" renamed:"FASTLANE" help:"on Linux, requests over plain HTTP/1.1 wait in event loops, for less than a kilobyte each; false has net/http answer all"`

	ReadTimeout     time.Duration `env:"READ_TIMEOUT" envDefault:"10s" help:"time for a client to send its headers, and again its body"`
	WriteTimeout    time.Duration `env:"WRITE_TIMEOUT" envDefault:"30s" help:"time for a client to take an answer, or each 32 KB of one, from when it is due; then its connection is ended, or its stream of HTTP/2"`
	IdleTimeout     time.Duration `env:"IDLE_TIMEOUT" envDefault:"2m" help:"time that a connection is kept open between requests"`
	ShutdownDelay   time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" help:"time to serve on after SIGTERM while /readyz answers 503, for load balancers to see it; then SHUTDOWN_TIMEOUT begins"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" help:"time for waiting requests to finish after SIGTERM; those left are answered 503"`

	CORSOrigins   []string `env:"CORS_ORIGINS" envDefault:"*" help:"origins whose pages may read the answers, by comma: *, none, or https://example.com,…"`
	RedirectHosts []string `env:"REDIRECT_HOSTS" envDefault:"*" help:"hosts that /delay/…/url/… may redirect to, by comma: *, none, or example.com,*.example.org"`
	FlashCompat   bool     `env:"FLASH_COMPAT" envDefault:"false" help:"answer exactly as Flash does: errors with status 500 and its sentence, unknown paths to /, a delay as it is written, paths in any case"`

	ProxyHosts   []string      `env:"PROXY_HOSTS" envDefault:"none" help:"hosts that /delay/…/proxy/… may ask, by comma: none, or api.example.com,*.example.org (* for any name) where they lead to public addresses, and addresses that may be asked though they are not public: 10.1.2.3,10.0.0.0/8"`
	ProxyTimeout time.Duration `env:"PROXY_TIMEOUT" envDefault:"30s" help:"time for an asked host to take the connection, then each part of the request, then to begin its reply"`

	TLSHosts []string `env:"TLS_HOSTS" envDefault:"none" help:"names and addresses to answer for over TLS too, by comma: none, or flash.siwalik.in,127.0.0.1; clients have to trust /ca.pem"`
	TLSDir   string   `env:"TLS_DIR" help:"folder of the authority and the certificate for TLS_HOSTS, which are made where they are missing"`
	TLSPort  int      `env:"TLS_PORT" envDefault:"3443" help:"port to listen on with TLS; 0 for any free one"`

	OTLPEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector to send traces to by OTLP over HTTP, such as http://localhost:4318; none sends none"`

	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" help:"debug (a line for each wait), info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`
}

// prefixes begin the names of settings and of nothing else that is usual in an
// environment: a variable that begins so and is no setting gets a warning.
var prefixes = []string{"MAX_", "READ_", "WRITE_", "RECORDINGS_", "IDLE_", "SHUTDOWN_", "CORS_", "REDIRECT_", "PROXY_", "FLASH_", "LOG_", "TIME_", "ADMIN_", "JOURNAL_", "TLS_"}

// DefaultConfig returns the settings of an empty environment.
func DefaultConfig() Config {
	var c Config
	if _, err := settings.Load(nil, &c); err != nil {
		panic(err) // a default in a tag above is not of its field's type
	}
	return c
}

// LoadConfig reads the settings from environ, which has the form of os.Environ.
// A warning names a variable that resembles a setting. The error joins one error
// for each setting that is wrong.
func LoadConfig(environ []string) (c Config, warnings []string, err error) {
	c = DefaultConfig() // a setting that cannot be read keeps its default, and so is reported once
	warnings, err = settings.Load(environ, &c, prefixes...)
	return c, warnings, errors.Join(err, c.Validate())
}

// WriteConfigTable writes the table of all settings with their defaults to w.
func WriteConfigTable(w io.Writer) error { return settings.Table(w, Config{}) }

// TLS reports whether there are TLS_HOSTS.
func (c Config) TLS() bool { return len(c.TLSHosts) > 0 && !slices.Equal(c.TLSHosts, []string{"none"}) }

// maxHeaderSize is the most that MAX_HEADER_SIZE may be: net/http's own default.
const maxHeaderSize = http.DefaultMaxHeaderBytes

// clientShare returns how many requests of one client address may wait at once.
func (c Config) clientShare() int {
	if c.MaxInFlightPerClient > 0 {
		return c.MaxInFlightPerClient
	}
	return max(c.MaxInFlight/2, min(c.MaxInFlight, 1000))
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
	check(c.MaxDelay > 0, "MAX_DELAY: %v is invalid: use more than 0", c.MaxDelay)
	check(c.MaxInFlight >= 0, "MAX_IN_FLIGHT: %d is invalid: use 0 or more", c.MaxInFlight)
	check(c.MaxInFlightPerConnection > 0, "MAX_IN_FLIGHT_PER_CONNECTION: %d is invalid: use 1 or more", c.MaxInFlightPerConnection)
	check(c.MaxInFlightPerConnection <= math.MaxInt32, "MAX_IN_FLIGHT_PER_CONNECTION: %d is invalid: use up to %d", c.MaxInFlightPerConnection, math.MaxInt32)
	check(c.MaxInFlightPerClient >= 0, "MAX_IN_FLIGHT_PER_CLIENT: %d is invalid: use 0 or more", c.MaxInFlightPerClient)
	check(c.MaxHeaderSize >= program.MinHeaderSize && c.MaxHeaderSize <= maxHeaderSize, "MAX_HEADER_SIZE: %d is invalid: use %d to %d", c.MaxHeaderSize, program.MinHeaderSize, maxHeaderSize)
	check(c.MaxBodySize >= 0, "MAX_BODY_SIZE: %d is invalid: use 0 or more", c.MaxBodySize)
	if err := clock.CheckScale(c.TimeScale); err != nil {
		errs = append(errs, fmt.Errorf("TIME_SCALE: %w", err))
	}
	check(c.JournalSize > 0, "JOURNAL_SIZE: %d is invalid: use 1 or more", c.JournalSize)
	check(!strings.ContainsFunc(c.AdminToken, func(r rune) bool { return r <= ' ' || r > '~' }), "ADMIN_TOKEN: it has characters that are not accepted: want visible ASCII characters")
	check(c.AdminToken == noToken || isSecret(c.AdminToken), "ADMIN_TOKEN: %q is no secret: want one, such as openssl rand -hex 16 makes, or none to let every client write", c.AdminToken)
	check(c.Admin || c.AdminToken == "", "ADMIN_TOKEN: it is set and ADMIN=false turns off what it is for: want one of the two")
	for _, host := range listed(c.AdminHosts) {
		check(isHost(host), "ADMIN_HOSTS: %q is neither a host name nor an address: want *, or none alone, or names such as delay.example.com or *.example.org without a port", host)
	}
	check(c.Admin || len(c.AdminHosts) == 0 || slices.Equal(c.AdminHosts, []string{"none"}), "ADMIN_HOSTS: it is set and ADMIN=false turns off what it is for: want one of the two")
	check(c.WriteTimeout > 0, "WRITE_TIMEOUT: %v is invalid: use more than 0", c.WriteTimeout)
	check(c.ReadTimeout > 0, "READ_TIMEOUT: %v is invalid: use more than 0", c.ReadTimeout)
	check(c.IdleTimeout > 0, "IDLE_TIMEOUT: %v is invalid: use more than 0", c.IdleTimeout)
	check(c.ShutdownDelay >= 0, "SHUTDOWN_DELAY: %v is invalid: use 0 or more", c.ShutdownDelay)
	check(c.ShutdownTimeout >= 0, "SHUTDOWN_TIMEOUT: %v is invalid: use 0 or more", c.ShutdownTimeout)
	check(c.LogFormat == "text" || c.LogFormat == "json", "LOG_FORMAT: %q is invalid: use text or json", c.LogFormat)
	for _, origin := range listed(c.CORSOrigins) {
		check(isOrigin(origin), "CORS_ORIGINS: %q is no origin: want *, none, or scheme://host such as https://example.com", origin)
	}
	for _, host := range listed(c.RedirectHosts) {
		check(isHost(host), "REDIRECT_HOSTS: %q is neither a host name nor an address: want *, or none alone, names such as example.com or *.example.com without a port, and addresses such as 10.1.2.3", host)
	}
	check(c.ProxyTimeout > 0, "PROXY_TIMEOUT: %v is invalid: use more than 0", c.ProxyTimeout)
	for _, host := range listed(c.ProxyHosts) {
		check(isHost(host), "PROXY_HOSTS: %q is neither a host name nor an address: want none alone, or *, names such as api.example.com or *.example.com without a port, and addresses such as 10.1.2.3 or 10.0.0.0/8", host)
	}
	for _, host := range c.TLSHosts {
		check(isTLSHost(host) || !c.TLS(), "TLS_HOSTS: %q is neither a host name nor an address: want none alone, names such as flash.siwalik.in without a port or a *, and addresses such as 127.0.0.1", host)
	}
	check(!c.TLS() || c.TLSDir != "", "TLS_DIR: it is not set and TLS_HOSTS is: want the folder to keep the authority and the certificate in")
	check(c.TLS() || c.TLSDir == "", "TLS_DIR: it is set and TLS_HOSTS is not: want both or neither")
	check(c.TLSPort >= 0 && c.TLSPort <= 65535, "TLS_PORT: %d is invalid: use 0 to 65535", c.TLSPort)
	check(c.TLS() || c.TLSPort == DefaultConfig().TLSPort, "TLS_PORT: it is set and TLS_HOSTS is not: want both or neither")
	check(!c.TLS() || c.TLSPort == 0 || c.TLSPort != c.Port, "TLS_PORT: %d is PORT too: want two ports", c.TLSPort)
	check(c.OTLPEndpoint == "" || isBaseURL(c.OTLPEndpoint), "OTEL_EXPORTER_OTLP_ENDPOINT: %q is invalid: use a URL such as http://localhost:4318; what the collector has to be told besides, in OTEL_EXPORTER_OTLP_HEADERS", c.OTLPEndpoint)
	return errors.Join(errs...)
}

// NewLogger returns a logger to w of the level and format that c asks for.
func (c Config) NewLogger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// listed returns the entries of a list that is neither "*" nor "none".
func listed(list []string) []string {
	if len(list) == 1 && (list[0] == "*" || list[0] == "none") {
		return nil
	}
	return list
}

// isSecret reports whether token is no word for "no token": a misspelt none would
// be a token that everybody guesses.
func isSecret(token string) bool {
	word := strings.ToLower(strings.Trim(token, `"'`))
	return !slices.Contains([]string{noToken, "no", "off", "false", "true", "any", "null", "nil", "*"}, word)
}

// isBaseURL reports whether s is a URL to which a path can be added. User info is
// refused: it would appear in logs.
func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && u.Scheme+"://"+u.Host == s
}

// hostName has a last label that is not all digits, as a mistyped address has.
var hostName = regexp.MustCompile(`(?i)^(\*\.)?([a-z0-9_-]+\.)*[0-9]*[a-z_-][a-z0-9_-]*$`)

func isHost(s string) bool {
	return s == "*" || s != "none" && hostName.MatchString(s) || len(plan.HostList{s}.Addresses()) == 1
}

// isTLSHost accepts what a certificate can be for.
func isTLSHost(s string) bool {
	return net.ParseIP(s) != nil || s != "none" && !strings.HasPrefix(s, "*") && hostName.MatchString(s)
}
